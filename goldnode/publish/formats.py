"""The disk in the formats that targets accept: raw.zst for EBS direct and `dd`, tar.gz for Google.

The qcow2 is the bake's own file.  The same disk always gives the same bytes here.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import IO

import zstandard

from goldnode.files import CHUNK, replacing
from goldnode.progress import Step
from goldnode.run import run

#: zstd's; 10 costs a sixth of the time of 19, and 360 MB instead of 320 (reference/baking.md, section 12).
LEVEL = 10
#: The name that Google's import requires for the only member of the archive.
GCP_MEMBER = "disk.raw"


def write_zst(raw: Path, target: Path, step: Step) -> None:
    """Compress a raw disk, with its size and a checksum in the frame."""
    size = raw.stat().st_size
    packer = zstandard.ZstdCompressor(level=LEVEL, threads=-1, write_checksum=True, write_content_size=True)
    with (
        replacing(target) as draft,
        raw.open("rb") as source,
        draft.open("wb") as sink,
        packer.stream_writer(sink, size=size, closefd=False) as stream,
    ):
        while chunk := source.read(4 * CHUNK):
            stream.write(chunk)
            step.update(source.tell(), size)


def write_gcp(raw: Path, target: Path) -> None:
    """Pack a raw disk as Google Compute Engine imports it: old GNU tar, sparse, gzip, one `disk.raw`."""
    with replacing(target) as draft:
        run([
            "tar", "--create", "--file", draft, "--format=oldgnu", "--sparse", "--use-compress-program=gzip -n -6",
            "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=0644",
            f"--transform=s,.*,{GCP_MEMBER},", "--directory", raw.parent, raw.name,
        ])  # fmt: skip


def zst_sha256(path: Path) -> str:
    """SHA-256 of the raw disk inside a `.raw.zst`.

    Raises:
        zstandard.ZstdError: It does not decompress.
    """
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        return _sha256(stream)


def gcp_sha256(path: Path) -> str:
    """SHA-256 of the raw disk inside Google's archive.

    Raises:
        tarfile.TarError: It is not such an archive.
    """
    with tarfile.open(path, "r:gz") as archive:
        member = archive.extractfile(GCP_MEMBER)
        if member is None:
            raise tarfile.TarError(f"{GCP_MEMBER} is not a regular file")
        with member:
            return _sha256(member)


def _sha256(stream: IO[bytes] | zstandard.ZstdDecompressionReader) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(4 * CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
