"""What a daemon that does not answer yet is waiting for, in a sentence a person can act on.

Waiting is normal for a validator: for blocks to pass its double-sign check, for its signer, for the
next version.  None of it is a crash loop, and only the daemon's log tells which it is.
"""

from __future__ import annotations

import re

#: What CometBFT and the SDK log, and what it means.
_SIGNS = (
    (re.compile(r"found signature from the same key", re.IGNORECASE), "double-sign"),
    (re.compile(r"UPGRADE \\?\"?([\w.-]+)\\?\"? NEEDED", re.IGNORECASE), "upgrade"),
    (re.compile(r"can't get pubkey|remote signer|accept connection", re.IGNORECASE), "signer"),
    (re.compile(r"no space left", re.IGNORECASE), "disk"),
    (re.compile(r"address already in use", re.IGNORECASE), "port"),
    (re.compile(r"database entry point either missing or corrupted"), "database"),
    (re.compile(r"^(?:panic|fatal error|Error): [^\n]{1,160}", re.MULTILINE), "end"),
    (re.compile(r"(?:error|panic)[^\n]{0,20}?(?:genesis|app hash|AppHash)[^\n]{0,120}", re.IGNORECASE), "genesis"),
)


#: What is said of a daemon whose log does not tell what it waits for.
UNKNOWN = "starting"
#: Begins what is said of a daemon that ended with a message of its own.
LAST_WORDS = "ended with"


def explain(log: str, *, alone: bool) -> str:
    """What a starting daemon waits for; just that it starts, when its log does not tell.

    Args:
        log: The last lines it logged.
        alone: The chain has one validator.
    """
    found = [(hit.end(), kind, hit) for pattern, kind in _SIGNS for hit in pattern.finditer(log)]
    if not found:
        return UNKNOWN
    _, kind, hit = max(found, key=lambda each: each[0])
    match kind:
        case "double-sign":
            more = "; with a single validator it cannot end by itself" if alone else ""
            return f"waiting until its own signature is no longer in the last blocks (double-sign check){more}"
        case "upgrade":
            return f"waiting for upgrade {hit.group(1)}: launch a new image, and goldnode handover"
        case "signer":
            return "waiting for the remote signer to connect; what its machine needs: /etc/goldnode/signers"
        case "disk":
            return "the disk is full: df -h"
        case "port":
            return "a port of it is in use: ss -ltnp"
        case "database":
            return f"{LAST_WORDS} a damaged database: goldnode stop --hold, rm -r data/*.db of its home, goldnode start"
        case "end":
            return f"{LAST_WORDS} {hit.group(0)}"
        case _:
            return f"does not start: {hit.group(0)[:160]}"
