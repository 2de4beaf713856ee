"""Handover, copies, volumes and secrets left behind."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from goldnode.config.choices import ConsensusKey
from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node import scrub, switch
from goldnode.node.keys import handover, identity, keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.key_rules import Verdict, decide
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.system import volume
from goldnode.node.system.dry_run import DryRunSystem
from goldnode.node.system.volume import Found, VolumeAction
from tests.support.node_lab import Cluster, Tree, seed


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    """A validator that signed up to 7 on machine a."""
    made = Layout(tmp_path).node("val-1")
    identity.ensure(made, "a", lambda: seed("node"))
    keys.place(made, Key(seed("consensus")), SigningState(7, 0, 3), used=True)
    return made


def test_a_copy_is_refused(node: NodeLayout) -> None:
    """Without a handover, another machine does not get the identity."""
    with pytest.raises(SafetyError, match="belongs to another machine"):
        identity.ensure(node, "b", lambda: seed("other"))


def test_exactly_one_machine_takes_a_handover(node: NodeLayout) -> None:
    """The first machine gets the node and the hold is lifted; the next, and the old one, do not."""
    node.hold.write_text("")
    handover.offer(node, "a")

    taken = identity.ensure(node, "b", lambda: seed("other"))

    assert (Key(seed("node")), "b", False) == (taken.key, taken.binding, node.hold.exists())
    for machine in ("a", "c"):
        with pytest.raises(SafetyError):
            identity.ensure(node, machine, lambda: seed("other"))


def test_a_leased_node_releases_its_lease_when_it_is_handed_over(node: NodeLayout) -> None:
    """First nothing signs any more, then the lease is given back, and only then may the volume move."""
    node.signer.mkdir(parents=True)
    system = DryRunSystem()

    token = switch.hand_over(node, system, "a")

    assert [f"stop {unit}" for unit in (node.unit, node.lease_unit, node.signer_unit)] == system.done
    assert (True, token) == (node.hold.exists(), handover.read(node))


def test_a_running_node_is_not_handed_over(node: NodeLayout) -> None:
    """Only what is held may leave."""
    with pytest.raises(SafetyError, match="may still run"):
        handover.offer(node, "a")


def test_a_handover_can_be_taken_back_where_it_was_made(node: NodeLayout) -> None:
    """Cancelled on the old machine; not elsewhere, not twice."""
    node.hold.write_text("")
    handover.offer(node, "a")

    with pytest.raises(SafetyError, match="another machine"):
        handover.cancel(node, "b")
    with pytest.raises(SafetyError, match="already"):
        handover.offer(node, "a")
    handover.cancel(node, "a")

    assert not node.handover.exists()
    with pytest.raises(SafetyError):
        handover.cancel(node, "a")


def test_a_snapshot_of_a_handover_is_refused(node: NodeLayout) -> None:
    """A state other than the one handed over shows that this is not the volume itself."""
    node.hold.write_text("")
    handover.offer(node, "a")
    node.signing_state.write_text('{"height": "6", "round": 0, "step": 3}')

    with pytest.raises(SafetyError, match="was handed over at 7/0/3"):
        identity.ensure(node, "b", lambda: seed("other"))


def test_a_copy_of_a_handed_over_volume_is_not_told_apart(node: NodeLayout, tmp_path: Path) -> None:
    """What docs say is not prevented: a copy made while the token is on the volume carries a token of its own."""
    node.hold.write_text("")
    handover.offer(node, "a")
    copy = Layout(tmp_path / "copy").node("val-1")
    shutil.copytree(node.base, copy.base)

    taken = [identity.ensure(each, machine, lambda: seed("other")) for each, machine in ((node, "b"), (copy, "c"))]

    assert ["b", "c"] == [each.binding for each in taken]


def test_a_whole_disk_of_before_is_not_told_apart(node: NodeLayout, tmp_path: Path) -> None:
    """What docs say is not prevented: key, signing state and our record, all of before, agree on their machine."""
    before = tmp_path / "before"
    shutil.copytree(node.base, before)
    write_json(node.signing_state, to_document(SigningState(9, 0, 3)))
    keys.note_progress(node)
    shutil.rmtree(node.base)
    before.rename(node.base)

    identity.ensure(node, "a", lambda: seed("other"))
    verdict = decide(keys.gather(node, ConsensusKey.EXISTING))

    assert (Verdict.READY, SigningState(7, 0, 3)) == (verdict, keys.read_state(node))


@pytest.mark.parametrize("what", ["handover", "identity"])
def test_what_cannot_be_read_is_refused(node: NodeLayout, what: str) -> None:
    """A damaged mark or binding stops, and is not taken for absent."""
    getattr(node, what).write_text("{")

    with pytest.raises(SafetyError, match="cannot be used"):
        identity.ensure(node, "b", lambda: seed("other"))


def test_a_lost_node_key_is_not_replaced(node: NodeLayout) -> None:
    """A binding without its key means that the key is gone: no new one is made."""
    node.node_key.unlink()

    with pytest.raises(SafetyError, match="is gone"):
        identity.ensure(node, "a", lambda: seed("other"))


def test_a_power_cut_between_key_and_binding_heals(tmp_path: Path) -> None:
    """A node key without its binding is bound, not replaced."""
    node = Layout(tmp_path).node("s-1")
    identity.ensure(node, "a", lambda: seed("node"))
    node.identity.unlink()

    assert Key(seed("node")) == identity.ensure(node, "a", lambda: seed("other")).key


def test_copies_are_set_aside_whole(tmp_path: Path) -> None:
    """Each copied identity keeps a folder of its own; nothing is deleted."""
    node = Layout(tmp_path).node("s-1")
    for name in ("one", "two"):
        identity.ensure(node, "a", lambda name=name: seed(name))  # type: ignore[misc]
        identity.set_aside(node)

    assert 2 == len(list(node.base.parent.glob(".s-1.copy-of-another-machine*/home/config/node_key.json")))


BLANK = Found("/dev/vdb", device="/dev/vdb", blank=True, size=volume.SMALLEST)
OURS = Found("/dev/vdb", device="/dev/vdb", filesystem="ext4", uuid="u-1", label=volume.LABEL)


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (Found("root"), VolumeAction.NOTHING),
        (BLANK, VolumeAction.FORMAT),
        (OURS, VolumeAction.MOUNT),
        (replace(OURS, recorded="u-1"), VolumeAction.MOUNT),
        (replace(OURS, mounted="u-1"), VolumeAction.NOTHING),
        (replace(OURS, label="mine", data="LABEL=mine"), VolumeAction.MOUNT),
    ],
)
def test_a_volume_is_used(found: Found, step: VolumeAction) -> None:
    """Blank is formatted, ours is mounted, one named on purpose too."""
    assert step is volume.decide(found)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found("root", recorded="u-1"), "data: root"),
        (replace(OURS, recorded="u-2"), "another volume"),
        (replace(BLANK, recorded="u-2"), "without a file system"),
        (replace(OURS, mounted="u-9"), "something else is mounted"),
        (replace(BLANK, nodes_on_root=True), "on its root disk"),
        (replace(OURS, label="photos"), "did not make"),
    ],
)
def test_a_doubtful_volume_is_refused(found: Found, said: str) -> None:
    """Never a fallback to the root disk, never another's file system, never a second format."""
    with pytest.raises(SafetyError, match=said):
        volume.decide(found)


def test_a_missing_volume_is_waited_for_and_said() -> None:
    """A machine without its volume says so, and starts nothing."""
    with pytest.raises(HostError, match="is not attached"):
        volume.decide(Found("/dev/vdb"))


@dataclass
class Disks:
    """One device that remembers what was done to it."""

    found: Found
    done: list[str] = field(default_factory=list)

    def find(self, data: str, recorded: str) -> Found:
        """What is on it now."""
        return replace(self.found, data=data, recorded=recorded)

    def format(self, device: str) -> None:
        """From now on it is ours."""
        self.done.append(f"format {device}")
        self.found = OURS

    def mount(self, found: Found, folder: Path) -> None:
        """From now on it is mounted."""
        self.done.append(f"mount {found.device} {folder.name}")
        self.found = replace(self.found, mounted=self.found.uuid)


def test_a_blank_volume_is_formatted_once(tmp_path: Path) -> None:
    """Formatted and mounted the first time, nothing the second, recorded for ever."""
    layout, disks = Layout(tmp_path), Disks(BLANK)

    volume.ensure(layout, "/dev/vdb", disks)
    volume.ensure(layout, "/dev/vdb", disks)

    assert ["format /dev/vdb", "mount /dev/vdb nodes"] == disks.done
    with pytest.raises(SafetyError):
        volume.ensure(layout, "root", disks)


def test_root_needs_no_disks(tmp_path: Path) -> None:
    """`data: root` looks at no device."""
    disks = Disks(BLANK)

    volume.ensure(Layout(tmp_path), "root", disks)

    assert [] == disks.done


def test_cloud_init_is_scrubbed_when_it_is_done(tmp_path: Path) -> None:
    """User-data is left alone while cloud-init still reads it, and gone afterwards."""
    tree = Tree(tmp_path / "machine")
    invite = Cluster().invite("sentry")
    kept = [
        tree.write(f"{folder}/{name}", invite)
        for folder in ("/var/lib/cloud/instances/i-1", "/run/cloud-init")
        for name in ("user-data.txt", "obj.pkl", "cloud-config.txt")
    ]

    assert [] == scrub.scrub_cloud_init(tree.layout)
    tree.write(scrub.FINISHED, "{}")
    assert sorted(kept) == sorted(scrub.scrub_cloud_init(tree.layout))


def test_scrubbing_keeps_the_form() -> None:
    """Comments and everything else stay; only the invite becomes a word."""
    text = "# mine\njoin: gn1_abc234 # secret\nname: gn1\n"

    assert "# mine\njoin: gn1_joined # secret\nname: gn1\n" == scrub.without_invites(text)
    assert scrub.without_invites(text) == scrub.without_invites(scrub.without_invites(text))
