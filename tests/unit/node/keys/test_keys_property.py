"""Random lives of a validator's key: nothing that can happen loses it or makes it sign twice."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from goldnode.config.choices import ConsensusKey
from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node.keys import archive, cometbft_keys, handover, identity, keys, signing_state
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.key_rules import KeyRecord, Verdict
from goldnode.node.keys.signing_state import UNUSED, SigningState
from goldnode.node.layout import Layout, NodeLayout

SEEDS = st.binary(min_size=32, max_size=32)


class KeyLife(RuleBasedStateMachine):
    """What people, crashes and the daemon do to a key, in any order.

    ``signed`` is the truth that no file holds: the last signature of each key in the world.
    """

    def __init__(self) -> None:
        super().__init__()
        # Every write is synced; on a disk that others use, that would be all this test does.
        memory = Path("/dev/shm")  # noqa: S108
        self.folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.node: NodeLayout = Layout(Path(self.folder.name)).node("val-1")
        self.signed: dict[str, SigningState] = {}
        self.ever: set[str] = set()
        self.archives: list[dict[str, object]] = []
        self.moved_away: list[bytes] = []
        self.abroad = False
        self.seen: dict[str, int] = {}
        self.binding = "machine-a"

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.folder.cleanup()

    @initialize(seed=SEEDS)
    def _is_born(self, seed: bytes) -> None:
        identity.ensure(self.node, self.binding, lambda: seed)

    @rule(seed=SEEDS, wanted=st.sampled_from([ConsensusKey.GENERATE] * 4 + list(ConsensusKey)), signs=st.integers(1, 3))
    def boots_and_signs(self, seed: bytes, wanted: ConsensusKey, signs: int) -> None:
        """The machine starts, and the daemon signs a few heights if it may."""
        with contextlib.suppress(SafetyError):
            verdict = keys.settle(
                self.node, keys.gather(self.node, wanted, lambda key, _: Judgement(self.seen.get(key, 0))), lambda: seed
            )
            if verdict in (Verdict.WAIT, Verdict.REMOTE) or self.node.hold.exists():
                return
            keys.mark_used(self.node)
            key, state = keys.read_key(self.node), keys.read_state(self.node)
            assert key is not None
            assert state is not None
            for _ in range(signs):
                state = SigningState(state.height + 1, 0, 3)
                assert state > self.signed.get(key.address, UNUSED), "signed the same height twice"
                self.signed[key.address] = state
                write_json(self.node.signing_state, signing_state.to_document(state), 0o600)
            keys.note_progress(self.node)

    @precondition(lambda self: bool(self.signed) and not self.node.hold.exists())
    @rule()
    def holds(self) -> None:
        """`goldnode stop --hold`."""
        self.node.hold.write_text("")

    @precondition(lambda self: self.node.hold.exists())
    @rule()
    def releases(self) -> None:
        """`goldnode start`."""
        self.node.hold.unlink(missing_ok=True)

    @precondition(lambda self: self.node.hold.exists())
    @rule()
    def exports(self) -> None:
        """`goldnode key export`."""
        with contextlib.suppress(SafetyError):
            self.archives.append(archive.export(self.node, "chain"))
            self.abroad = True

    @precondition(lambda self: self.abroad)
    @rule()
    def signs_elsewhere(self) -> None:
        """Another machine imported the archive and signed; the cluster saw it."""
        newest = self.archives[-1]
        address = cometbft_keys.from_document(newest["key"]).address
        state = SigningState(signing_state.from_document(newest["state"]).height + 1, 0, 3)
        assert state > self.signed.get(address, UNUSED), "signed the same height twice"
        self.signed[address], self.seen[address] = state, state.height
        self.archives.append({**newest, "state": signing_state.to_document(state), "used": True})

    @precondition(lambda self: bool(self.archives))
    @rule(which=st.integers(0, 9))
    def imports(self, which: int) -> None:
        """`goldnode key import`, of any archive ever made."""
        document = self.archives[which % len(self.archives)]
        key = cometbft_keys.from_document(document["key"])
        state = signing_state.from_document(document["state"])
        with contextlib.suppress(SafetyError):
            seen = self.seen.get(key.address, 0)
            archive.bring(self.node, key, state, used=bool(document["used"]), seen_height=seen)
            self.abroad = False

    @rule(seed=SEEDS)
    def imports_a_new_key(self, seed: bytes) -> None:
        """`goldnode key import --never-used`."""
        with contextlib.suppress(SafetyError):
            archive.bring_unused(self.node, Key(seed), seen_height=self.seen.get(Key(seed).address, 0))

    @precondition(lambda self: bool(self.signed))
    @rule()
    def loses_its_state(self) -> None:
        """A deleted file."""
        self.node.signing_state.unlink(missing_ok=True)

    @precondition(lambda self: bool(self.signed))
    @rule(height=st.integers(1, 3))
    def gets_an_old_state(self, height: int) -> None:
        """A restored snapshot of the data folder."""
        state = keys.read_state(self.node)
        if state is not None and height < state.height:
            write_json(self.node.signing_state, signing_state.to_document(SigningState(height)), 0o600)

    @precondition(lambda self: self.node.consensus_key.exists() and bool(self.archives) and not self.moved_away)
    @rule()
    def has_its_key_moved_away(self) -> None:
        """By a person, who may do that; the program may not."""
        self.moved_away.append(self.node.consensus_key.read_bytes())
        self.ever.discard(Key(cometbft_keys.parse(self.moved_away[-1].decode(), "key").seed).address)
        self.node.consensus_key.unlink()

    @precondition(lambda self: self.node.hold.exists())
    @rule(binding=st.sampled_from(["machine-a", "machine-b"]))
    def is_handed_over(self, binding: str) -> None:
        """`goldnode handover`, and the next machine's boot."""
        with contextlib.suppress(SafetyError):
            handover.offer(self.node, self.binding)
        with contextlib.suppress(SafetyError):
            identity.ensure(self.node, binding, lambda: b"\0" * 32)
            self.binding = binding

    @invariant()
    def no_key_vanishes_and_no_used_key_starts_over(self) -> None:
        """What must hold after every step."""
        here = keys.read_key(self.node)
        if here is not None:
            self.ever.add(here.address)
        assert self.ever == ({here.address} if here else set()), "a key vanished or was replaced"
        state = keys.read_state(self.node)
        if here and state == UNUSED:
            assert self.signed.get(here.address, UNUSED) == UNUSED, "height 0 beside a used key"


KeyLife.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestKeyLife = KeyLife.TestCase


def test_a_record_never_goes_back() -> None:
    """However often a state is reported, the record keeps the latest."""
    record = KeyRecord("A").reached(SigningState(5, 1, 2)).reached(SigningState(4, 9, 3))

    assert KeyRecord("A", used=True, height=5, round=1, step=2) == record
