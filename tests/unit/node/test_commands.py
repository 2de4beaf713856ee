"""``goldnode`` on a tree, as a person types it."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from goldnode.errors import HostError
from goldnode.node.keys import keys
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.node.system.dry_run import DryRunSystem
from tests.support.node_lab import Cluster, Person, Tree


@pytest.fixture
def person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    """At a machine without a role."""
    return Person(Tree(tmp_path / "machine"), capsys)


@pytest.fixture
def validator(person: Person) -> Person:
    """At a configured validator that signed up to 7."""
    person.tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    person.types("configure")
    node = person.tree.layout.node("val-1")
    keys.mark_used(node)
    node.signing_state.write_text(json.dumps(to_document(SigningState(7, 0, 3))))
    keys.note_progress(node)
    return person


def test_no_role_is_no_fault(person: Person) -> None:
    """Without node.yaml the console says how to give the machine a role, and the unit does not fail."""
    code, said = person.types("configure")

    assert 0 == code
    assert "this machine has no role" in said
    example = yaml.safe_load("\n".join(line.removeprefix("goldnode: ") for line in said.splitlines()[3:]))
    assert "/etc/goldnode/node.yaml" == example["write_files"][0]["path"]


def test_configuring_tells_the_node_id(person: Person) -> None:
    """The boot's own words: role, name, node ID, seconds."""
    person.tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")

    code, said = person.types("configure")

    assert 0 == code
    assert "goldnode: sentry s-1: configured, node id " in said
    assert person.tree.layout.configured.read_text()  # the agent waits for it


@pytest.mark.parametrize(("more", "warned"), [({}, True), ({"consensus_key": "existing"}, False)])
def test_a_key_made_on_the_root_disk_is_warned_of_at_boot(
    person: Person, more: dict[str, object], warned: bool
) -> None:
    """The console says that the key is gone with the machine; not so of a key that comes from elsewhere."""
    person.tree.node_yaml("validator", Cluster().invite("validator"), "val-1", **more)

    _, said = person.types("configure")

    assert warned == ("goldnode: warning: val-1: its consensus key was made on this machine's root disk" in said)


def test_faults_have_the_exit_code_of_their_class(person: Person) -> None:
    """A wrong node.yaml is exit 3, with every fault and a command to type."""
    person.tree.write("/etc/goldnode/node.yaml", "version: 1\nrole: sentry\n")

    code, said = person.types("configure")

    assert 3 == code
    assert "name: missing" in said
    assert "rendezvous: missing" in said
    assert "try: goldnode check" in said


def test_a_refused_node_fails_the_unit(validator: Person) -> None:
    """A signing state that is gone fails configure with the class of safety."""
    validator.tree.layout.node("val-1").signing_state.unlink()

    code, said = validator.types("configure")

    assert 8 == code
    assert "val-1: REFUSED" in said


def test_check_reads_any_file(person: Person, tmp_path: Path) -> None:
    """A right file is told back, a missing one is named."""
    file = tmp_path / "node.yaml"
    file.write_text("version: 1\nrole: rendezvous\n")

    assert (0, "rendezvous: rendezvous, mesh wireguard, data on root\n") == person.types("check", file)
    assert 4 == person.types("check", tmp_path / "none")[0]


def test_a_validator_cannot_become_a_sentry(validator: Person, tmp_path: Path) -> None:
    """Where a consensus key exists, `apply` refuses another role and another name."""
    file = tmp_path / "node.yaml"
    for role, name in (("sentry", "val-1"), ("validator", "val-2")):
        text = validator.tree.layout.node_yaml.read_text()
        file.write_text(text.replace("role: validator", f"role: {role}").replace("name: val-1", f"name: {name}"))

        code, said = validator.types("apply", file)

        assert 8 == code
        assert "has a consensus key" in said


def test_apply_puts_a_change_in_force(validator: Person, tmp_path: Path) -> None:
    """What user-data may not change, `apply` does."""
    file = tmp_path / "node.yaml"
    file.write_text(validator.tree.layout.node_yaml.read_text() + "min_sentries: 3\n")

    assert 0 == validator.types("apply", file)[0]

    machine, _ = validator.tree.configure()
    assert 3 == machine.config.nodes[0].min_sentries


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("config: {config.toml: {p2p.pex: true}}\n", "p2p.pex is decided by the role validator"),
        ("config: {config.toml: {priv_validator_key_file: data/other.json}}\n", "priv_validator_key_file is decided"),
        ("mesh: vpncloud\n", "this image has no vpncloud"),
        ("min_sentries: many\n", "min_sentries"),
    ],
)
def test_a_failed_apply_changes_nothing(validator: Person, tmp_path: Path, more: str, said: str) -> None:
    """What cannot be put in force leaves every byte as it was, and the next boot as good as the last."""
    file, before = tmp_path / "node.yaml", validator.tree.files()
    file.write_text(validator.tree.layout.node_yaml.read_text() + more)

    code, answer = validator.types("apply", file)

    assert (3, before) == (code, validator.tree.files())
    assert said in answer
    assert ["val-1"] == list(validator.tree.configure()[0].facts)


def test_a_node_that_may_not_run_keeps_the_others_as_they_are(validator: Person, tmp_path: Path) -> None:
    """`apply` with an invite for another role is refused as a whole; what is in force, and who runs, stays."""
    layout, file = validator.tree.layout, tmp_path / "node.yaml"
    before = (layout.node_yaml.read_bytes(), layout.applied.read_bytes(), layout.blocks.read_bytes())
    nodes = [{"name": "val-1", "role": "validator"},
             {"name": "s-1", "role": "sentry", "join": Cluster().invite("validator")}]  # fmt: skip
    document = {**yaml.safe_load(layout.node_yaml.read_text()), "role": "multi-node", "nodes": nodes}
    file.write_text(yaml.safe_dump({key: document[key] for key in document if key not in ("join", "name")}))
    validator.tree.system.done.clear()

    code, said = validator.types("apply", file)

    assert (3, True) == (code, "s-1: the invite is for a validator" in said)
    assert before == (layout.node_yaml.read_bytes(), layout.applied.read_bytes(), layout.blocks.read_bytes())
    assert [] == validator.tree.system.done


def test_an_apply_that_breaks_off_goes_back(validator: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the machine refuses half-way, here its firewall, what was in force is put back."""
    file, layout = tmp_path / "node.yaml", validator.tree.layout
    before = layout.applied.read_bytes()
    file.write_text(layout.node_yaml.read_text() + "min_sentries: 3\nconfig: {config.toml: {log_level: debug}}\n")
    tries = []

    def refuse_once(_: DryRunSystem, ruleset: Path) -> None:
        tries.append(ruleset)
        if len(tries) == 1:
            raise HostError("nft says no")

    monkeypatch.setattr(DryRunSystem, "load_firewall", refuse_once)

    code, said = validator.types("apply", file)

    assert (4, 2, before) == (code, len(tries), layout.applied.read_bytes())
    assert "nft says no; the previous one is in force" in said
    assert "debug" not in (layout.node("val-1").home / "config" / "config.toml").read_text()


def test_people_set_prices_peers_and_the_metrics_address(validator: Person, tmp_path: Path) -> None:
    """What a role only proposes, node.yaml may set: limits on peers, Prometheus' address, the double-sign check."""
    file, layout = tmp_path / "node.yaml", validator.tree.layout
    settings = {"p2p.max_num_inbound_peers": 7, "instrumentation.prometheus_listen_addr": "0.0.0.0:26660",
                "consensus.double_sign_check_height": 0}  # fmt: skip
    document = {**yaml.safe_load(layout.node_yaml.read_text()), "config": {"config.toml": settings}}
    file.write_text(yaml.safe_dump(document))

    code, said = validator.types("apply", file)

    assert 0 == code, said

    found = tomllib.loads((layout.node("val-1").home / "config" / "config.toml").read_text())
    assert (7, "0.0.0.0:26660", 0) == (
        found["p2p"]["max_num_inbound_peers"],
        found["instrumentation"]["prometheus_listen_addr"],
        found["consensus"]["double_sign_check_height"],
    )


def test_keys_are_shown_without_secrets(validator: Person) -> None:
    """`key show` tells address and state, never the key."""
    code, said = validator.types("key", "show")

    assert 0 == code
    assert "signing state      7/0/3" in said
    assert "priv" not in said


def test_a_key_leaves_and_comes_back(validator: Person, tmp_path: Path) -> None:
    """Stop, export, import: the way of a key through one machine, each step refused out of order."""
    file = tmp_path / "key.json"
    assert (8, False) == (validator.types("key", "export", file)[0], file.exists())
    assert 0 == validator.types("stop", "--hold")[0]
    assert 0 == validator.types("key", "export", file)[0]
    assert 0o600 == file.stat().st_mode & 0o777
    assert 2 == validator.types("key", "export", file)[0]
    assert 8 == validator.types("configure")[0]

    assert 0 == validator.types("key", "import", file, "val-1")[0]
    assert 0 == validator.types("start")[0]
    assert 0 == validator.types("configure")[0]


def test_a_refused_node_takes_commands(validator: Person, tmp_path: Path) -> None:
    """A node that lost its key is refused at boot, and `key import` is what brings it back."""
    node, file = validator.tree.layout.node("val-1"), tmp_path / "key.json"
    validator.types("stop", "--hold")
    validator.types("key", "export", file)
    node.consensus_key.rename(tmp_path / "lost")
    node.launch.unlink()
    assert 8 == validator.types("configure")[0]

    assert 0 == validator.types("key", "import", file)[0]
    assert 0 == validator.types("configure")[0]


def test_a_lost_key_is_not_replaced_by_a_vow(validator: Person, tmp_path: Path) -> None:
    """`--never-used` is not believed where the key is known to have signed."""
    node = validator.tree.layout.node("val-1")
    file = tmp_path / "priv_validator_key.json"
    file.write_text(node.consensus_key.read_text())

    code, said = validator.types("key", "import", "--never-used", file)

    assert 8 == code
    assert "has signed" in said


def test_a_handover_stops_the_node_until_it_is_taken_back(validator: Person) -> None:
    """Handed over, the node is neither started nor configured; cancelled, it is."""
    assert 0 == validator.types("handover")[0]
    assert 8 == validator.types("start")[0]
    assert 8 == validator.types("configure")[0]

    assert 0 == validator.types("handover", "--cancel")[0]
    assert 0 == validator.types("start")[0]
    assert 0 == validator.types("configure")[0]


def test_a_pause_ends_with_a_boot(validator: Person) -> None:
    """`stop` lasts until the next boot, `stop --hold` over it."""
    validator.types("stop")
    node = validator.tree.layout.node("val-1")

    assert (True, False) == (node.paused.exists(), node.hold.exists())
    assert 4 == validator.types("restart")[0]


def test_names_are_needed_where_there_are_many(person: Person) -> None:
    """With two nodes a command wants a name, and says which there are."""
    nodes = [{"name": f"s-{n}", "role": "sentry", "join": Cluster(str(n)).invite("sentry")} for n in (1, 2)]
    person.tree.node_yaml("multi-node", nodes=nodes)
    person.types("configure")

    code, said = person.types("restart")

    assert 2 == code
    assert "s-1, s-2" in said
    assert 0 == person.types("restart", "s-2")[0]


def test_status_is_a_table_or_json(person: Person) -> None:
    """What the agent wrote is shown; an agent that no longer looks is said."""
    assert 4 == person.types("status")[0]
    node = {"name": "s-1", "role": "sentry", "state": "following", "height": 5, "peers": 2, "node_id": "a" * 40,
            "reason": "", "healthy": True, "missing": []}  # fmt: skip
    document = {"version": 1, "time": time.time(), "nodes": [node], "alarms": []}
    person.tree.write("/run/goldnode/status.json", json.dumps(document))
    assert person.types("status")[1].splitlines()[1].split()[:5] == ["s-1", "sentry", "following", "5", "2"]
    assert document == json.loads(person.types("status", "--json")[1])
    person.tree.write("/run/goldnode/status.json", json.dumps({**document, "alarms": ["clone"]}))
    assert (1, "alarm: clone") == (person.types("status")[0], person.types("status")[1].splitlines()[-1])
    person.tree.write("/run/goldnode/status.json", json.dumps({**document, "time": 0}))
    assert 4 == person.types("status")[0]


def test_debug_shows_the_traceback(person: Person) -> None:
    """`--debug` raises what would otherwise be one sentence."""
    with pytest.raises(Exception, match="keeps no nodes"):
        person.types("--debug", "status")


def test_a_wrong_command_is_a_usage_error(person: Person) -> None:
    """Exit 2 and the usage, no traceback."""
    with pytest.raises(SystemExit) as caught:
        person.types("sttus")

    assert 2 == caught.value.code


@pytest.mark.parametrize("line", [("lease", "form", "nobody"), ("peers", "nobody")])
def test_a_node_that_is_not_there_is_named(validator: Person, line: tuple[str, ...]) -> None:
    """Whoever types a name that no node has gets those that there are."""
    code, said = validator.types(*line)

    assert 2 == code
    assert "name one of this machine's nodes: val-1" in said
