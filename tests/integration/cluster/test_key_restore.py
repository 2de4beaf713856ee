"""A validator's key, backed up while it signs and brought to a new machine, by the commands that people type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from goldnode.errors import InputError
from goldnode.node.keys import keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState
from goldnode.tasks import cluster as tasks
from tests.integration.cluster.desk import Desk
from tests.integration.rendezvous.support import serving
from tests.support.node_lab import Cluster, Person, Tree, seed

KEY = Key(seed("hidden"))
SECRET = KEY.validator_document()["priv_key"]["value"]
STORE = "etcd://10.0.0.4:2379/goldnode"
STATE = {"height": "5000", "round": 1, "step": 3}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """An operator with a cluster."""
    monkeypatch.setenv("GOLDNODE_CLUSTERS", str(tmp_path / "clusters"))
    with serving(tmp_path / "rendezvous" / "db") as url:
        desk = Desk(capsys, tasks.ns)
        desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
        yield desk


def machine(folder: Path, capsys: pytest.CaptureFixture[str], instance: str, **more: object) -> Person:
    """At a validator that waits for its key."""
    tree = Tree(folder, instance=instance)
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", consensus_key="existing", **more)
    return configured(tree, capsys)


def configured(tree: Tree, capsys: pytest.CaptureFixture[str]) -> Person:
    """After its first boot."""
    person = Person(tree, capsys)
    person.types("configure")
    return person


def backed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk, store: str = STORE) -> tuple[int, str]:
    """Type what backs a key up that has signed; its exit code and what it said."""
    person = machine(tmp_path / "old", capsys, "i-1", **({"lease": store} if store else {}))
    (tmp_path / "key.json").write_text(json.dumps(KEY.validator_document()))
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    assert 0 == person.types("key", "import", tmp_path / "key.json", "--state", tmp_path / "state.json")[0]
    operator = desk.type("cluster.backup-key demo").strip()
    return person.types("key", "backup", tmp_path / "val-1.sealed", "--to", operator)


def test_a_key_is_restored_on_a_new_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk) -> None:
    """Backed up, drilled, restored: the new machine's own node.yaml has the lease, and takes the key by one command."""
    code, said = backed_up(tmp_path, capsys, desk)
    sealed, folder = tmp_path / "val-1.sealed", tmp_path / "restored"
    drill = desk.type(f"cluster.restore-drill demo {sealed}")
    genesis = tmp_path / "old/etc/goldnode/genesis.json"

    told = desk.type(f"cluster.restore-node demo {sealed} --out {folder} --genesis {genesis}")

    files = {each["path"]: each for each in yaml.safe_load((folder / "user-data").read_text())["write_files"]}
    tree = Tree(tmp_path / "new", instance="i-2")
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    tree.write("/etc/goldnode/node.yaml", files["/etc/goldnode/node.yaml"]["content"])
    brought, _ = configured(tree, capsys).types("key", "import", folder / "key.archive")
    node = tree.layout.node("val-1")
    assert (0, 0) == (code, brought), (said, told)
    assert SECRET.encode() not in sealed.read_bytes()
    assert KEY.address in drill
    assert STORE in drill
    assert SECRET not in (folder / "user-data").read_text()
    assert {0o600} == {(folder / name).stat().st_mode & 0o777 for name in ("user-data", "key.archive")}
    assert (KEY, SigningState(5000, 1, 3)) == (keys.read_key(node), keys.read_state(node))
    assert node.signer == node.consensus_key.parent
    assert f"goldnode takeover {node.name}" in told


@pytest.mark.parametrize("other", ["", "etcd://10.0.0.4:2379/another", "s3://goldnode/goldnode"])
def test_a_restored_key_never_goes_without_its_lease(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk, other: str
) -> None:
    """A machine with no lease or another refuses it and says which one knows what the key signed; it has no key."""
    backed_up(tmp_path, capsys, desk)
    desk.type(f"cluster.restore-node demo {tmp_path / 'val-1.sealed'} --out {tmp_path / 'restored'} "
              f"--genesis {tmp_path / 'old/etc/goldnode/genesis.json'}")  # fmt: skip
    person = machine(tmp_path / "new", capsys, "i-2", **({"lease": other} if other else {}))

    code, said = person.types("key", "import", tmp_path / "restored/key.archive")

    assert 8 == code
    assert f"write lease: {STORE} into node.yaml" in said
    assert keys.read_key(person.tree.layout.node("val-1")) is None


@pytest.mark.parametrize("store", ["", "file:///var/lib/goldnode/leases"])
def test_a_key_without_a_fence_is_not_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk, store: str
) -> None:
    """Where no store would keep a copy from signing too, there is no backup, and the refusal says what to do."""
    code, said = backed_up(tmp_path, capsys, desk, store)

    assert 8 == code
    assert "write lease:" in said
    assert not (tmp_path / "val-1.sealed").exists()


@pytest.mark.parametrize("at", [0, 30, 60, -1])
def test_a_damaged_backup_is_said_by_the_drill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk, at: int
) -> None:
    """One byte is another: in what names it, in the key it was sealed with, in what is sealed."""
    backed_up(tmp_path, capsys, desk)
    sealed = tmp_path / "val-1.sealed"
    data = bytearray(sealed.read_bytes())
    data[at] ^= 1
    sealed.write_bytes(data)

    with pytest.raises(InputError, match=r"val-1\.sealed"):
        desk.type(f"cluster.restore-drill demo {sealed}")


def test_another_operator_cannot_open_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], desk: Desk) -> None:
    """A backup opens for the cluster it was sealed to, and for no other."""
    backed_up(tmp_path, capsys, desk)
    desk.type("cluster.new other --network localnet")

    with pytest.raises(InputError, match="sealed to another cluster"):
        desk.type(f"cluster.restore-drill other {tmp_path / 'val-1.sealed'}")
