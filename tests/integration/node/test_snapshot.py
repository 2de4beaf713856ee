"""Snapshots from a real HTTP server: whole and right, or refused with one sentence; keys are the same bytes after."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from goldnode.config.catch_up import Snapshot, SnapshotFormat
from goldnode.errors import ArtifactError, GoldnodeError, HostError, SafetyError
from goldnode.node import catch_up, snapshot
from goldnode.node.agent.restore import Restore
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.keys import keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.system.dry_run import DryRunSystem
from goldnode.node.system.system import System
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.support.node_lab import seed
from tests.support.release_host import ReleaseHost, serving
from tests.support.waiting import until

#: What a node's state looks like, as far as an archive is concerned.
STATE = {
    f"data/{base}/{n:06}.ldb": os.urandom(60_000) for base in ("application.db", "blockstore.db") for n in (1, 2, 3)
}
STATE |= {"data/state.db/CURRENT": b"MANIFEST-1", "wasm/wasm/state/1": b"contract"}
PACKERS = {
    SnapshotFormat.TAR_ZST: ["zstd", "-c"],
    SnapshotFormat.TAR_LZ4: ["lz4", "-c"],
    SnapshotFormat.TAR_GZ: ["gzip", "-c"],
}
PLENTY = 1 << 40
NOBODY = 65534


def packed(files: Mapping[str, bytes], extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return sink.getvalue()


def published(host: ReleaseHost, content: bytes, packing: SnapshotFormat = SnapshotFormat.TAR) -> Snapshot:
    """An archive on a host, with the right hash."""
    if packing in PACKERS:
        content = subprocess.run(PACKERS[packing], input=content, capture_output=True, check=True).stdout
    host.add(f"/latest.{packing}", content)
    return Snapshot(host.url(f"/latest.{packing}"), hashlib.sha256(content).hexdigest(), len(content), packing)


@pytest.fixture
def host() -> Iterator[ReleaseHost]:
    """A provider of snapshots."""
    with serving() as found:
        yield found


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    """A node without state, whose key has signed elsewhere."""
    found = Layout(tmp_path).node("n-1")
    keys.place(found, Key(seed("key")), SigningState(500, 0, 3), used=True)
    return found


def secrets(node: NodeLayout) -> dict[Path, bytes]:
    """What must be the same bytes whatever happens."""
    return {path: path.read_bytes() for path in (node.consensus_key, node.signing_state, node.key_record)}


def unpacked(what: Snapshot, target: Path) -> None:
    """Fetch and unpack."""
    snapshot.unpack(what, target, lambda *_: None, lambda _: PLENTY)


class OwningSystem(DryRunSystem):
    """A system on which every node's user is nobody."""

    def own(self, path: Path, user: str, group: str) -> bool:  # noqa: ARG002
        """Really."""
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        return True


def settled(node: NodeLayout, what: Snapshot, system: System | None = None) -> str:
    """Restore it as the agent does, until it is in place or has failed; why it failed."""
    restore, told, system = Restore(), [""], system or DryRunSystem()

    def look() -> bool:
        _, told[0] = restore.advance(node, what, catch_up.read(node), system)
        return bool(told[0]) or catch_up.read(node).phase is Phase.DONE

    catch_up.write(node, CatchUpState(Phase.SNAPSHOT))
    assert until(look, 60)
    return told[0]


@pytest.mark.parametrize("packing", list(SnapshotFormat))
def test_a_snapshot_lands_in_the_home(host: ReleaseHost, node: NodeLayout, packing: SnapshotFormat) -> None:
    """Every way of packing; databases are the archive's, key and signing state are as before."""
    before = secrets(node)

    assert "" == settled(node, published(host, packed(STATE), packing))
    assert STATE == {name: (node.home / name).read_bytes() for name in STATE}
    assert before == secrets(node)
    assert not (node.base / "snapshot.part").exists()


@pytest.mark.root
def test_the_daemon_may_use_all_that_came(host: ReleaseHost, node: NodeLayout) -> None:
    """Each file and folder of the home that the archive brought is the daemon's: its user has no other rights there."""
    assert "" == settled(node, published(host, packed(STATE)), OwningSystem())

    came = {node.home / each for name in STATE for each in (Path(name), *Path(name).parents)} - {node.home}
    assert [node.home / "data"] == [path for path in came if path.stat().st_uid != NOBODY]


def test_a_bare_archive_of_databases_is_understood(host: ReleaseHost, node: NodeLayout) -> None:
    """Some providers pack what is in data/, some with a dot in front; another node's votes are left out."""
    files = {f"./{name.removeprefix('data/')}": content for name, content in STATE.items() if name.startswith("data/")}

    assert "" == settled(node, published(host, packed(files | {"./cs.wal/wal": b"votes"})))
    assert b"MANIFEST-1" == (node.home / "data/state.db/CURRENT").read_bytes()
    assert not (node.home / "data/cs.wal").exists()


@pytest.mark.parametrize(
    "name",
    [
        "data/priv_validator_state.json",
        "config/priv_validator_key.json",
        "data/deeper/priv_validator_key.json",
        "config/node_key.json",
        "data/../config/node_key.json",
        "/etc/shadow",
        "keyring-file/me.info",
        "data/tls.pem",
        "config/app.toml",
        "home/data/application.db/1.ldb",
    ],
)
def test_what_looks_like_a_key_or_leads_elsewhere_is_refused(host: ReleaseHost, node: NodeLayout, name: str) -> None:
    """The whole archive, by the name that is wrong; nothing of it stays."""
    before = secrets(node)

    assert name in settled(node, published(host, packed(STATE | {name: b"{}"})))
    assert before == secrets(node)
    assert not catch_up.has_databases(node)
    assert not (node.base / "snapshot.part").exists()


def test_a_key_under_another_name_is_refused(host: ReleaseHost, tmp_path: Path) -> None:
    """Small texts are looked into."""
    with pytest.raises(SafetyError, match="holds a key in"):
        unpacked(published(host, packed({"data/notes.json": b'{"priv_key": {}}'})), tmp_path / "part")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_files_and_folders_come_out(host: ReleaseHost, tmp_path: Path, kind: bytes) -> None:
    """A link could lead a later member anywhere."""
    member = tarfile.TarInfo("data/state.db/link")
    member.type, member.linkname = kind, "/etc"
    with pytest.raises(SafetyError, match="neither a file nor a folder"):
        unpacked(published(host, packed(STATE, (member,))), tmp_path / "part")


@pytest.mark.parametrize("packing", list(SnapshotFormat))
def test_a_wrong_and_a_truncated_snapshot_are_refused(
    host: ReleaseHost, tmp_path: Path, packing: SnapshotFormat
) -> None:
    """Another archive under the same name, and the first half of the right one."""
    right, part = published(host, packed(STATE), packing), tmp_path / "part"
    served = host.files[f"/latest.{packing}"]
    whole = served.content
    wrong = published(host, packed(STATE | {"data/state.db/CURRENT": b"MANIFEST-2"}), packing)
    with pytest.raises(ArtifactError, match="is not what its hash says"):
        unpacked(Snapshot(wrong.url, right.sha256, None, packing), part)
    host.add(f"/latest.{packing}", whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=r"not a complete archive|not what its hash says"):
        unpacked(Snapshot(right.url, right.sha256, None, packing), part)
    with pytest.raises(ArtifactError, match="bytes, not"):
        unpacked(right, part)

    assert not part.exists()


def test_a_broken_connection_goes_on_where_it_was(host: ReleaseHost, tmp_path: Path) -> None:
    """Within the stream, so that nothing has to be kept twice; a host that cannot is said."""
    what = published(host, packed(STATE))
    served = host.files["/latest.tar"]
    served.cuts = [100_000]
    unpacked(what, tmp_path / "part")
    served.cuts, served.ranges = [100_000], False

    assert {"data", "wasm"} == {path.name for path in (tmp_path / "part").iterdir()}
    with pytest.raises(ArtifactError, match="cannot resume in the middle"):
        unpacked(what, tmp_path / "again")


@pytest.mark.root
def test_a_full_disk_is_one_sentence(host: ReleaseHost, tmp_path: Path) -> None:
    """A file system that is too small, by its own word and by what is looked at before; nothing stays on it."""
    small = tmp_path / "small"
    small.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", small])
    try:
        with pytest.raises(HostError, match=f"{small} has no room left"):
            unpacked(published(host, packed(STATE)), small / "part")
        with pytest.raises(HostError, match=f"{small} has 0 MiB free, but 1024 MiB are needed"):
            snapshot.unpack(published(host, packed(STATE)), small / "part", lambda *_: None)

        assert [] == list(small.iterdir())
    finally:
        run(["umount", small])


#: What the agent does, in a process that can be killed.
AGENT = """
import sys, time
from pathlib import Path
from goldnode.config.catch_up import Snapshot, SnapshotFormat
from goldnode.node import catch_up, snapshot
from goldnode.node.agent.restore import Restore
from goldnode.node.layout import Layout
from goldnode.node.system.dry_run import DryRunSystem
root, url, digest = sys.argv[1:]
node, restore = Layout(Path(root)).node("n-1"), Restore()
snapshot.SPARE = 0
while (record := catch_up.read(node)).phase is not catch_up.Phase.DONE:
    said, failed = restore.advance(node, Snapshot(url, digest, None, SnapshotFormat.TAR_ZST), record, DryRunSystem())
    if failed:
        sys.exit(failed)
    time.sleep(0.01)
"""


def test_a_kill_at_ten_random_moments_ends_at_the_same(host: ReleaseHost, node: NodeLayout, tmp_path: Path) -> None:
    """Killed again and again while it fetches, unpacks and moves in: the last run ends with the whole state."""
    before = secrets(node)
    dice = random.Random(10)  # noqa: S311 - when to kill, the same in each run
    what = published(host, packed(STATE), SnapshotFormat.TAR_ZST)
    argv = [sys.executable, "-c", AGENT, str(tmp_path), what.url, what.sha256]
    began = time.monotonic()
    subprocess.run(argv, cwd=REPOSITORY, check=True)
    length = time.monotonic() - began
    for _ in range(10):
        for name in ("application.db", "blockstore.db", "state.db"):
            run(["rm", "-rf", node.home / "data" / name, node.home / "wasm"])
        catch_up.write(node, CatchUpState(Phase.SNAPSHOT))
        process = subprocess.Popen(argv, cwd=REPOSITORY)
        time.sleep(dice.uniform(0.3, 1.0) * length)
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert before == secrets(node)
    subprocess.run(argv, cwd=REPOSITORY, check=True)

    assert STATE == {name: (node.home / name).read_bytes() for name in STATE}
    assert before == secrets(node)


def test_a_snapshot_replaces_nothing(host: ReleaseHost, node: NodeLayout, tmp_path: Path) -> None:
    """A home that has a database of that name keeps it."""
    (node.home / "data" / "state.db").mkdir(parents=True)
    unpacked(published(host, packed(STATE)), tmp_path / "part")
    with pytest.raises(GoldnodeError, match="a snapshot replaces nothing"):
        snapshot.install(tmp_path / "part", node)
