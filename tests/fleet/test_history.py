"""A chain whose first blocks nobody keeps, by one command: sentries by state sync, their validator from them alone."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.namespace import Namespace
from goldnode.fleet.plan import NETWORK, FleetSpec, VmSpec, vms
from goldnode.node.plan.ports import WIREGUARD
from tests.fleet.conftest import Login, signs
from tests.support.baking import invoke
from tests.support.waiting import until

#: wasmd is built, an image is baked, the chain makes its past, and three machines catch up.
pytestmark = [pytest.mark.long, pytest.mark.timeout(2700)]
VALIDATOR = "validator-1"
#: Prints where every packet goes that a machine sends, seen from outside of it: at the other end of its cable.
#: Neighbours are asked for by other means, and by link-local multicast.
LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
while True:
    data, (cable, kind, way, *_) = s.recvfrom(65535)
    if cable != sys.argv[1] or way == socket.PACKET_OUTGOING:
        continue
    if kind == 0x800:
        head = (data[0] & 15) * 4
        print(socket.inet_ntoa(data[16:20]) + ":" + str(int.from_bytes(data[head + 2:head + 4], "big")), flush=True)
    elif kind == 0x86DD and data[24:26] != bytes([0xFF, 2]):
        print(socket.inet_ntop(socket.AF_INET6, data[24:40]), flush=True)
"""


def listen(folder: Path, vm: VmSpec) -> None:
    """Begin to look at a machine's packets as soon as there is a place for it, long before it is switched on."""
    place = Namespace(folder)
    assert until(place.stands, 1200)
    place.start("packets", [sys.executable, "-c", LISTEN, vm.tap], cwd=folder, log=folder / "packets")


@pytest.fixture(scope="module")
def fleet(login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that signs, and the packets that its validator sent until then."""
    folder = tmp_path_factory.mktemp("fleet") / "past"
    listener = threading.Thread(target=listen, args=(folder, vms(FleetSpec())[0]), daemon=True)
    listener.start()
    words = ("--network", "localwasm", "--with-history", "--ssh-key", login.private.with_suffix(".pub"))
    try:
        said = invoke("fleet", "up", *words, "--open-validators", "--folder", folder, timeout=2400)
        assert said.code == 0, said.stdout + said.stderr
        made = Fleet.find(folder)
        assert until(lambda: signs(made), 180), made.console(VALIDATOR)[-3000:]
        signed = time.time() - made.state.powered_on[VALIDATOR]
        made.namespace.stop("packets")
        (folder / "figures").write_text(
            f"seconds from power-on to ready: {made.state.ready}; {VALIDATOR} signs after {signed:.0f};"
            f" the chain is at {made.external().height()}"
        )
        yield made
    finally:
        story.down(folder)
        listener.join(5)


def test_the_validator_sent_packets_to_its_sentries_and_the_rendezvous_only(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """From power-on to its first signature: it syncs over the mesh, and nobody outside learns its address."""
    sentries = {f"{vm.address}:{WIREGUARD}" for vm in fleet.state.vms if vm.role == "sentry"}
    sent = Counter((fleet.folder / "packets").read_text().split())
    with capsys.disabled():
        print(f"\n{(fleet.folder / 'figures').read_text()}; the validator's packets by destination: {dict(sent)}")

    assert sentries <= set(sent)
    assert {f"{NETWORK}.1:8700", *sentries} >= set(sent)


def test_everybody_came_by_a_state_sync_and_would_not_sync_again(fleet: Fleet, login: Login) -> None:
    """The chain's first blocks are nobody's; each daemon applied a snapshot, and its configuration is as before."""
    assert int(fleet.external().ask("status")["sync_info"]["earliest_block_height"]) > 1
    for vm in fleet.state.vms:
        home = f"/var/lib/goldnode/nodes/{vm.name}"
        # One login a machine: without KVM each costs the machine most of a minute.
        asked = f"journalctl -u goldnode-node@{vm.name} -o cat | grep -c 'Applied snapshot chunk'"
        asked += f"; sed -n '/^\\[statesync\\]/,/^\\[/p' {home}/home/config/config.toml; cat {home}/catch-up.json"
        chunks, _, rest = login.ask(fleet, vm, asked).partition("\n")

        assert int(chunks) > 0
        assert "enable = false" in rest
        assert '"phase": "done"' in rest


def test_the_validator_goes_on_signing(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own machine says so, on its console, as without KVM a login costs it some blocks; and the chain's commits."""
    chain, address = fleet.external(), fleet.state.validators[VALIDATOR]
    assert until(lambda: fleet.seen()[VALIDATOR].state == "signing", 300), fleet.console(VALIDATOR)[-3000:]
    first = chain.height()
    assert until(lambda: chain.height() > first + 20, 300)

    signed = [each for each in range(first, first + 20) if address in chain.signers(each + 1)]
    with capsys.disabled():
        print(f"\nsigned {len(signed)} of the 20 blocks from {first}")
    assert len(signed) > 10
