"""What a member says loudly: signs that somebody cheats, or that the operator must act.

An alarm never changes the roster by itself: members go on with what they have, and a person
decides with a policy.  Meanings: docs/rendezvous-protocol.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong."""

    CLONE = "clone"
    SPLIT_VIEW = "split-view"
    QUOTA = "quota"
    CONTESTED = "contested"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNAPPROVED = "unapproved"
    FULL = "full"
    POLICY_FORK = "policy-fork"
    POLICY_BEHIND = "policy-behind"
    LOCKED_OUT = "locked-out"
    CLOCK = "clock"
    BAD_RECORDS = "bad-records"
    UNREACHABLE = "unreachable"


_SENTENCES = {
    Kind.CLONE: "two machines write as node {subject}",
    Kind.SPLIT_VIEW: "the rendezvous shows members different worlds: node {subject} {detail}",
    Kind.QUOTA: "node {subject} came with an invite that others have used up",
    Kind.CONTESTED: "node {subject} is one of more nodes than its invite is for, and nobody knows which came first",
    Kind.EXPIRED: "node {subject} came with an invite that is over, and no member vouches for it",
    Kind.REVOKED: "node {subject} is revoked",
    Kind.UNAPPROVED: "node {subject} waits for approval",
    Kind.FULL: "node {subject} finds the cluster full",
    Kind.POLICY_FORK: "node {subject} holds another policy under the version of ours",
    Kind.POLICY_BEHIND: "node {subject} holds a newer policy than the rendezvous shows us",
    Kind.LOCKED_OUT: "the cluster key was changed without a box for this node",
    Kind.CLOCK: "the clock is wrong, says {subject}: {detail}",
    Kind.BAD_RECORDS: "records at {subject} do not hold: {detail}",
    Kind.UNREACHABLE: "{detail}",
}
_HINTS = {
    Kind.CLONE: "stop one of them; if it is unknown: ./invoke cluster revoke NAME {subject}",
    Kind.SPLIT_VIEW: "compare ./invoke cluster status on every rendezvous, and use another one",
    Kind.QUOTA: "./invoke cluster approve NAME {subject}, or leave it out",
    Kind.CONTESTED: "./invoke cluster approve NAME {subject}, and revoke the other",
    Kind.EXPIRED: "./invoke cluster approve NAME {subject}, or leave it out",
    Kind.REVOKED: "./invoke cluster invite NAME --role ROLE",
    Kind.UNAPPROVED: "./invoke cluster approve NAME {subject}",
    Kind.LOCKED_OUT: "./invoke cluster invite NAME --role ROLE, and join again with it",
    Kind.POLICY_FORK: "use one copy of clusters/NAME only, then ./invoke cluster approve NAME {subject}",
    Kind.CLOCK: "timedatectl set-ntp true",
}


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One thing that is wrong.

    Attributes:
        kind: What.
        subject: The node ID, or the rendezvous' URL, it is about.
        detail: More, for people; may be empty.
    """

    kind: Kind
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(subject=self.subject, detail=self.detail)

    @property
    def hint(self) -> str:
        """A command to type; empty where waiting is all there is to do."""
        return _HINTS.get(self.kind, "").format(subject=self.subject)
