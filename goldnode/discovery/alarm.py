"""What a member warns about: signs that somebody cheats, or that the operator must act.

An alarm never changes the roster by itself: members go on with what they have, and a person
decides with a policy.  Meanings: docs/rendezvous-protocol.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlarmKind(StrEnum):
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
    SAME_KEY = "same-key"
    CLAIM = "claim"


_SENTENCES = {
    AlarmKind.CLONE: "two machines write as node {subject}",
    AlarmKind.SPLIT_VIEW: "the rendezvous shows members different records: node {subject} {detail}",
    AlarmKind.QUOTA: "node {subject} came with an invite that others have used up",
    AlarmKind.CONTESTED: "node {subject} shares an invite for fewer nodes, and it is unknown which came first",
    AlarmKind.EXPIRED: "node {subject} came with an invite that is over, and no member endorses it",
    AlarmKind.REVOKED: "node {subject} is revoked",
    AlarmKind.UNAPPROVED: "node {subject} waits for approval",
    AlarmKind.FULL: "node {subject} finds the cluster full",
    AlarmKind.POLICY_FORK: "node {subject} holds a different policy under the same version",
    AlarmKind.POLICY_BEHIND: "node {subject} holds a newer policy than the rendezvous shows us",
    AlarmKind.LOCKED_OUT: "the cluster key was changed without a wrapped key for this node",
    AlarmKind.CLOCK: "the clock is wrong, says {subject}: {detail}",
    AlarmKind.BAD_RECORDS: "records at {subject} do not hold: {detail}",
    AlarmKind.UNREACHABLE: "{detail}",
    AlarmKind.SAME_KEY: "{detail} have the same consensus key; neither may sign while both have it",
    AlarmKind.CLAIM: "node {subject} says that it signed with our consensus key at {detail}, far above the chain",
}
_HINTS = {
    AlarmKind.CLONE: "stop one of them; if it is unknown: ./invoke cluster revoke NAME {subject}",
    AlarmKind.SPLIT_VIEW: "compare ./invoke cluster status on every rendezvous, and use another one",
    AlarmKind.QUOTA: "./invoke cluster approve NAME {subject}, or leave it out",
    AlarmKind.CONTESTED: "./invoke cluster approve NAME {subject}, and revoke the other",
    AlarmKind.EXPIRED: "./invoke cluster approve NAME {subject}, or leave it out",
    AlarmKind.REVOKED: "./invoke cluster invite NAME --role ROLE",
    AlarmKind.UNAPPROVED: "./invoke cluster approve NAME {subject}",
    AlarmKind.LOCKED_OUT: "./invoke cluster invite NAME --role ROLE, and join again with it",
    AlarmKind.POLICY_FORK: "use one copy of clusters/NAME only, then ./invoke cluster approve NAME {subject}",
    AlarmKind.CLOCK: "timedatectl set-ntp true",
    AlarmKind.SAME_KEY: "goldnode key export FILE on one of them, or switch one off for good",
    AlarmKind.CLAIM: "look at that node, and if it is not yours: ./invoke cluster revoke NAME {subject}",
}


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One thing that is wrong.

    Attributes:
        kind: What it is about.
        subject: The node ID, or the rendezvous' URL, it is about.
        detail: Details for people; may be empty.
    """

    kind: AlarmKind
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(subject=self.subject, detail=self.detail)

    @property
    def hint(self) -> str:
        """A command to type; empty where there is nothing to do but wait."""
        return _HINTS.get(self.kind, "").format(subject=self.subject)
