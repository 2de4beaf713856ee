"""The golden image: Packer boots the base, installs the payload, seals; then it is compressed and named.

Every stage is keyed by its inputs, so nothing is done twice, and an unchanged bake says so and
stops.  Whatever goes wrong, the final name appears only with a finished image behind it, and
nothing that was started survives.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from goldnode import files, paths
from goldnode.bake import base as bases
from goldnode.bake import content, freshness, manifest, snapshot, vmbake
from goldnode.bake.build_dir import temporary_build_dir
from goldnode.bake.compress import compress
from goldnode.bake.platform import Platform
from goldnode.bake.programs.obtain import obtain
from goldnode.bake.vm import golden_vm, stock_vm
from goldnode.beside import beside
from goldnode.config.network import Network
from goldnode.errors import ImageError
from goldnode.image.check import HygieneReport, check_image, open_image
from goldnode.image.digest import tree_digest
from goldnode.image.disk import own_ranges
from goldnode.image.packages import installed
from goldnode.progress import Progress, Step
from goldnode.run import run
from goldnode.vm import accel


class Arch(StrEnum):
    """Debian's names of the architectures an image can be for."""

    AMD64 = "amd64"
    ARM64 = "arm64"


#: The last of a bake's times; less than the sum, because steps run in parallel.
WALL = "from start to end"


@dataclass(frozen=True, slots=True)
class BakeOptions:
    """What to bake, and how.

    Attributes:
        network: The network whose daemon and genesis go in.
        arch: Debian's name of the architecture.
        strict: Refuse to defer anything to the first boot.
        accel: What runs the machine.
        artifacts: Folder the operator filled; searched before anything is downloaded.
        force: Bake even if nothing has changed.
        platform: Who runs the machine that becomes the image.
        fresh: How old the base's Debian packages may be; older ones are fetched anew.
        snapshot: `auto`, `off`, or the state of Debian that the base is made of (``snapshot.stamp_of``).
    """

    network: Network
    arch: str = Arch.AMD64
    strict: bool = False
    accel: accel.AccelMode = accel.AccelMode.AUTO
    artifacts: Path | None = None
    force: bool = False
    platform: Platform = Platform.QEMU
    fresh: timedelta = freshness.FRESH
    snapshot: str = freshness.Wanted.AUTO


@dataclass(frozen=True, slots=True)
class BakeResult:
    """A finished image.

    Attributes:
        image: The sealed disk.
        manifest: Its manifest, as read from beside it.
        baked: False when nothing had changed.
    """

    image: Path
    manifest: dict[str, Any]
    baked: bool


@dataclass(slots=True)
class StepTimer:
    """Times every step for the table at the end, and passes it on."""

    watcher: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Open a phase, and add its time to that of earlier phases of the same name."""
        started = time.monotonic()
        with self.watcher.step(title) as step:
            yield step
        self.seconds[title] = self.seconds.get(title, 0.0) + time.monotonic() - started


def bake(options: BakeOptions, progress: Progress) -> BakeResult:
    """Turn a network into a sealed image in ``out/``.

    Raises:
        ArtifactError: An input cannot be obtained, or is not what its pin says.
        BakeError: Packer, QEMU or the daemon failed; the message names the console log that was kept.
        ImageError: The sealed image breaks a hygiene rule.
        HostError: A tool or disk space is missing.
    """
    timer, started = StepTimer(progress), time.monotonic()
    network = options.network
    stock = options.platform is Platform.STOCK
    wanted = options.snapshot
    spec = bases.BaseSpec(options.arch, base_packages(options), "" if wanted in {*freshness.Wanted} else wanted)
    service = None if wanted == freshness.Wanted.OFF else snapshot.known()
    with beside(lambda: bases.assemble(spec, timer, options.fresh, service=service)) as assembled:
        payload = obtain(network, options.arch, artifacts_dir=options.artifacts, strict=options.strict, progress=timer)
        base = assembled.result()
    target = manifest.names(network, options.arch, deferred=bool(payload.deferred), stock=stock)
    entries = content.entries(network, payload, options.arch, debian_of(base))
    with (
        files.locked(paths.cache() / "bakes" / f"{options.platform}-{target.image.name}.lock"),
        temporary_build_dir() as build_dir,
    ):
        with timer.step("payload"):
            tar = build_dir / "payload.tar"
            key = key_of(options.platform, base.key, base.packages, content.write(entries, tar))
        if not options.force and (known := _unchanged(target, key)):
            return BakeResult(target.image, known, baked=False)
        acceleration = accel.choose(options.accel, base.folder / "vmlinuz")
        run_packer = stock_vm.run_packer if stock else golden_vm.run_packer
        with beside(lambda: bases.search(base, timer)) as searched:
            sealed = run_packer(base, tar, build_dir, acceleration, timer, network=network)
            searched.result()
        image, packages = _finish(sealed, build_dir, target.image, timer)
        document = manifest.compose(
            network,
            options.arch,
            payload,
            key=key,
            base={
                "key": base.key,
                "disk_sha256": files.sha256_file(base.disk),
                "made": base.made.isoformat(),
                **debian_of(base),
            },
            packages=packages,
            accelerator=acceleration,
            seconds=timer.seconds | {WALL: time.monotonic() - started},
            image=image,
        )
        target.image.parent.mkdir(exist_ok=True)
        (build_dir / "image.qcow2").replace(target.image)
        files.write_json(target.manifest, document)
    return BakeResult(target.image, document, baked=True)


def debian_of(base: bases.Base) -> dict[str, str]:
    """Which Debian an image stands on: its name, the day its packages are of, and the state where one is known."""
    state = {"snapshot": base.snapshot} if base.snapshot else {}
    return {"suite": bases.SUITE, "date": f"{base.of:%Y-%m-%d}", **state}


def base_packages(options: BakeOptions) -> tuple[str, ...]:
    """The packages of the base: all of them, or for a stock bake only those of a plain Debian machine."""
    names = {*bases.package_list("machine")}
    if options.platform is not Platform.STOCK:
        names |= {*bases.package_list("node"), *options.network.packages}
    return tuple(sorted(names))


def key_of(platform: Platform, *inputs: object) -> str:
    """Digest of everything that decides the image's files: base, payload, scripts and templates."""
    digest = hashlib.sha256("\n".join([platform, *map(str, inputs), ""]).encode())
    packer = paths.REPOSITORY / "packer"
    for file in [
        packer / "variables.pkr.hcl",
        packer / "build.pkr.hcl",
        platform.template,
        *sorted((packer / "scripts").iterdir()),
    ]:
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _unchanged(target: manifest.Names, key: str) -> dict[str, Any] | None:
    """The manifest of an existing image that is what this bake would make."""
    if not (target.image.exists() and target.manifest.exists()):
        return None
    known = manifest.read(target.manifest)
    same = known["key"] == key and known["image"]["sha256"] == files.sha256_file(target.image)
    return known if same else None


def _finish(
    sealed: vmbake.Sealed, build_dir: Path, target: Path, progress: Progress
) -> tuple[dict[str, Any], list[list[str]]]:
    """Compress the sealed disk while it is checked against every hygiene rule and its digests are made.

    Returns:
        The manifest's ``image``, and name, version and architecture of every package in it.

    Raises:
        ImageError: It breaks a rule; nothing gets its final name.
    """
    image, raw = build_dir / "image.qcow2", build_dir / "disk.raw"
    with progress.step("compress and check"), ThreadPoolExecutor() as beside:
        compressed = beside.submit(_compress, sealed, image)
        run(["qemu-img", "convert", "-O", "raw", sealed.disk, raw])
        raw_sha256 = beside.submit(files.sha256_file, raw)
        # The base was searched for secrets when it was made: only later writes are new.
        written = None if sealed.compressed else own_ranges(sealed.disk, sealed.layers)
        refuse_broken(check_image(raw, [sealed.builder_key], ranges=written), target.name)
        with open_image(raw) as disk:
            tree = tree_digest(disk.root, disk.esp)
            packages = sorted([it.name, it.version, it.architecture] for it in installed(disk.root).values())
        compressed.result()
    document = {
        "file": target.name,
        "format": "qcow2",
        "size": image.stat().st_size,
        "sha256": files.sha256_file(image),
        "raw_size": raw.stat().st_size,
        "raw_sha256": raw_sha256.result(),
        "tree_sha256": tree,
    }
    return document, packages


def _compress(sealed: vmbake.Sealed, image: Path) -> None:
    if sealed.compressed:
        os.link(sealed.disk, image)
        return
    compress(sealed.disk, image)


def refuse_broken(report: HygieneReport, name: str) -> None:
    """Stop a bake whose result is not clean.

    Raises:
        ImageError: A rule is broken; the message names each one, and where.
    """
    faults = [
        f"  {result.rule.id}: {finding.where} {finding.what}" for result in report.broken for finding in result.findings
    ]
    if faults:
        raise ImageError(
            f"{name} was sealed, but {len(report.broken)} of {len(report.results)} hygiene rules are broken:\n"
            + "\n".join(faults[:20]),
            hint="fix packer/scripts/clean.sh or the role that left it; the rules: docs/image-hygiene.md",
        )
