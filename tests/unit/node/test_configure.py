"""From node.yaml to a configured tree, again and again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from goldnode.errors import InputError, SafetyError
from goldnode.node import configure, node_yaml
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.keys import archive, keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.node.plan.inputs import read_image
from goldnode.protocol.key_backup import KeyBackup
from tests.support.node_lab import Cluster, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine that has not been configured."""
    return Tree(tmp_path / "machine")


def _config(tree: Tree, name: str) -> dict[str, object]:
    return tomllib.loads((tree.layout.node(name).home / "config" / "config.toml").read_text())


def test_a_second_run_changes_no_byte_and_starts_nothing(tree: Tree) -> None:
    """Configuring twice is configuring once."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    before, started = tree.files(), list(tree.system.done)
    tree.system.done.clear()

    _, changes = tree.configure()

    assert (before, False) == (tree.files(), bool(changes))
    assert ["firewall goldnode.nft", "mesh gnmesh0"] == tree.system.done
    assert "start goldnode-agent.service" in started


def take_over(tree: Tree) -> ConfiguredMachine:
    """What the agent does first."""
    image = read_image(tree.layout)
    return configure.take_over(tree.layout, node_yaml.in_force(tree.layout, image), image, tree.system)


def test_the_agent_takes_over_what_was_configured(tree: Tree) -> None:
    """It does not apply once more what was applied a moment ago; when it starts again, it does."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    machine, _ = tree.configure()
    configure.hand_over(tree.layout, machine)
    tree.system.done.clear()

    taken, at_once = take_over(tree), list(tree.system.done)
    # Somebody configures by hand, and the agent starts again long after.
    configure.hand_over(tree.layout, tree.configure()[0])
    tree.system.done.clear()
    take_over(tree)

    assert [] == at_once
    assert {name: facts.node_id for name, facts in machine.facts.items()} == {"val-1": taken.facts["val-1"].node_id}
    assert ["firewall goldnode.nft", "mesh gnmesh0"] == tree.system.done


@pytest.mark.parametrize("left", ["", "0" * 64])
def test_whatever_else_the_agent_finds_is_configured(tree: Tree, left: str) -> None:
    """A machine that is not as planned, such as one whose daemon was fetched meanwhile, is brought to the plan."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    machine, _ = tree.configure()
    configure.hand_over(tree.layout, machine)
    tree.layout.configured.write_text(left)
    config = tree.layout.node("val-1").home / "config" / "config.toml"
    before = config.read_text()
    config.write_text("")

    take_over(tree)

    assert before == config.read_text()


def test_a_machine_that_was_never_configured_is_configured(tree: Tree) -> None:
    """An agent that a person starts alone configures first."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")

    assert "val-1" in take_over(tree).facts
    assert "start goldnode-agent.service" in tree.system.done


def test_a_validator_hides(tree: Tree) -> None:
    """No peer exchange, no public address, the mesh address only, and a look back before signing."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")

    machine, _ = tree.configure()

    p2p = _config(tree, "val-1")["p2p"]
    assert isinstance(p2p, dict)
    address = machine.facts["val-1"].mesh_address
    assert (False, f"tcp://[{address}]:26656", "") == (p2p["pex"], p2p["laddr"], p2p["external_address"])
    consensus = _config(tree, "val-1")["consensus"]
    assert isinstance(consensus, dict)
    assert 10 == consensus["double_sign_check_height"]


def test_the_genesis_is_where_every_daemon_looks(tree: Tree) -> None:
    """The SDK opens HOME/config/genesis.json whatever config.toml says; what lay there gives way to the image's."""
    link = tree.layout.node("s-1").home / "config" / "genesis.json"
    link.parent.mkdir(parents=True)
    link.write_text("of another image")
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")

    tree.configure()

    assert _config(tree, "s-1")["genesis_file"] == "config/genesis.json"
    assert link.readlink() == tree.layout.at("/etc/goldnode/genesis.json")
    assert [] == [path.name for path in link.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("role", ["sentry", "validator"])
def test_a_single_node_and_a_list_of_one_are_the_same(tmp_path: Path, role: str) -> None:
    """`role: multi-node` with one node makes the files, ports and units of the plain role, byte for byte."""
    single, multi = Tree(tmp_path / "machine"), Tree(tmp_path / "two" / "machine")
    invite = Cluster().invite(role)
    single.node_yaml(role, invite, "n-1")
    multi.node_yaml("multi-node", nodes=[{"name": "n-1", "role": role, "join": invite}])

    single.configure()
    multi.configure()

    aside = ("node.yaml", "applied.yaml", "identity.json", "membership.json")
    same = [
        {name: text.replace(str(tree.layout.root).encode(), b"") for name, text in tree.files().items()}
        for tree in (single, multi)
    ]
    first, second = ({n: t for n, t in files.items() if not n.endswith(aside)} for files in same)
    assert first == second
    assert single.system.done == multi.system.done


def test_an_invite_leaves_no_trace(tree: Tree) -> None:
    """After joining, no file of the machine holds the invite, and the next boot does without."""
    invite = Cluster().invite("sentry")
    tree.node_yaml("sentry", invite, "s-1")

    tree.configure()

    assert [] == [name for name, text in tree.files().items() if invite.encode() in text]
    machine, _ = tree.configure()
    assert list(machine.facts) == ["s-1"]


def test_changed_user_data_is_ignored_and_said(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """A node.yaml that changes on a machine that has its role changes nothing."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    tree.configure()
    tree.node_yaml("sentry", "gn1_joined", "s-1", addresses=["203.0.113.9"])

    machine, changes = tree.configure()

    assert (False, ()) == (bool(changes), machine.config.nodes[0].addresses)
    assert "the change is ignored" in capsys.readouterr().out


def test_a_copied_disk_stops_until_it_is_invited(tree: Tree) -> None:
    """A snapshot on another machine keeps its hands off the identity; a new invite gives it its own."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    original, _ = tree.configure()
    tree.write("/var/lib/cloud/data/instance-id", "i-2\n")

    stopped, _ = tree.configure()
    tree.node_yaml("sentry", Cluster(dice=tree.dice).invite("sentry"), "s-1")
    renewed, _ = tree.configure()

    assert isinstance(stopped.failures["s-1"], SafetyError)
    assert original.facts["s-1"].node_id != renewed.facts["s-1"].node_id
    aside = tree.layout.nodes / ".s-1.copy-of-another-machine" / "home" / "config" / "node_key.json"
    assert aside.exists()


def test_a_copied_validator_never_becomes_anything(tree: Tree) -> None:
    """Even with a new invite, a copy of a validator's disk stays stopped."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    tree.write("/var/lib/cloud/data/instance-id", "i-2\n")
    tree.node_yaml("validator", Cluster(dice=tree.dice).invite("validator"), "val-1")

    machine, _ = tree.configure()

    assert "copy of the validator" in str(machine.failures["val-1"])


def test_siblings_of_a_refused_node_go_on(tree: Tree) -> None:
    """A key without its signing state stops its node, and no other on the machine."""
    nodes = [
        {"name": "val-1", "role": "validator", "join": Cluster("a").invite("validator")},
        {"name": "val-2", "role": "validator", "join": Cluster("b").invite("validator")},
    ]
    tree.node_yaml("multi-node", nodes=nodes)
    tree.configure()
    node = tree.layout.node("val-1")
    keys.mark_used(node)
    node.signing_state.unlink()

    machine, _ = tree.configure()

    assert (["val-2"], ["val-1"]) == (list(machine.facts), list(machine.failures))
    assert "signing state is gone" in node.failure.read_text()


def test_two_nodes_with_one_consensus_key_are_both_refused(tree: Tree) -> None:
    """The same consensus key twice on a machine stops both nodes."""
    nodes = [
        {"name": f"val-{number}", "role": "validator", "join": Cluster(str(number)).invite("validator")}
        for number in (1, 2)
    ]
    tree.node_yaml("multi-node", nodes=nodes)
    tree.configure()
    first, second = tree.layout.node("val-1"), tree.layout.node("val-2")
    for path in ("consensus_key", "signing_state", "key_record"):
        getattr(second, path).write_bytes(getattr(first, path).read_bytes())

    machine, _ = tree.configure()

    assert ["val-1", "val-2"] == sorted(machine.failures)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"role": "seed"}, "this image has no such role"),
        ({"genesis": {"sha256": "0" * 64}}, "is not the sha256 of genesis.json"),
        ({"genesis": {}}, "is private"),
        ({"mesh": "vpncloud"}, "this image has no vpncloud"),
    ],
)
def test_what_the_image_cannot_do_is_refused(tree: Tree, more: dict[str, object], said: str) -> None:
    """A node.yaml that does not fit the image stops everything, and says what to write."""
    tree.node_yaml(**{"role": "sentry", "join": Cluster().invite("sentry"), "name": "s-1", **more})  # type: ignore[arg-type]

    with pytest.raises(InputError, match=said):
        tree.configure()

    assert [] == tree.system.done


def test_a_role_decides_what_node_yaml_may_not(tree: Tree) -> None:
    """Peer exchange cannot be turned on for a validator."""
    config = {"config.toml": {"p2p.pex": True}}
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", config=config)

    machine, _ = tree.configure()

    assert "p2p.pex is decided by the role validator" in str(machine.failures["val-1"])


def test_an_invite_for_another_role_is_refused(tree: Tree) -> None:
    """A sentry's invite makes no validator."""
    tree.node_yaml("validator", Cluster().invite("sentry"), "val-1")

    machine, _ = tree.configure()

    assert "the invite is for a sentry" in str(machine.failures["val-1"])


def test_a_rolled_back_state_stops_the_node(tree: Tree) -> None:
    """A signing state older than recorded keeps the validator from being planned."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    node = tree.layout.node("val-1")
    node.signing_state.write_text(json.dumps(to_document(SigningState(9, 0, 3))))
    keys.note_progress(node)
    node.signing_state.write_text(json.dumps(to_document(SigningState(8, 0, 3))))

    machine, _ = tree.configure()

    assert "rolled back" in str(machine.failures["val-1"])


def test_a_volume_may_bring_a_key_that_never_signed(tree: Tree) -> None:
    """A machine whose volume brings a key and its record, and nothing else of a node, binds it at its first boot."""
    archive.bring_unused(tree.layout.node("val-1"), Key(bytes(32)))
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")

    machine, _ = tree.configure()

    assert {} == machine.failures


FENCING = "etcd://10.0.0.1:2379/fleet"


@pytest.mark.parametrize(
    ("lease", "from_backup", "starts"),
    [
        (FENCING, True, True),
        (FENCING, False, False),
        ("file:///var/lib/leases", True, False),
        ("", True, False),
        ("", False, False),
    ],
)
def test_a_volume_may_bring_a_used_key_from_a_backup_that_a_lease_fences(
    tree: Tree, lease: str, *, from_backup: bool, starts: bool
) -> None:
    """What replaces a machine that is gone needs only the image, user-data and the backup; a copied key is refused."""
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "a program")
    node, key, state = tree.layout.node("val-1"), Key(bytes(32)), SigningState(9, 0, 3)
    if from_backup:
        document = to_document(state)
        archive.restore(node, KeyBackup("c", "val-1", key.address, FENCING, 0, key.validator_document(), document))
    else:
        archive.bring(node, key, state, used=True)
    more = {"lease": lease} if lease else {}
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", consensus_key="existing", **more)

    machine, _ = tree.configure()

    assert key == keys.read_key(node)
    if starts:
        assert {} == machine.failures
        assert not json.loads(node.lease_record.read_text())["new"]
    else:
        assert "does not say that this validator belongs to this machine" in str(machine.failures["val-1"])
