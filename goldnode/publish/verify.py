"""Checks a release, or an image with its manifest, offline and before the first boot.

The links of the chain are checked from the outside in, and all faults are reported at once: the
signature over SHA256SUMS, the sums of every file, release.json against the files, then what the
files say about each other (one disk in three forms, one tree, one commit, no failed test).
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from goldnode.bake import manifest as manifests
from goldnode.errors import ImageError, UsageError
from goldnode.files import sha256_file
from goldnode.publish import binding, formats, inventory, junit, signature, strict
from goldnode.publish.binding import OUTER, RELEASE, SIGNATURE, SUMS, FileRole, Release


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification that succeeded.

    Attributes:
        name: The release's or image's name.
        signer: Name of a trusted signer, or a key's fingerprint; empty for a bare image.
        trusted: Whether the caller said whom to trust.
        links: The links that were checked, one sentence each.
    """

    name: str
    signer: str
    trusted: bool
    links: tuple[str, ...]


def verify(path: Path, signers: Path | None) -> Verified:
    """Check a release folder, or a qcow2 with its manifest beside it.

    Args:
        path: The folder or the image.
        signers: Whom to trust, in OpenSSH's ``allowed_signers`` format; None accepts any key.

    Raises:
        ImageError: Something does not match; the message names every file and link.
        UsageError: There is nothing at ``path``.
    """
    if path.is_dir():
        return _verify_release(path, signers)
    if path.is_file():
        return _verify_image(path)
    raise UsageError(f"there is no release or image at {path}", hint="ls out out/release")


def _verify_release(folder: Path, signers: Path | None) -> Verified:
    """Check in two rounds: only files with the right bytes are worth reading."""
    faults, signer = _outer_faults(folder, signers)
    if not faults:
        release = binding.read(folder)
        faults = list(_file_faults(folder, release)) or _contents(folder, release)
    _raise(folder, faults)
    return Verified(
        folder.name,
        signer,
        signers is not None,
        (
            f"{SIGNATURE} is a signature of {SUMS}",
            f"{SUMS} names every file, and every file has its digest",
            f"{RELEASE} names every file, and its disk is the one in the raw.zst, the qcow2 and the tar.gz",
            "manifest, inventory, SBOM, test report and provenance are about this disk, and no test failed",
        ),
    )


def _verify_image(image: Path) -> Verified:
    manifest = manifests.beside(image)
    if not manifest.is_file():
        raise ImageError(f"{image} has no manifest beside it ({manifest.name})", hint="./invoke bake")
    held = json.loads(manifest.read_text())["image"]
    faults = [
        f"{image.name}: its {what} is {found}, not {held[key]} as in {manifest.name}"
        for what, key, found in (("size", "size", image.stat().st_size), ("SHA-256", "sha256", sha256_file(image)))
        if found != held[key]
    ]
    _raise(image, faults)
    return Verified(image.name, "", False, (f"{image.name} is the image that {manifest.name} describes",))


def _raise(path: Path, faults: list[str]) -> None:
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ImageError(f"{path} is not what it claims to be:\n{lines}", hint="do not boot it; download it again")


def _outer_faults(folder: Path, signers: Path | None) -> tuple[list[str], str]:
    """Check the signature and SHA256SUMS against the folder; returns the faults and who signed."""
    faults = [f"{name} is missing" for name in OUTER if not (folder / name).is_file()]
    if faults:
        return faults, ""
    signer = ""
    try:
        signer = signature.check(folder / SUMS, folder / SIGNATURE, signers)
    except ImageError as broken:
        faults.append(broken.message)
    return faults + list(_sum_faults(folder)), signer


def _sum_faults(folder: Path) -> Iterator[str]:
    sums: dict[str, str] = {}
    for line in (folder / SUMS).read_text(errors="surrogateescape").splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or "/" in name or len(digest) != 64:  # noqa: PLR2004 - hex of 32 bytes
            yield f"{SUMS} is damaged at the line {line!r}"
        sums[name] = digest
    held = {path.name for path in folder.iterdir()} - {SUMS, SIGNATURE}
    yield from (f"{name} is missing" for name in sorted(sums.keys() - held))
    yield from (f"{name} does not belong to this release" for name in sorted(held - sums.keys()))
    for name in sorted(sums.keys() & held):
        if sha256_file(folder / name) != sums[name]:
            yield f"{name} has another content than {SUMS} says"


def _file_faults(folder: Path, release: Release) -> Iterator[str]:
    """Check release.json against the folder."""
    if release.name != folder.name:
        yield f"{RELEASE} is that of {release.name}, in a folder called {folder.name}"
    listed = {each.name for each in release.files} | set(OUTER)
    for path in sorted(folder.iterdir()):
        if path.name not in listed:
            yield f"{path.name} is not named by {RELEASE}"
    for each in release.files:
        if not (folder / each.name).is_file():
            yield f"{each.name} is missing"
        elif (folder / each.name).stat().st_size != each.size or sha256_file(folder / each.name) != each.sha256:
            yield f"{each.name} is not the file that {RELEASE} binds"


def _contents(folder: Path, release: Release) -> list[str]:
    """Faults in the contents, which may be nonsense even if they are signed."""
    try:
        return list(_content_faults(folder, release))
    except (KeyError, IndexError, TypeError, AttributeError) as broken:
        return [f"one of the documents is not what it must be: {broken!r}"]


def _content_faults(folder: Path, release: Release) -> Iterator[str]:
    """Check what the files say about each other."""

    def path(role: FileRole) -> Path:
        return folder / release.file(role).name

    yield from _disk_faults(release, path)
    manifest = _json(path(FileRole.MANIFEST))
    image = manifest["image"]
    yield from _compare(
        path(FileRole.MANIFEST).name,
        ("network", manifest["network"], release.network),
        ("architecture", manifest["arch"], release.arch),
        ("commit", manifest["source"]["commit"], release.commit),
        ("disk", image["raw_sha256"], release.disk_sha256),
        ("disk size", image["raw_size"], release.disk_size),
        ("file-tree digest", image["tree_sha256"], release.tree_sha256),
        ("qcow2", image["sha256"], release.file(FileRole.QCOW2).sha256),
    )
    yield from (f"{path(FileRole.MANIFEST).name}: {reason}" for reason in strict.reasons(manifest))
    held = inventory.read(path(FileRole.INVENTORY))
    yield from _compare(path(FileRole.INVENTORY).name, ("file-tree digest", held.tree_sha256(), release.tree_sha256))
    yield from _sbom_faults(_json(path(FileRole.SBOM)), held, path(FileRole.SBOM).name, release)
    yield from (f"{path(FileRole.TESTS).name}: {name} failed" for name in junit.failures(path(FileRole.TESTS)))
    story = _json(path(FileRole.PROVENANCE))
    subjects = {each["name"]: each["digest"]["sha256"] for each in story["subject"]}
    bound = {each.name: each.sha256 for each in release.files if each.role is not FileRole.PROVENANCE}
    yield from _compare(path(FileRole.PROVENANCE).name, ("list of subjects", subjects, bound))


def _disk_faults(release: Release, path: Callable[[FileRole], Path]) -> Iterator[str]:
    for role, unpack in ((FileRole.RAW, formats.zst_sha256), (FileRole.GCP, formats.gcp_sha256)):
        try:
            found = unpack(path(role))
        except (OSError, EOFError, KeyError, tarfile.TarError, zstandard.ZstdError) as broken:
            yield f"{path(role).name} cannot be unpacked: {broken}"
        else:
            yield from _compare(path(role).name, ("disk", found, release.disk_sha256))


def _sbom_faults(bill: Any, held: inventory.Inventory, name: str, release: Release) -> Iterator[str]:
    """Check that the SBOM lists exactly the packages of the inventory, and is bound to the same tree."""
    properties = bill["metadata"]["component"]["properties"]
    yield from _compare(name, ("file-tree digest", properties[0]["value"], release.tree_sha256))
    listed = {
        f"{each['name']} {each['version']}"
        for each in bill["components"]
        if each.get("purl", "").startswith("pkg:deb/")
    }
    packages = {f"{package} {about.split(' ')[0]}" for package, about in held.sections["packages"].items()}
    yield from (f"{name} lacks the package {each}" for each in sorted(packages - listed))
    yield from (f"{name} lists {each}, which is not on the image" for each in sorted(listed - packages))


def _compare(name: str, *pairs: tuple[str, Any, Any]) -> Iterator[str]:
    return (f"{name}: its {what} is not that of the release" for what, found, due in pairs if found != due)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as broken:
        raise ImageError(f"{path} is not JSON") from broken
