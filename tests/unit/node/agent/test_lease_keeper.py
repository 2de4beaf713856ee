"""When a lease is taken from a machine that has gone silent: N blocks without a word, and past what it was granted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

import pytest

from goldnode.files import write_json
from goldnode.node.agent.lease_keeper import SILENCE, LeaseKeeper, LeaseReport, last_report
from goldnode.node.agent.rpc import Status
from goldnode.node.keys.signer_control import SignerControl, SignerStatus
from goldnode.node.keys.signer_home import LeaseRecord
from goldnode.node.keys.signing_state import SigningState
from goldnode.node.keys.stores.store import FileStore
from goldnode.node.layout import Layout
from tests.support.agent_lab import Daemon

ADDRESS, N = "A" * 40, 10


@dataclass(frozen=True, slots=True)
class Signer(SignerControl):
    """A signer's process that does as it is told."""

    path: Path = Path("/nowhere")
    name: str = ""
    grants: list[tuple[int, int]] = field(default_factory=list)

    def status(self) -> SignerStatus:
        """Its status."""
        lo, hi = self.grants[-1] if self.grants else (0, 0)
        return SignerStatus(self.name, ADDRESS, SigningState(5), lo, hi, stopped=False)

    def grant(self, session: str, lo: int, hi: int) -> SignerStatus:
        """Allow it to sign these heights."""
        assert session == self.name
        self.grants.append((lo, hi))
        return self.status()


def keeper(folder: Path, name: str) -> LeaseKeeper:
    """A machine's keeper; all have one store."""
    number = count()
    return LeaseKeeper(
        node=Layout(folder / name).node("val-1"),
        url="file:///leases",
        store=FileStore(folder / "store", ADDRESS),
        signer=Signer(name=name),
        rpc=Daemon(),
        ahead=N,
        automatic=True,
        known=LeaseRecord(name),
        nonce=lambda: f"{name}-{next(number)}",
        clock=lambda: 0.0,
    )


def at(of: LeaseKeeper, height: int, *, catching_up: bool = False) -> str:
    """Let a keeper act while its daemon is at this height; the state of its lease."""
    assert isinstance(of.rpc, Daemon)
    of.rpc.status_ = Status("a" * 40, height, 0.0, catching_up, ADDRESS, 10)
    return of.reconcile().state


@pytest.mark.parametrize("catching_up", [True, False])
def test_blocks_of_the_past_are_no_silence(tmp_path: Path, *, catching_up: bool) -> None:
    """A machine rushes through a hundred blocks, new or after a pause: a machine that lives keeps its lease."""
    (tmp_path / "store").mkdir()
    old, new = keeper(tmp_path, "old"), keeper(tmp_path, "new")
    assert "held" == [at(old, height) for height in range(80, 100)][-1]
    hi = old.reconcile().hi

    assert {"waiting"} == {at(new, height, catching_up=catching_up) for height in range(1, 100, 7)}
    assert {"waiting"} == {at(new, height) for height in range(99, hi + 1)}
    assert "held" == at(old, hi)
    assert {"waiting"} == {at(new, height) for height in range(hi, hi + N)}
    assert "waiting" != at(new, hi + N + 1)


@pytest.mark.parametrize(
    ("age", "paused", "state"),
    [(SILENCE - 1, True, "held"), (SILENCE + 1, True, "unknown"), (SILENCE + 1, False, "held")],
    ids=["it has just been stopped", "it is stopped", "its store does not answer"],
)
def test_the_last_report_of_a_stopped_keeper_says_nothing_of_now(
    tmp_path: Path, age: float, paused: bool, state: str
) -> None:
    """A machine with its old memory back is stopped, and another has its lease: it does not say that it holds it."""
    node, now = Layout(tmp_path).node("val-1"), 1_000.0
    report = LeaseReport("held", 74, 86, "etcd://e/g", fences=True, renewed=now - age, reason="")
    write_json(node.lease_status, {**asdict(report), "time": now - age}, 0o644)

    assert state == last_report(node, now, paused=paused).state
