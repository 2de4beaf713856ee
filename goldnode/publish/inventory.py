"""What is on an image, as plain text by name, so that two images can be compared without having them.

One JSON document per release: packages, files, units, ports, users and the daemon.  Its ``files``
section is the canonical file-tree text cut at the first space, so the tree digest can be computed
from it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goldnode.errors import ImageError
from goldnode.image import digest
from goldnode.image.check import open_image
from goldnode.image.packages import installed
from goldnode.image.rule import Image
from goldnode.image.tree import FileKind, Tree

VERSION = 1
#: In the order in which a difference is shown.
SECTIONS = ("daemon", "packages", "units", "ports", "users", "files")
_UNITS = "/usr/lib/systemd/system/*.service", "/usr/lib/systemd/system/*.socket", "/usr/lib/systemd/system/*.timer"
_STARTED = "/etc/systemd/system/*.wants/*", "/etc/systemd/system/*.requires/*", "/usr/lib/systemd/system/*.wants/*"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is on an image: sections of names, each with one line of text about it.

    Attributes:
        name: Of the image, for people.
        sections: ``SECTIONS``, each a mapping of names to what is known about them.
    """

    name: str
    sections: Mapping[str, Mapping[str, str]]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"version": VERSION, "name": self.name, **{name: dict(self.sections[name]) for name in SECTIONS}}

    def tree_sha256(self) -> str:
        """The file-tree digest, computed from the ``files`` section."""
        lines = [digest.HEADER, *(f"{path} {about}" for path, about in self.sections["files"].items())]
        return hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()


def take(image: Image, daemon: Mapping[str, Any], name: str) -> Inventory:
    """Take the inventory of an open image.

    Args:
        image: The disk.
        daemon: What the manifest says about the daemon's origin.
        name: The image's name for people.
    """
    files = (line.partition(" ") for line in digest.canonical(image.root, image.esp).splitlines()[1:])
    return Inventory(
        name,
        {
            "daemon": {key: value if isinstance(value, str) else json.dumps(value) for key, value in daemon.items()},
            "packages": {each.name: f"{each.version} {each.architecture}" for each in installed(image.root).values()},
            "units": dict(sorted(_units(image.root))),
            "ports": dict(_ports(image.root)),
            "users": dict(_users(image.root)),
            "files": {path: about for path, _, about in files},
        },
    )


def daemons(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says about the daemon, and about its versions for future upgrades."""
    following = {
        f"next {entry['version']}": f"{entry['plan']} at height {entry['height']}, sha256 {entry['sha256']}"
        for entry in manifest.get("next_versions", ())
    }
    return dict(manifest.get("daemon", {})) | following


def of_image(path: Path) -> Inventory:
    """The inventory of an image, with or without a manifest beside it."""
    manifest = path.with_name(path.name.removesuffix(".qcow2") + ".manifest.json")
    daemon = daemons(json.loads(manifest.read_text())) if manifest.is_file() else {}
    with open_image(path) as image:
        return take(image, daemon, path.name)


def read(path: Path) -> Inventory:
    """Read the JSON form.

    Raises:
        ImageError: It is not an inventory.
    """
    try:
        document = json.loads(path.read_text())
        if document["version"] != VERSION:
            raise ImageError(f"{path}: inventory version {document['version']}, known is {VERSION}")
        return Inventory(document["name"], {name: dict(document[name]) for name in SECTIONS})
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise ImageError(f"{path} is not an inventory of an image") from broken


def _units(root: Tree) -> Iterator[tuple[str, str]]:
    """Every unit that Debian or goldnode installed, and whether it starts at boot."""
    started = {file.path.rpartition("/")[2] for file in root.match(*_STARTED)}
    masked = {
        file.path.rpartition("/")[2]
        for file in root.match("/etc/systemd/system/*")
        if file.kind is FileKind.LINK and file.target == "/dev/null"
    }
    for file in root.regular(*_UNITS):
        name = file.path.rpartition("/")[2]
        yield name, "masked" if name in masked else "starts at boot" if name in started else "installed"


def _ports(root: Tree) -> Iterator[tuple[str, str]]:
    """Every port that a role opens once it is turned on."""
    for file in root.match("/usr/lib/goldnode/roles/*/role.yaml"):
        role = yaml.safe_load(root.read(file.path))
        for port in role.get("ports") or []:
            yield f"{role['name']} {port['port']}/{port['protocol']}", f"open to {port['to']}"


def _users(root: Tree) -> Iterator[tuple[str, str]]:
    for line in root.lines("/etc/passwd"):
        name, _, uid, gid, _, home, shell = line.split(":")
        yield name, f"{uid}:{gid} {home} {shell}"
