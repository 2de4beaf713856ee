"""When a validator's key may be used: key, signing state and our own record, judged together.

``decide`` is pure and knows every case; ``keys`` reads the evidence and acts on the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from goldnode.config.node_entry import ConsensusKey
from goldnode.errors import SafetyError
from goldnode.node.keys.signing_state import UNUSED, SigningState


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What this machine knows of its consensus key, apart from the key.

    Attributes:
        address: Whose record this is.
        used: The key was allowed to sign, here or elsewhere.
        height: With round and step: the latest signature known.
        round: See height.
        step: See height.
        exported: The key left this machine; it may not sign here until it is imported again.
    """

    address: str
    used: bool = False
    height: int = 0
    round: int = 0
    step: int = 0
    exported: bool = False

    @property
    def state(self) -> SigningState:
        """The latest signature known."""
        return SigningState(self.height, self.round, self.step)

    def reached(self, state: SigningState) -> KeyRecord:
        """This record, after the key is known to have signed up to ``state``; never less than before."""
        latest = max(self.state, state)
        return replace(
            self, used=self.used or latest > UNUSED, height=latest.height, round=latest.round, step=latest.step
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known about a validator's key before its daemon starts.

    Attributes:
        wanted: What node.yaml says.
        address: The key file's address; None without a file.
        state: The state file's content; None without a file.
        record: Our record; None when this node never had a key.
        seen_height: The greatest height that any member of the cluster recorded for this key; 0 if none.
        handing_over: The node is on its way to another machine.
    """

    wanted: ConsensusKey
    address: str | None
    state: SigningState | None
    record: KeyRecord | None
    seen_height: int = 0
    handing_over: bool = False


class Verdict(StrEnum):
    """What may be done now."""

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
    """What may be done with the key of a node.

    Raises:
        SafetyError: Anything is missing, older than known, or contradicts the rest.
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
            f"the consensus key {evidence.record.address} is gone; it signed up to {evidence.record.state}",
            hint="goldnode key import ARCHIVE",
        )
    if evidence.state and evidence.state > UNUSED:
        raise SafetyError(
            f"there is a signing state ({evidence.state}) but no consensus key", hint="goldnode key import ARCHIVE"
        )
    return Verdict.GENERATE if evidence.wanted is ConsensusKey.GENERATE else Verdict.WAIT


def _unknown_key(evidence: Evidence) -> Verdict:
    if evidence.wanted is ConsensusKey.GENERATE:
        raise SafetyError(
            f"a consensus key ({evidence.address}) is here that this node did not make",
            hint="write consensus_key: existing, if it is meant to be used",
        )
    if evidence.state is None:
        raise SafetyError(
            f"the consensus key {evidence.address} came without its signing state",
            hint="goldnode key import ARCHIVE, or goldnode key import --never-used KEY for a new key",
        )
    if evidence.state == UNUSED:
        raise SafetyError(
            f"the key {evidence.address} came with a state that says it never signed; nothing confirms that",
            hint="goldnode key import --never-used KEY, if it is true",
        )
    _check_seen(evidence, evidence.state)
    return Verdict.ADOPT


def _known_key(evidence: Evidence, record: KeyRecord) -> Verdict:
    if record.address != evidence.address:
        raise SafetyError(
            f"the consensus key is {evidence.address}, but this node's is {record.address}",
            hint="put the right key back; nothing was changed",
        )
    if evidence.state is None:
        if record.used or evidence.seen_height:
            raise SafetyError(
                f"the key {record.address} has signed ({record.state} here), but its signing state is gone",
                hint="goldnode key import ARCHIVE",
            )
        return Verdict.COMPLETE
    if evidence.state < record.state:
        raise SafetyError(
            f"the signing state was rolled back: it says {evidence.state}, and the key signed up to {record.state}",
            hint="restore the newer data folder, or wait for help; do not start it elsewhere",
        )
    _check_seen(evidence, evidence.state)
    return Verdict.READY


def _check_seen(evidence: Evidence, state: SigningState) -> None:
    if state.height < evidence.seen_height:
        raise SafetyError(
            f"the signing state says height {state.height}, but a member of the cluster saw this key at "
            f"{evidence.seen_height}",
            hint="find where it signed last: goldnode key export there, import here",
        )
