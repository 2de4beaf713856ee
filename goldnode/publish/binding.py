"""release.json: the one file that binds all others of a release by digest.

The chain that ``verify`` walks: the signature covers SHA256SUMS, which covers release.json and
everything else; release.json says what each file is, and the digest of the disk inside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from goldnode.errors import ImageError
from goldnode.files import sha256_file

VERSION = 1
RELEASE = "release.json"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
#: Files that are not listed in release.json, because they are made after it.
OUTER = (RELEASE, SUMS, SIGNATURE)
SCHEMA = Path(__file__).with_name("release.schema.json")


class FileRole(StrEnum):
    """The role of a file in a release, as in release.json, with the file's suffix."""

    RAW = "disk-raw-zst"
    QCOW2 = "disk-qcow2"
    GCP = "disk-gcp"
    MANIFEST = "manifest"
    INVENTORY = "inventory"
    SBOM = "sbom"
    TESTS = "tests"
    PROVENANCE = "provenance"

    @property
    def ending(self) -> str:
        """What follows the release's name in its file name."""
        return _ENDINGS[self]


_ENDINGS = {
    FileRole.RAW: ".raw.zst",
    FileRole.QCOW2: ".qcow2",
    FileRole.GCP: ".gcp.tar.gz",
    FileRole.MANIFEST: ".manifest.json",
    FileRole.INVENTORY: ".inventory.json",
    FileRole.SBOM: ".sbom.cdx.json",
    FileRole.TESTS: ".tests.xml",
    FileRole.PROVENANCE: ".provenance.json",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """One file of a release: its role, name, size in bytes and SHA-256."""

    role: FileRole
    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, role: FileRole, path: Path) -> Bound:
        """Measure a file."""
        return cls(role, path.name, path.stat().st_size, sha256_file(path))


@dataclass(frozen=True, slots=True)
class Release:
    """The content of release.json.

    Attributes:
        network: The network's name.
        version: The release's version.
        arch: Debian's name of the architecture.
        commit: git commit it was baked from.
        disk_size: Bytes of the raw disk.
        disk_sha256: SHA-256 of the raw disk.
        tree_sha256: File-tree digest.
        files: Every file except the outer ones.
    """

    network: str
    version: str
    arch: str
    commit: str
    disk_size: int
    disk_sha256: str
    tree_sha256: str
    files: tuple[Bound, ...]

    @property
    def name(self) -> str:
        """The prefix of all files, such as `localnet-1.2.0-amd64`."""
        return release_name(self.network, self.version, self.arch)

    def file(self, role: FileRole) -> Bound:
        """The file with this role; a valid release has one for each."""
        return next(each for each in self.files if each.role is role)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": VERSION,
            "network": self.network,
            "release": self.version,
            "arch": self.arch,
            "commit": self.commit,
            "disk": {"size": self.disk_size, "sha256": self.disk_sha256, "tree_sha256": self.tree_sha256},
            "files": [
                {"role": each.role.value, "name": each.name, "size": each.size, "sha256": each.sha256}
                for each in self.files
            ],
        }


def release_name(network: str, version: str, arch: str) -> str:
    """The name of a release and prefix of its files."""
    return f"{network}-{version}-{arch}"


def read(folder: Path) -> Release:
    """Read a release's release.json.

    Raises:
        ImageError: It is missing, or does not match the schema.
    """
    path = folder / RELEASE
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ImageError(
            f"{path} is missing: {folder} is not a release",
            hint="./invoke release --network NETWORK --version 1.0.0 --sign KEY",
        ) from error
    except ValueError as error:
        raise ImageError(f"{path} is not JSON") from error
    if wrong := list(_wrong(document)):
        raise ImageError(f"{path}: {'; '.join(wrong)}")
    files = tuple(
        Bound(FileRole(each["role"]), each["name"], each["size"], each["sha256"]) for each in document["files"]
    )
    disk = document["disk"]
    return Release(
        document["network"], document["release"], document["arch"], document["commit"],
        disk["size"], disk["sha256"], disk["tree_sha256"], files,
    )  # fmt: skip


def _wrong(document: Any) -> Iterator[str]:
    schema = json.loads(SCHEMA.read_text())
    faults = [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(document)]
    yield from faults
    if faults:
        return
    name = release_name(document["network"], document["release"], document["arch"])
    for role in FileRole:
        names = [each["name"] for each in document["files"] if each["role"] == role]
        if names != [name + role.ending]:
            yield f"the {role} file is {names or 'missing'}, not {name + role.ending}"
