"""A tree that leaves the image as a tar is the same tree."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from goldnode.image.check import open_image
from goldnode.image.tree import FileKind
from goldnode.run import run
from tests.image.seeding import Bed
from tests.support.export import write_tar


def test_every_file_is_in_the_archive_as_it_is_on_the_disk(clean_disk: Path, tmp_path: Path) -> None:
    """Names, kinds, owners, modes, targets, devices, attributes and content."""
    disk = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    bed = Bed(disk)
    bed.write("/opt/large", bytes(range(256)) * 20_000, 0o4711)
    bed.debugfs(
        "cd /opt", "mknod null c 1 3", "mknod pipe p", "ea_set /opt/large user.note kept", "sif large uid 70000"
    )
    stream = io.BytesIO()
    with open_image(disk) as image:
        write_tar(image.root, stream)
        expected = {
            (f.path, f.kind is FileKind.FOLDER, f.mode, f.uid, f.gid, f.size, f.target, f.device) for f in image.root
        }
        content = image.root.read("/opt/large")
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        members = archive.getmembers()
        large = archive.getmember("./opt/large")
        read = archive.extractfile(large)
        assert read is not None

        assert content == read.read()
        assert "kept" == large.pax_headers["SCHILY.xattr.user.note"]
        assert expected == {
            (
                m.name[1:] or "/", m.isdir(), m.mode, m.uid, m.gid, m.size, m.linkname,
                f"{m.devmajor}:{m.devminor}" if m.ischr() else "",
            )
            for m in members
        }  # fmt: skip
