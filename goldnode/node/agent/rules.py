"""When a daemon may start, must restart, or should dial again: pure decisions from observations.

The validator's ID must never reach an address book.  Daemons read private IDs only at start; so a
sentry restarts with a new validator as a private peer before it says in its record that it has loaded it,
only then does the validator's mesh admit the sentry, and only with enough such sentries may the validator start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from goldnode.config.role import Restart, Start
from goldnode.node.plan.peers import Member

#: Seconds that a change of the roster must last before a daemon is restarted for it.
DEBOUNCE = 5.0
#: Seconds that each sentry waits for every one whose turn comes before its own.
TURN = 45.0
#: Seconds a wanted peer may be gone before it is dialled again, and between attempts.
MISSING = 60.0
REDIAL = 15.0


#: A daemon that ended by itself this many times within this many seconds is in a crash loop.
CRASHES = 3
CRASH_WINDOW = 300.0


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and its reason, for people.

    Attributes:
        go: Whether to do it now.
        reason: Why, or why not yet.
    """

    go: bool
    reason: str


def may_start(rule: Start, *, own: str, least: int, members: Iterable[Member], reachable: Iterable[str]) -> Decision:
    """Whether a daemon may start.

    Args:
        rule: Its role's rule.
        own: Its node ID.
        least: The number of sentries that must have loaded it.
        members: The cluster's other members.
        reachable: IDs of members that its mesh has reached recently.
    """
    if rule is Start.AT_ONCE:
        return Decision(go=True, reason="")
    holders = {member.node_id for member in members if own in member.loaded}
    near = holders & set(reachable)
    if len(near) >= least:
        return Decision(go=True, reason="")
    said = f"{len(holders)} of {least} sentries hold it as a private peer, {len(near)} of them reached over the mesh"
    return Decision(go=False, reason=f"waiting for sentries: {said}")


@dataclass(frozen=True, slots=True)
class PrivatePeers:
    """The private peers that a sentry's daemon has, and those it should have.

    Attributes:
        own: The sentry's node ID.
        loaded: Validators it read as private at its start.
        wanted: Validators of the roster.
        since: When ``wanted`` last changed, unix seconds.
        begun: Whether the daemon started last has passed its preflight and answers.  Before the preflight it has
            read nothing, so it will see what is new; restarted in every round, it would never get there.  Before it
            answers it may be creating its database, and if interrupted in that, goleveldb never opens it again.
    """

    own: str
    loaded: frozenset[str]
    wanted: frozenset[str]
    since: float
    begun: bool = True


def may_restart(rule: Restart, peers: PrivatePeers, members: Iterable[Member], now: float) -> Decision:
    """Whether to restart a running daemon for a new private peer.

    One sentry at a time: those that still lack the new validator go in order of node ID, each waiting
    for the ones before it, and none goes while it is the only one that has loaded another validator.
    """
    new = peers.wanted - peers.loaded
    if rule is Restart.NEVER or not new or not peers.begun:
        return Decision(go=False, reason="")
    waited = now - peers.since
    if waited < DEBOUNCE:
        return Decision(go=False, reason="a validator joined; waiting for the roster to settle")
    sentries = [member for member in members if member.role == "sentry"]
    alone = [v for v in peers.loaded & peers.wanted if not any(v in sentry.loaded for sentry in sentries)]
    before = sorted(s.node_id for s in sentries if not new <= s.loaded and s.node_id < peers.own)
    turn = DEBOUNCE + TURN * len(before)
    if waited < turn and before and peers.loaded:
        return Decision(go=False, reason=f"a validator joined; {len(before)} other sentries restart first")
    if alone and sentries and waited < turn + TURN:
        return Decision(go=False, reason="a validator joined; no other sentry has loaded the others yet")
    return Decision(go=True, reason=f"to hold {len(new)} new validator{'s' if len(new) > 1 else ''} as private")


def to_dial(missing_since: Mapping[str, float], dialled: float, now: float) -> tuple[str, ...]:
    """The wanted peers to dial again now: those gone for a while, and not tried a moment ago."""
    if now - dialled < REDIAL:
        return ()
    return tuple(sorted(peer for peer, since in missing_since.items() if now - since >= MISSING))


def keep_missing(before: Mapping[str, float], missing: Iterable[str], now: float) -> dict[str, float]:
    """Update since when each missing peer has been missing."""
    return {peer: before.get(peer, now) for peer in missing}


def keep_ends(before: Iterable[float], new: int, now: float) -> tuple[float, ...]:
    """Update when a daemon ended by itself, within the window that counts.

    Args:
        before: The ends known so far, unix seconds.
        new: The number since the last round.
        now: Unix seconds.
    """
    return (*(end for end in before if now - end < CRASH_WINDOW), *[now] * new)
