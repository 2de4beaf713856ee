"""Machines of a fleet that never boot: QEMU runs, and its processor stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.cluster import store
from goldnode.errors import HostError, UsageError
from goldnode.files import write_atomic
from goldnode.fleet import status, up
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import CLUSTER, EXTERNAL, NETWORK, RENDEZVOUS, FleetSpec, vms
from goldnode.fleet.state import FleetState
from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run
from goldnode.vm import monitor
from tests.support.cable import cut
from tests.support.further_sentry import add_sentry
from tests.support.waiting import until

KEYS = {"validator-1": Key(bytes(32))}


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet whose image is an empty disk; its machines are made, and off."""
    # -S: the machine is there, and its processor waits for a word that never comes.
    monkeypatch.setattr(monitor, "ARGUMENTS", (*monitor.ARGUMENTS, "-S"))
    folder = tmp_path / "fleet"
    made = Fleet(folder, FleetState(FleetSpec(), {"validator-1": KEYS["validator-1"].address}, "tcg", "max"), ("peer",))
    made.namespace.make()
    up._bridge(made.namespace)
    run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "image.qcow2", "1M"])
    write_atomic(folder / "genesis.json", b"{}")
    store.create(folder / "clusters", CLUSTER, "localnet").meet_at([RENDEZVOUS])
    made.external_peers = tuple(f"{str(n) * 40}@{NETWORK}.{n}:26656" for n in range(1, EXTERNAL + 1))
    made.keep(replace(made.state, vms=vms(FleetSpec(memory=512))))
    for vm in made.state.vms:
        made.furnish(vm, KEYS)
    yield made
    up.down(folder)


def test_a_machine_is_switched_on_and_off(fleet: Fleet) -> None:
    """QEMU runs between the two, with the monitor listening; a machine that is off answers nothing."""
    fleet.power_on("sentry-1")
    assert until((fleet.at(fleet.state.vm("sentry-1")) / monitor.SOCKET).exists)
    cut(fleet, "sentry-1", off=True)
    cut(fleet, "sentry-1", off=False)
    fleet.reset("sentry-1")
    with pytest.raises(HostError, match="refuses set_link"):
        monitor.tell(fleet.at(fleet.state.vm("sentry-1")), "set_link", name="net7", up=True)
    fleet.power_off("sentry-1")

    assert {} == fleet.state.powered_on
    with pytest.raises(HostError, match="is off"):
        fleet.reset("sentry-1")


def test_only_a_validator_gets_a_volume(fleet: Fleet) -> None:
    """The hidden key goes to one machine; no user-data holds a key."""
    made = {vm.name: fleet.at(vm) for vm in fleet.state.vms}
    secret = KEYS["validator-1"].validator_document()["priv_key"]["value"]

    assert ["validator-1"] == [name for name, place in made.items() if (place / "keys.qcow2").exists()]
    assert [] == [name for name, place in made.items() if secret in (place / "user-data").read_text()]
    assert {0o600} == {(place / "user-data").stat().st_mode & 0o777 for place in made.values()}


def test_a_destroyed_sentry_gives_way_to_another(fleet: Fleet) -> None:
    """It is gone for good, cable and all; the next one has a name that was never used."""
    fleet.destroy("sentry-2")
    first = add_sentry(fleet)
    fleet.destroy(first.name)
    second = add_sentry(fleet)

    assert ["validator-1", "sentry-1", "sentry-4"] == [vm.name for vm in fleet.state.vms]
    assert ("sentry-3", "sentry-4") == (first.name, second.name)
    with pytest.raises(UsageError):
        fleet.power_on("sentry-2")


def test_whoever_ends_is_not_waited_for(fleet: Fleet) -> None:
    """Waiting stops when every machine that is not ready has ended or refuses."""
    write_atomic(fleet.at(fleet.state.vm("sentry-1")) / "console.log", b"goldnode: sentry-1: REFUSED: no\n")

    assert ("sentry-1", "sentry-2", "validator-1") == up.wait_ready(fleet, 60)
    assert ("refused", "no") == (fleet.seen()["sentry-1"].state, fleet.seen()["sentry-1"].reason)


def test_a_world_that_has_not_begun_is_not_off(fleet: Fleet) -> None:
    """While machines boot, the chain is waited for: nothing of it has failed."""
    rows = [row for row in status.rows(fleet) if row.role == status.EXTERNAL_ROLE]

    assert {("waiting", "begins when all machines are configured")} == {(row.state, row.reason) for row in rows}


def test_ready_is_measured_by_this_machines_clock(fleet: Fleet) -> None:
    """From switching on to the moment the console's word is seen, once."""
    fleet.power_on("sentry-1")
    console = fleet.at(fleet.state.vm("sentry-1")) / "console.log"
    node = "e" * 40
    write_atomic(console, f"goldnode: sentry sentry-1: configured, node id {node}\n"
                 f"goldnode: sentry sentry-1 ready 9.9 s after power-on, node id {node}, 1 peer\n")  # fmt: skip

    assert {"sentry-2", "validator-1"} == up.observe(fleet)
    first = fleet.state.ready
    assert {"sentry-1"} == set(first)
    up.observe(fleet)
    assert first == fleet.state.ready
