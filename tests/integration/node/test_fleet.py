"""A hidden validator behind two sentries, on real daemons, a real mesh, a real firewall and a real rendezvous."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.ports import METRICS
from goldnode.run import run, stop_group
from tests.integration.node.fleet import WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import hidden_and_sentries, write_genesis
from tests.support.node_lab import Cluster, seed
from tests.support.waiting import until

pytestmark = pytest.mark.root
ADDRESS = Key(seed("hidden")).address
#: Seconds without the network, after which CometBFT's own redialling has long given up (issue 5: ten minutes).
CUT = 600


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The daemon and user-space WireGuard."""
    return programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def running(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Host, list[Host]]]:
    """A fleet that signs; for tests that only look."""
    with fleet(tmp_path_factory.mktemp("fleet"), tools) as made:
        yield (made, *hidden_and_sentries(made))


Running = tuple[Fleet, Host, list[Host]]


def test_the_hidden_validator_signs_through_its_sentries(running: Running) -> None:
    """The world outside finds the signature of a validator that it cannot reach."""
    made, validator, _ = running

    assert until(lambda: ADDRESS in made.signers(), 60), validator.console.read_text()
    assert until(lambda: validator.node()["state"] == "signing", 20)


def test_every_sentry_holds_the_validator_as_private(running: Running) -> None:
    """The validator's ID is private and unconditional in the file each sentry's daemon was started with."""
    _, validator, sentries = running
    own = validator.node()["node_id"]

    for sentry in sentries:
        config = sentry.tree.layout.node(sentry.name).home / "config" / "config.toml"
        p2p = tomllib.loads(config.read_text())["p2p"]
        assert (own, True) == (p2p["private_peer_ids"], own in p2p["unconditional_peer_ids"])
        assert [own] == sentry.node()["loaded"]


def test_nobody_outside_learns_the_validators_id(running: Running) -> None:
    """No address book, no list of peers and no peer exchange of the world names the validator."""
    made, validator, sentries = running
    own = validator.node()["node_id"]
    books = list(made.folder.glob("world-*/config/addrbook.json"))
    books += [sentry.tree.layout.node(sentry.name).home / "data" / "addrbook.json" for sentry in sentries]

    assert [] == [book for book in books if book.exists() and own in book.read_text()]
    assert own not in json.dumps(made.ask("net_info"))


def test_nothing_of_the_validator_answers_the_world(running: Running) -> None:
    """From outside, every port of the validator's machine is silent."""
    made, validator, _ = running
    ports = ",".join(map(str, (22, 8700, METRICS, 26617, 26656, 26657, 26659, 26660, 26690)))
    scan = (
        "import socket,sys\n"
        f"for port in ({ports}):\n"
        "    s = socket.socket(); s.settimeout(0.3)\n"
        f"    if s.connect_ex(('{validator.address}', port)) == 0: print(port)"
    )

    answer = run(["ip", "netns", "exec", made.world, "python3", "-c", scan], timeout=60)

    assert "" == answer.stdout


def test_a_used_and_a_foreign_invite_let_no_machine_in(tools: Path, tmp_path: Path) -> None:
    """A second machine on a used invite, and one of another cluster, get no tunnel; members are told of the first."""
    with fleet(tmp_path, tools) as made:
        write_genesis(made, {})
        invite = made.cluster.invite("sentry")
        validator, guest = made.add("val-1", "validator"), made.add("s-1", "sentry", invite)
        for host in (guest, validator):
            host.boot()
        assert until(lambda: validator.node().get("members") == 1, 60), validator.console.read_text()
        thief = made.add("s-2", "sentry", invite)
        foreigner = made.add("s-3", "sentry", Cluster("other").invite("sentry"))
        for host in (thief, foreigner):
            host.boot()

        said = "came with an invite that others have used up"
        assert until(lambda: said in validator.console.read_text(), 60), validator.console.read_text()
        assert until(lambda: bool(foreigner.node()), 60), foreigner.console.read_text()
        assert [1, 1, 0] == [host.node()["members"] for host in (validator, guest, foreigner)]


def test_a_sentry_that_lost_power_is_let_in_again(tools: Path, tmp_path: Path) -> None:
    """The world holds a connection that the sentry has forgotten, and hears so at once, not after a quarter of an hour.

    Until then CometBFT refuses the sentry's new connection as one from a peer that it has already.
    """
    with fleet(tmp_path, tools) as made:
        write_genesis(made, {})
        made.outside([])
        sentry = made.add("s-1", "sentry", peers=[who.peer for who in WORLD])
        sentry.boot()
        assert until(lambda: sentry.node().get("peers") == len(WORLD), 60), sentry.console.read_text()
        assert until(lambda: sentry.node()["height"] > 1, 60), sentry.console.read_text()

        sentry.lose_power()
        sentry.boot()

        assert until(lambda: sentry.node().get("peers") == 0, 60), sentry.console.read_text()
        assert until(lambda: sentry.node().get("peers") == len(WORLD), 60), sentry.console.read_text()


@pytest.mark.long
def test_a_cut_validator_comes_back_by_itself(tools: Path, tmp_path: Path) -> None:
    """With its cable out its signature vanishes; back after ten minutes it signs within one, not restarted."""
    with fleet(tmp_path, tools) as made:
        validator, _ = hidden_and_sentries(made)
        assert until(lambda: ADDRESS in made.signers(), 20)
        assert 1 == validator.starts()

        validator.cut(off=True)
        assert until(lambda: ADDRESS not in made.signers(), 30)
        time.sleep(CUT)
        validator.cut(off=False)

        assert until(lambda: ADDRESS in made.signers(), 60), validator.console.read_text()
        assert 1 == validator.starts()


def test_a_fleet_outlives_its_rendezvous_and_a_power_cut(tools: Path, tmp_path: Path) -> None:
    """A third sentry joins a running validator; then, with the rendezvous gone, all machines reboot and sign again."""
    with fleet(tmp_path, tools) as made:
        validator, sentries = hidden_and_sentries(made)
        third = made.add("s-3", "sentry")
        third.boot()
        assert until(lambda: third.node().get("loaded") and not third.node()["missing"], 90), third.console.read_text()
        assert until(lambda: validator.node()["members"] == 3, 20)
        assert made.rendezvous
        stop_group(made.rendezvous)

        for host in (validator, *sentries, third):
            host.halt()
        time.sleep(1)
        for host in (validator, *sentries, third):
            host.boot()

        assert until(lambda: ADDRESS not in made.signers(), 30)
        assert until(lambda: ADDRESS in made.signers(), 120), validator.console.read_text()
