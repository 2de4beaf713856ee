"""Explains what a daemon that does not answer yet is waiting for, in a sentence a person can act on.

Waiting is normal for a validator: for blocks to pass its double-sign check, for its signer, for the
next version.  None of these is a crash loop, and only the daemon's log tells which it is.
"""

from __future__ import annotations

import re

#: What CometBFT and the SDK log, and what it means.
_UPGRADE = re.compile(r"UPGRADE \\*\"?([\w.-]+?)\\*\"? NEEDED", re.IGNORECASE)
#: A name that nobody resolves; between it and the reason stand both ends of the question.
_NAME = re.compile(
    r"lookup ([\w.-]+)[^\n]{0,200}?: (?:no such host|i/o timeout|server misbehaving|cannot unmarshal DNS message)"
)
#: Whoever was dialled proved to be somebody else.
_STRANGER = re.compile(r"conn\.ID \(\w+\) dialed ID \((\w+)\) mismatch")
#: How CometBFT ends, or goes on, without a seed; why, it said before.
_NO_SEED = re.compile(r"[^\n]*couldn't resolve any seed nodes|Couldn't connect to any seeds")
_SIGNS = (
    (re.compile(r"found signature from the same key", re.IGNORECASE), "double-sign"),
    (_UPGRADE, "upgrade"),
    (re.compile(r"can't get pubkey|remote signer|accept connection", re.IGNORECASE), "signer"),
    (re.compile(r"no space left|less than \d+ MiB are free", re.IGNORECASE), "disk"),
    (re.compile(r"oom-kill|out of memory|cannot allocate memory", re.IGNORECASE), "memory"),
    (_NAME, "peers"),
    (_STRANGER, "peers"),
    (_NO_SEED, "peers"),
    (re.compile(r"address already in use", re.IGNORECASE), "port"),
    (re.compile(r"database entry point either missing or corrupted"), "database"),
    (re.compile(r"^(?:panic|fatal error|Error): [^\n]{1,160}", re.MULTILINE), "end"),
    (re.compile(r"(?:error|panic)[^\n]{0,20}?(?:genesis|app hash|AppHash)[^\n]{0,120}", re.IGNORECASE), "genesis"),
)


#: What CometBFT logs when it gives up; the error is in quotes, with its own quotes escaped.
_CONSENSUS_FAILURE = re.compile(r"CONSENSUS FAILURE!!![^\n]*?\berr(?:or)?=\"?([^\n]+)")
#: The fields that follow the error in the daemon's log, in either of its two formats.
_NEXT_FIELD = re.compile(r'"? +(?:module|stack)=|"$')
CONSENSUS_FAILURE = "CONSENSUS FAILURE"
#: The most characters shown: CometBFT prints whole blocks.
LONGEST = 240
#: Seconds that a block may be ahead of this machine's clock.
CLOCK = 15.0

#: The reason shown for a daemon whose log does not tell what it is waiting for.
UNKNOWN = "starting"
#: The start of the reason shown for a daemon that ended with a message.
LAST_WORDS = "ended with"
#: Prefixes of the reasons that apply even to a daemon which answers.
TROUBLES = ("the name ", "another node answers ", "none of its seeds ", "the disk is full")


def failure(log: str) -> str:
    """Why a running daemon makes no more blocks, in its own last words; empty if it did not say.

    CometBFT stops its consensus for good when a block cannot be applied, but still answers: only this line of
    its log tells an upgrade's halt from a wrong application.

    Args:
        log: The line that says so, and what follows.
    """
    hit = _CONSENSUS_FAILURE.search(log)
    if hit is None:
        return ""
    upgrade = _UPGRADE.search(hit.group(1))
    if upgrade:
        return f"waiting for upgrade {upgrade.group(1)}: launch a new image, and goldnode handover"
    words = _NEXT_FIELD.split(hit.group(1).strip(), maxsplit=1)[0][:LONGEST]
    if "no space left" in words:
        return f"the disk is full, and its consensus has failed: df -h, then goldnode restart; it said: {words}"
    what = ": its application is another than the chain's" if re.search(r"app ?hash", words, re.IGNORECASE) else ""
    return f"its consensus has failed, and it makes no block until it is started again{what}; it said: {words}"


def clock(ahead: float) -> str:
    """A reason if this machine's clock disagrees with the chain's; empty if it does not.

    Args:
        ahead: Seconds that the newest block's time is ahead of this machine's.
    """
    if ahead < CLOCK:
        return ""
    return f"this machine's clock is {ahead:.0f} s behind the chain's: chronyc tracking"


def jump(seconds: float) -> str:
    """A reason if the clock was set while a node follows the chain; empty if it was not, or only slightly.

    Args:
        seconds: How far it was set forward.
    """
    if abs(seconds) < CLOCK:
        return ""
    return f"this machine's clock jumped by {seconds:+.0f} s: chronyc tracking"


def explain(log: str, *, alone: bool) -> str:
    """What a starting daemon is waiting for; if its log does not tell, only that it is starting.

    Args:
        log: The last lines it logged.
        alone: Whether the chain has one validator.
    """
    # The last match counts; if that is the daemon's end, the rest of its line is shown too.
    found = [(hit.start() if kind == "end" else hit.end(), kind, hit)
             for pattern, kind in _SIGNS for hit in pattern.finditer(log)]  # fmt: skip
    if not found:
        return UNKNOWN
    _, kind, hit = max(found, key=lambda each: each[0])
    match kind:
        case "double-sign":
            needed = "with a single validator" if alone else "with a third of the voting power or more"
            return (
                "waiting until its own signature is no longer in the last blocks (double-sign check); "
                f"{needed} that never ends by itself: consensus.double_sign_check_height: 0 in node.yaml"
            )
        case "upgrade":
            return f"waiting for upgrade {hit.group(1)}: launch a new image, and goldnode handover"
        case "signer":
            return "waiting for the remote signer to connect; what its machine needs: /etc/goldnode/signers"
        case "disk":
            return "the disk is full: df -h"
        case "memory":
            return "ended by the kernel: the machine's memory is full; free -m, and a larger machine or fewer nodes"
        case "peers":
            return _without_peers(log)
        case "port":
            return "a port of it is in use: ss -ltnp"
        case "database":
            return f"{LAST_WORDS} a damaged database: goldnode stop --hold, rm -r data/*.db of its home, goldnode start"
        case "end":
            return f"{LAST_WORDS} {hit.group(0)}"
        case _:
            return f"does not start: {hit.group(0)[:160]}"


def _without_peers(log: str) -> str:
    """Why a daemon finds nobody: names that do not resolve, or that lead to others, or to nobody."""
    names, strangers = _NAME.findall(log), _STRANGER.findall(log)
    if names:
        return f"the name {names[-1]} does not resolve: resolvectl query {names[-1]}"
    if strangers:
        return f"another node answers where {strangers[-1][:8]} should: its name or address leads to somebody else"
    return "none of its seeds answers, or their names do not resolve: goldnode logs"
