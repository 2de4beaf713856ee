"""A release folder: one image in every form, with everything that lets a stranger check it before the first boot.

    out/release/localnet-1.2.0-amd64/
        localnet-1.2.0-amd64.raw.zst  .qcow2  .gcp.tar.gz         the same disk, three times
        ….manifest.json  .inventory.json  .sbom.cdx.json          what is in it, and from where
        ….tests.xml  .provenance.json                             which tests it passed, and how it was made
        release.json  SHA256SUMS  SHA256SUMS.sig                  what binds it all

The folder appears under its name only when it is complete and has passed ``verify``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import ImageError, InputError
from goldnode.files import sha256_file, write_atomic, write_json
from goldnode.image.check import check_image, open_image
from goldnode.image.disk import open_disk
from goldnode.image.rule import Image
from goldnode.progress import Progress
from goldnode.publish import formats, inventory, junit, provenance, sbom, signature
from goldnode.publish.binding import OUTER, RELEASE, SUMS, Bound, FileRole, Release, release_name
from goldnode.publish.strict import require_releasable
from goldnode.publish.verify import verify

#: What release.schema.json allows in names of files.
NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]*")


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """What to release.

    Attributes:
        image: A sealed qcow2.
        manifest: Its manifest.
        version: The release's version, as `1.2.0`.
        key: SSH key to sign with.
        builder: Who built it, as a URI.
        reports: JUnit files of the tests that were run on the image.
        out: Folder for the release's folder.
    """

    image: Path
    manifest: Path
    version: str
    key: Path
    builder: str
    reports: Sequence[Path]
    out: Path


def require_possible(name: str, key: Path, out: Path) -> Path:
    """Check, before spending minutes, that a release can be finished: a new, valid name, and a key that signs.

    Returns:
        The folder it will have.

    Raises:
        InputError: There is a release of that name already, or the version is invalid.
        HostError: The key cannot be used.
    """
    final = out / name
    if not NAME.fullmatch(name):
        raise InputError(f"{name} is not a valid name for a release", hint="--version 1.2.0")
    if final.exists():
        raise InputError(f"{final} exists already: a version is released once", hint=f"./invoke verify {final}")
    with tempfile.TemporaryDirectory() as scratch:
        probe = Path(scratch) / "probe"
        probe.write_bytes(b"")
        signature.sign(probe, key)
    return final


def make(options: ReleaseOptions, progress: Progress) -> Path:
    """Make a release folder.

    Returns:
        The folder.

    Raises:
        ImageError: The image may not be released, failed a test, breaks a rule, or does not match its manifest.
        HostError: The key cannot be used, or a tool is missing.
        InputError: There is a release of that name already, or the version is invalid.
    """
    manifest = json.loads(options.manifest.read_text())
    require_releasable(manifest)
    _refuse_failed(options.reports)
    name = release_name(manifest["network"], options.version, manifest["arch"])
    final = require_possible(name, options.key, options.out)
    if sha256_file(options.image) != manifest["image"]["sha256"]:
        raise ImageError(
            f"{options.image} is not the image of {options.manifest}", hint="./invoke bake --strict --force"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=options.out) as draft:
        folder = Path(draft) / name
        folder.mkdir()
        _fill(options, manifest, folder, name, progress)
        _seal(options, manifest, folder, name)
        with progress.step("verify the release"):
            verify(folder, signers=None)
        folder.rename(final)
    return final


def _refuse_failed(reports: Sequence[Path]) -> None:
    """Stop before anything is compressed: one failed test prevents the release."""
    failed = [f"  {name} ({path.name})" for path in reports for name in junit.failures(path)]
    if failed:
        raise ImageError("the image failed tests:\n" + "\n".join(failed), hint="./invoke test --tier boot")


def _fill(options: ReleaseOptions, manifest: Mapping[str, Any], folder: Path, name: str, progress: Progress) -> None:
    """Write all files made from the image."""

    def path(role: FileRole) -> Path:
        return folder / (name + role.ending)

    shutil.copyfile(options.image, path(FileRole.QCOW2))
    write_json(path(FileRole.MANIFEST), manifest)
    with contextlib.ExitStack() as stack:
        with progress.step("unpack the image"):
            raw = stack.enter_context(open_disk(options.image)).path
            _check_disk(raw, manifest)
        report = dataclasses.replace(check_image(raw, progress=progress), image=options.image.name)
        report.raise_if_broken()
        junit.write(report, options.reports, path(FileRole.TESTS))
        with progress.step("list what is on the image"), open_image(raw) as image:
            _describe(image, manifest, options.version, path)
        with progress.step("compress the disk") as step:
            formats.write_zst(raw, path(FileRole.RAW), step)
        with progress.step("pack the disk for Google"):
            formats.write_gcp(raw, path(FileRole.GCP))


def _describe(image: Image, manifest: Mapping[str, Any], version: str, path: Callable[[FileRole], Path]) -> None:
    """Inventory and SBOM."""
    name = release_name(manifest["network"], version, manifest["arch"])
    write_json(path(FileRole.INVENTORY), inventory.take(image, inventory.daemons(manifest), name).document())
    bill = sbom.compose(image.root, manifest, name, version)
    if faults := sbom.cross_check(image.root, bill):
        raise ImageError(f"the SBOM does not match the disk: {'; '.join(faults)}")
    write_json(path(FileRole.SBOM), bill)


def _check_disk(raw: Path, manifest: Mapping[str, Any]) -> None:
    if sha256_file(raw) != manifest["image"]["raw_sha256"]:
        raise ImageError(f"the disk in {manifest['image']['file']} is not the one its manifest describes")


def _seal(options: ReleaseOptions, manifest: Mapping[str, Any], folder: Path, name: str) -> None:
    """Write what binds the files: provenance, release.json, SHA256SUMS, signature."""
    inside = [role for role in FileRole if role is not FileRole.PROVENANCE]
    bound = [Bound.of(role, folder / (name + role.ending)) for role in inside]
    story = folder / (name + FileRole.PROVENANCE.ending)
    write_json(story, provenance.statement(manifest, options.version, bound, options.builder))
    image = manifest["image"]
    release = Release(
        manifest["network"], options.version, manifest["arch"], manifest["source"]["commit"],
        image["raw_size"], image["raw_sha256"], image["tree_sha256"], (*bound, Bound.of(FileRole.PROVENANCE, story)),
    )  # fmt: skip
    write_json(folder / RELEASE, release.document())
    files = sorted(path for path in folder.iterdir() if path.name not in OUTER[1:])
    write_atomic(folder / SUMS, "".join(f"{sha256_file(path)}  {path.name}\n" for path in files))
    signature.sign(folder / SUMS, options.key)
