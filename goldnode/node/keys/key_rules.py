"""Decides when a validator's key may be used, from the key, its signing state and our own record.

``decide`` is pure and covers every case; ``keys`` reads the evidence and acts on the verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from goldnode.config.choices import ConsensusKey
from goldnode.errors import SafetyError
from goldnode.node.keys.signing_state import MUTED, STEPS, UNUSED, SigningState

#: Blocks that must pass, at the tip of the chain, before a key whose state was lost may sign again.
MARGIN = 10

_ADDRESS = re.compile(r"[0-9A-F]{40}")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What this machine knows about its consensus key.

    Attributes:
        address: The key's address.
        used: Whether the key was allowed to sign, here or elsewhere.
        height: With round and step: the latest signature known.
        round: See height.
        step: See height.
        exported: Whether the key was exported; then it may not sign here until it is imported again.
    """

    address: str
    used: bool = False
    height: int = 0
    round: int = 0
    step: int = 0
    exported: bool = False

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> KeyRecord:
        """Read a record.

        Raises:
            ValueError: A field is missing or malformed, so what the key did is unknown.
        """
        fields = {"used": False, "height": 0, "round": 0, "step": 0, "exported": False, **document}
        address = fields.get("address")
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise ValueError("it names no consensus key")
        height, round_, step = fields["height"], fields["round"], fields["step"]
        if not all(type(number) is int and number >= 0 for number in (height, round_, step)):
            raise ValueError("height, round and step are not numbers")
        if type(fields["used"]) is not bool or type(fields["exported"]) is not bool:
            raise ValueError("used and exported are not true or false")
        return cls(address, fields["used"], height, round_, step, fields["exported"])

    @property
    def state(self) -> SigningState:
        """The latest signature known."""
        return SigningState(self.height, self.round, self.step)

    def reached(self, state: SigningState) -> KeyRecord:
        """This record, updated with the knowledge that the key signed up to ``state``; it never goes down."""
        latest = max(self.state, state)
        return replace(
            self, used=self.used or latest > UNUSED, height=latest.height, round=latest.round, step=latest.step
        )


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery of a lost signing state (``keys.recovery``).

    Attributes:
        known: The greatest height known to be signed when it began.
        first: The chain's height when the node first reached its tip; 0 before.
        done: The height above which the key may sign again; 0 before.
    """

    known: int
    first: int = 0
    done: int = 0

    @property
    def target(self) -> int:
        """The height that the chain must reach; 0 while it is unknown."""
        return max(self.first, self.known) + MARGIN if self.first else 0

    @property
    def state(self) -> SigningState:
        """The state from which the key may continue; MUTED while that is unknown."""
        return SigningState(self.done, 0, max(STEPS)) if self.done else MUTED


@dataclass(frozen=True, slots=True)
class Files:
    """What a refusal names: the node, and where its key, its signing state and our record should be."""

    node: str = "NAME"
    key: str = "priv_validator_key.json"
    state: str = "priv_validator_state.json"
    record: str = "consensus.json"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known about a validator's key before its daemon starts.

    Attributes:
        wanted: The node.yaml setting.
        address: The key file's address; None without a file.
        state: The state file's content; None without a file.
        record: Our record; None if this node never had a key.
        seen_height: The greatest height at which another holder of this key said it signed; 0 if none.
        seen_by: The member that said so.
        rival: A machine that has this key too, and was seen recently; empty for none.
        handing_over: Whether the node is being moved to another machine.
        recovering: Whether the signing state was lost: then nothing is signed until the chain has passed what may
        have been signed.
        recovered: The state from which the key may sign again; MUTED while that is unknown.
        files: Names, for messages.
    """

    wanted: ConsensusKey
    address: str | None
    state: SigningState | None
    record: KeyRecord | None
    seen_height: int = 0
    handing_over: bool = False
    seen_by: str = "a member of the cluster"
    rival: str = ""
    recovering: bool = False
    recovered: SigningState = MUTED
    files: Files = Files()


class Verdict(StrEnum):
    """What to do now."""

    READY = "ready"
    """Key and state are there and agree."""
    GENERATE = "generate"
    """There never was a key: make one, with its state."""
    COMPLETE = "complete"
    """The key never signed and lacks its state (a power cut while it was made): write height 0."""
    ADOPT = "adopt"
    """Key and state came together from elsewhere: start a record."""
    WAIT = "wait for import"
    """The key is to be brought by a person."""
    REMOTE = "remote"
    """The key is with a remote signer; none belongs here."""


def decide(evidence: Evidence) -> Verdict:
    """Decide what may be done with a node's key.

    Raises:
        SafetyError: Something is missing, older than known, or contradicts the rest.
    """
    if evidence.handing_over:
        raise SafetyError("this node was handed over", hint="goldnode handover --cancel, if no other machine took it")
    if evidence.wanted is ConsensusKey.REMOTE_SIGNER:
        if evidence.address or evidence.record:
            raise SafetyError(
                "node.yaml names a remote signer, but a consensus key is here: both could sign",
                hint="goldnode key export FILE, or consensus_key: existing",
            )
        return Verdict.REMOTE
    if evidence.record and evidence.record.exported:
        raise SafetyError(
            f"the key {evidence.record.address} was exported and may sign elsewhere",
            hint="goldnode key import ARCHIVE brings it back, with the state it has by then",
        )
    if evidence.address is None:
        return _without_key(evidence)
    if evidence.record is None:
        return _unknown_key(evidence)
    return _known_key(evidence, evidence.record)


def _without_key(evidence: Evidence) -> Verdict:
    used = evidence.record is not None and evidence.record.used
    if evidence.record and used:
        raise SafetyError(
            f"the consensus key {evidence.record.address} is gone ({evidence.files.key}); it signed up to "
            f"{evidence.record.state}",
            hint=f"put the file back, or: goldnode key import ARCHIVE {evidence.files.node}",
        )
    if evidence.state and evidence.state > UNUSED:
        raise SafetyError(
            f"there is a signing state ({evidence.state}, {evidence.files.state}) but no consensus key "
            f"({evidence.files.key})",
            hint=f"goldnode key import ARCHIVE {evidence.files.node}",
        )
    return Verdict.GENERATE if evidence.wanted is ConsensusKey.GENERATE else Verdict.WAIT


def _unknown_key(evidence: Evidence) -> Verdict:
    files = evidence.files
    if evidence.wanted is ConsensusKey.GENERATE:
        raise SafetyError(
            f"a consensus key ({evidence.address}) is here that this node did not make, or the record of what it "
            f"signed is gone ({files.record})",
            hint=f"goldnode key recover {files.node}, or write consensus_key: existing for a key that was brought",
        )
    if evidence.state is None:
        raise SafetyError(
            f"the consensus key {evidence.address} came without its signing state ({files.state})",
            hint=f"goldnode key import KEY --state STATE {files.node}; --never-used KEY for a new key",
        )
    if evidence.state == UNUSED:
        raise SafetyError(
            f"the key {evidence.address} came with a state that says it never signed; nothing confirms that",
            hint=f"goldnode key import --never-used KEY {files.node}, if it is true",
        )
    _check_seen(evidence, evidence.state)
    return Verdict.ADOPT


def _known_key(evidence: Evidence, record: KeyRecord) -> Verdict:
    if record.address != evidence.address:
        raise SafetyError(
            f"the consensus key in {evidence.files.key} is {evidence.address}, but this node's is {record.address}",
            hint="put the right key back; nothing was changed",
        )
    if evidence.recovering and evidence.state != MUTED and (evidence.state or UNUSED) < evidence.recovered:
        raise SafetyError(
            f"the signing state of {evidence.files.node} is being recovered, and {evidence.files.state} is not the one "
            "that keeps its key from signing",
            hint=f"goldnode key recover {evidence.files.node}",
        )
    if not evidence.recovering and evidence.state == MUTED:
        raise SafetyError(
            f"{evidence.files.state} keeps the key from ever signing, and no recovery is under way",
            hint=f"goldnode key recover {evidence.files.node}",
        )
    if evidence.state is None:
        if record.used or evidence.seen_height:
            raise SafetyError(
                f"the key {record.address} has signed ({record.state} here), but its signing state is gone "
                f"({evidence.files.state})",
                hint=f"goldnode key recover {evidence.files.node}",
            )
        return Verdict.COMPLETE
    if evidence.state < record.state:
        raise SafetyError(
            f"the signing state was rolled back: {evidence.files.state} says {evidence.state}, and the key signed up "
            f"to {record.state}",
            hint=f"restore the newer file, or: goldnode key recover {evidence.files.node}; do not start it elsewhere",
        )
    _check_seen(evidence, evidence.state)
    return Verdict.READY


def _check_seen(evidence: Evidence, state: SigningState) -> None:
    if evidence.rival:
        raise SafetyError(
            f"{evidence.rival} has the same consensus key {evidence.address}: together they would sign twice",
            hint="goldnode key export FILE there, or switch that machine off for good and wait two hours",
        )
    if state.height < evidence.seen_height:
        raise SafetyError(
            f"the signing state says height {state.height}, but {evidence.seen_by} signed with this key at "
            f"{evidence.seen_height}",
            hint="find where it signed last: goldnode key export there, import here",
        )
