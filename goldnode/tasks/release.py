"""Tasks about releases: make one, verify it, compare two, publish it."""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path
from tempfile import TemporaryDirectory

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich import table as tables

from goldnode import paths
from goldnode.bake import freshness, golden, manifest
from goldnode.config import network as networks
from goldnode.errors import ImageError
from goldnode.publish import binding, difference, inventory, strict, targets
from goldnode.publish import release as releases
from goldnode.publish import verify as verification
from goldnode.tasks import host
from goldnode.tasks.bake import needs_of
from goldnode.tasks.console import existing, one_of, progress
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output
from goldnode.tasks.test import ask, require_root


@task(
    positional=[],
    iterable=["report"],
    help={
        "network": "name of the network, or path of its file",
        "version": "version of the release, as 1.2.0",
        "sign": "SSH key to sign with (a private key, or the public half of one that ssh-agent holds)",
        "arch": "amd64 or arm64",
        "report": "JUnit file of further tests that were run on this commit (may be repeated)",
        "artifacts": "folder with artifacts of your own, looked into first",
    },
)
def release(
    _: Context, *, network: str, version: str, sign: str, report: list[str], arch: str = "amd64", artifacts: str = ""
) -> None:
    """Bake strictly and afresh, test that very image, and make a signed release folder of it."""
    chosen = networks.load(network)
    require_root()
    strict.require_committed(chosen.name, manifest.source())
    out = paths.out() / "release"
    releases.require_possible(binding.release_name(chosen.name, version, arch), Path(sign), out)
    host.require([Need.BAKE, Need.MACHINE, Need.FLEET, Need.PROOF, Need.TEST_PACKAGES, *needs_of(chosen)])
    bake_options = golden.BakeOptions(
        chosen,
        arch,
        strict=True,
        artifacts=Path(artifacts) if artifacts else None,
        force=True,
        fresh=freshness.FRESH_FOR_RELEASE,
    )
    with progress() as shown:
        baked = golden.bake(bake_options, shown)
    strict.require_fresh(baked.manifest, dt.datetime.now(dt.UTC))
    with TemporaryDirectory() as scratch:
        asked = Path(scratch) / "image.xml"
        ask(baked.image, asked)
        options = releases.ReleaseOptions(
            image=baked.image,
            manifest=manifest.beside(baked.image),
            version=version,
            key=Path(sign),
            builder=_builder(),
            reports=[asked, *map(Path, report)],
            out=out,
        )
        with progress() as shown:
            folder = releases.make(options, shown)
    output.say(str(folder))


@task(
    positional=["path"],
    help={
        "path": "a release folder, or an image with its manifest beside it",
        "signers": "whom to trust: a file in OpenSSH's allowed_signers format",
        "json": "print the result as JSON",
    },
)
def verify(_: Context, path: str, signers: str = "", json: bool = False) -> None:
    """Check a release or an image offline; exit code 7 if it is not what it claims, or nobody you trust signed it."""
    claimed = existing(path, "release or image", "ls out out/release", or_folder=True)
    with progress() as shown, shown.step(f"verify {claimed.name}"):
        held = verification.verify(claimed, Path(signers) if signers else None)
    if json:
        document = {
            "version": 1,
            "name": held.name,
            "signer": held.signer,
            "trusted": held.trusted,
            "links": held.links,
        }
        output.say_json(document)
    else:
        for link in held.links:
            output.say(f"ok  {link}")
        output.say(f"signed by {held.signer}" if held.trusted else "signed by nobody")
    if held.signer and not held.trusted:
        raise ImageError(
            f"{held.name} is UNVERIFIED: it is whole, and signed by the key {held.signer}, which anybody may have made;"
            " docs/verifying.md says what the file of signers holds",
            hint=f"./invoke verify {path} --signers FILE",
        )


@task(
    positional=["old", "new"],
    help={
        "old": "a release folder or an image",
        "new": "a release folder or an image",
        "markdown": "print Markdown for a pull request",
    },
)
def diff(_: Context, old: str, new: str, markdown: bool = False) -> None:
    """Show what changed between two releases: daemon, packages, units, ports, users, files."""
    found = difference.compare(_inventory(old), _inventory(new))
    output.say(found.markdown() if markdown else found.text(), end="")


@task(
    positional=["release"],
    help={
        "release": "a release folder",
        "to": "where to, separated by commas: aws, github, s3",
        "regions": "AWS regions, separated by commas; the disk is sent to the first one",
        "bucket": "S3 bucket",
        "repository": "GitHub repository, as owner/name",
        "parent": "folder of an earlier release in the same region: only what differs from it is sent",
        "deprecate_days": "days until AWS calls the image deprecated",
        "signers": "whom to trust: a file in OpenSSH's allowed_signers format",
        "json": "print the result as JSON",
    },
)
def publish(
    _: Context, release: str, *, to: str, regions: str = "", bucket: str = "", repository: str = "",
    parent: str = "", deprecate_days: int = 365, signers: str = "", json: bool = False,
) -> None:  # fmt: skip
    """Verify a release, send it, and read it back; run it again to continue where it stopped."""
    places = [one_of(targets.Target, "--to", word.strip()) for word in to.split(",")]
    folder = existing(release, "release", "ls out/release", or_folder=True)
    where = targets.Where([each for each in regions.split(",") if each], bucket, repository,
                  Path(parent) if parent else None, deprecate_days)  # fmt: skip
    published: dict[str, str] = {}
    with progress() as shown:
        with shown.step(f"verify {folder.name}"):
            verification.verify(folder, Path(signers) if signers else None)
        for target in places:
            published |= targets.publish_to(target, folder, where, dt.datetime.now(dt.UTC), shown)
    if json:
        output.say_json(published)
        return
    table = tables.Table("where", "what")
    for place, what in published.items():
        table.add_row(place, what)
    output.show(table)


def _inventory(name: str) -> inventory.Inventory:
    """Of a release its own, which ``verify`` binds; of an image what is found on it."""
    path = existing(name, "release or image", "ls out out/release", or_folder=True)
    if path.is_dir():
        return inventory.read(path / (path.name + binding.FileRole.INVENTORY.ending))
    return inventory.of_image(path)


def _builder() -> str:
    """Who bakes: the workflow where there is one, else this machine."""
    server, workflow = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_WORKFLOW_REF")
    return f"{server}/{workflow}" if server and workflow else f"urn:host:{platform.node()}"


ns = Collection(release, verify, diff, publish)
