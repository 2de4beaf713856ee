"""The base image: Debian 13 from signed packages, assembled offline, cached by its inputs.

A bake changes roles and daemons often and Debian rarely, so the slow part (packages) is made once
per package list and kept for some days: Debian mends holes every week.  Nothing is booted and
nothing is mounted: mmdebstrap writes a tar, mke2fs turns the unpacked tree into a filesystem,
genimage lays the disk out.  A user without root gets the same through a user namespace
(mmdebstrap's own helper).

The disk boots by BIOS and by UEFI.  GRUB is written by ``goldnode/bake/grub.py``; the kernel and
initrd are kept beside the disk, so that a bake can start them directly and skip the firmware.

Measured on two cores: packages 34 s of processor time, filesystem 2 s, disk 1 s, qcow2 2 s.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from goldnode import files, paths
from goldnode.bake import compress, grub, snapshot
from goldnode.bake.freshness import FRESH, age
from goldnode.errors import BakeError, HostError
from goldnode.image.allowed import left_out
from goldnode.image.check import check_image
from goldnode.progress import Progress, Step
from goldnode.run import CommandError, run

SUITE = "trixie"
MIB = 1 << 20
#: Partitions of the disk in MiB: (start, length); the root is last, so that it can grow on first boot.
BIOS_AT, ESP_AT, ROOT_AT = (1, 1), (2, 16), (18, 1260)
#: A fixed time for every file that would otherwise carry the time of the bake: 2026-01-01.
EPOCH = 1767225600
#: Bases kept for the same inputs: a bake that began with the previous one reads it to its end.
KEPT = 2
#: In a base's folder: which state of Debian it is of, empty for a mirror's.
SNAPSHOT = "snapshot"
#: The time a base was made, in its folder's name.
_STAMP = "%Y%m%dT%H%M%SZ"
#: Listed explicitly, because mke2fs's defaults differ between hosts.
EXT4_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"
)


@dataclass(frozen=True, slots=True)
class BaseSpec:
    """What a base is made of.

    Attributes:
        arch: Debian's name of the architecture.
        packages: Debian packages, sorted; their dependencies are installed too, their recommendations are not.
        snapshot: The state of Debian they are of, as a snapshot service writes it; empty for the newest there is.
    """

    arch: str
    packages: tuple[str, ...]
    snapshot: str = ""

    @property
    def key(self) -> str:
        """Digest of every input under our control; the mirror's state on the day is in the manifest instead."""
        inputs = [dataclasses.asdict(self), SUITE, BIOS_AT, ESP_AT, ROOT_AT, EPOCH, EXT4_FEATURES, dpkg_options()]
        digest = hashlib.sha256(json.dumps(inputs).encode())
        for part in (_assemble, compress, grub, _packages, _early_hooks, _hooks):
            digest.update(inspect.getsource(part).encode())
        for file in sorted((paths.REPOSITORY / "packer" / "base").rglob("*")):
            if file.is_file():
                digest.update(f"{file.name}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Base:
    """A base in the cache.

    Attributes:
        folder: Holds ``disk.qcow2``, and ``vmlinuz`` and ``initrd.img`` extracted from it.
        key: The key of its inputs.
        packages: (name, version, architecture) of every package in it.
        made: When its packages were fetched.
        snapshot: The state of Debian they are of; empty when a mirror gave them, which keeps none.
    """

    folder: Path
    key: str
    packages: tuple[tuple[str, str, str], ...]
    made: datetime
    snapshot: str = ""

    @property
    def of(self) -> datetime:
        """The instant of Debian that its packages are of: nothing mended later is in it."""
        return snapshot.instant(self.snapshot) if self.snapshot else self.made

    @property
    def disk(self) -> Path:
        """The bootable disk, qcow2."""
        return self.folder / "disk.qcow2"


def package_list(name: str) -> tuple[str, ...]:
    """The packages named in ``packer/packages/NAME.txt``."""
    lines = (paths.REPOSITORY / "packer" / "packages" / f"{name}.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def dpkg_options() -> tuple[str, ...]:
    """Options of dpkg that keep the files in ``packer/packages/left-out.txt`` out of the image."""
    return tuple(f"path-{'exclude' if out else 'include'}={pattern}" for pattern, out in left_out())


def find(spec: BaseSpec) -> Base | None:
    """The newest base made from these inputs, if there is one."""
    made = _made(spec)
    if not made:
        return None
    folder, when = made[-1]
    packages = json.loads((folder / "packages.json").read_text())
    kept = folder / SNAPSHOT
    stamp = kept.read_text().strip() if kept.exists() else ""
    return Base(folder, spec.key, tuple((name, version, arch) for name, version, arch in packages), when, stamp)


def _made(spec: BaseSpec) -> list[tuple[Path, datetime]]:
    """The bases of these inputs with the time each was made, oldest first; a name without a date counts by its file."""
    found = []
    for file in (paths.cache() / "bases").glob(f"{spec.key}*/packages.json"):
        stamp = file.parent.name.partition("-")[2]
        when = datetime.strptime(f"{stamp}+0000", f"{_STAMP}%z") if stamp else datetime.fromtimestamp(
            file.stat().st_mtime, UTC)  # fmt: skip
        found.append((file.parent, when))
    return sorted(found, key=lambda each: each[1])


def make(spec: BaseSpec, progress: Progress) -> Base:
    """Return the base of ``spec``, from the cache or newly made, and searched for secrets.

    Raises:
        HostError: A tool is missing, or the package mirror cannot be used.
        BakeError: A package left a secret in it.
    """
    made = assemble(spec, progress)
    search(made, progress)
    return made


def _now() -> datetime:
    return datetime.now(UTC)


def assemble(
    spec: BaseSpec,
    progress: Progress,
    fresh: timedelta = FRESH,
    now: Callable[[], datetime] = _now,
    service: snapshot.Service | None = None,
) -> Base:
    """Return the base of ``spec``, from the cache or newly made; nothing may ship from it before ``search``.

    Args:
        spec: What it is made of; of one state of Debian it is made once, and never too old.
        progress: Told of each step.
        fresh: How old a cached one may be; an older one is rebuilt.
        now: The current time.
        service: Gives states of Debian; its newest one is taken where it answers and ``spec`` names none.

    Raises:
        HostError: A tool is missing, or the package mirror cannot be used; the state that was asked for is not given.
    """
    root = paths.cache() / "bases"
    with files.locked(root / f"{spec.key}.lock"):
        found, present = find(spec), now()
        if found and (spec.snapshot or present - found.of <= fresh):
            return found
        old = f", because the cached ones are {age(found.of, present)}" if found else ""
        with tempfile.TemporaryDirectory(prefix="draft-", dir=root) as name:
            draft = Path(name)
            with progress.step(f"base: Debian packages{old}") as step:
                tree, stamp = _fetched(spec, draft, found, present, fresh, service, step)
            with progress.step("base: disk"):
                _assemble(spec, tree, draft)
            (draft / "done" / SNAPSHOT).write_text(stamp)
            (draft / "done").rename(root / f"{spec.key}-{present.strftime(_STAMP)}")
        for folder, _ in _made(spec)[:-KEPT]:
            shutil.rmtree(folder)
        made = find(spec)
    if made is None:
        raise HostError(f"the base vanished from {root} while it was being made", hint="./invoke bake")
    return made


def _fetched(
    spec: BaseSpec,
    draft: Path,
    found: Base | None,
    now: datetime,
    fresh: timedelta,
    service: snapshot.Service | None,
    step: Step,
) -> tuple[Path, str]:
    """The packages and their state, or an error that says how old the cached ones are, and how to accept them."""
    if spec.snapshot:
        if service is None:
            raise HostError(f"no snapshot service is known that would have Debian of {spec.snapshot}; docs/updates.md",
                            hint=f"export {snapshot.SETTING}=https://HOST/archive")  # fmt: skip
        # What it answers is of before, and that is what was asked for: all of before is there.
        snapshot.newest(service, SUITE, spec.snapshot)
        return _packages(spec, draft, (service, spec.snapshot)), spec.snapshot
    if service and (stamp := _state(service, now, min(fresh, snapshot.BEHIND), step)):
        try:
            return _packages(spec, draft, (service, stamp)), stamp
        except HostError as error:
            step.note(f"from the mirror: {error.message.splitlines()[0]}")
    try:
        return _packages(spec, draft), ""
    except HostError as error:
        if found is None:
            raise
        days = (now - found.of).days + 1
        raise HostError(f"{error.message}\nthe cached ones are {age(found.of, now)}",
                        hint=f"./invoke bake --base-days {days}, to accept them") from error  # fmt: skip


def _state(service: snapshot.Service, now: datetime, fresh: timedelta, step: Step) -> str:
    """The newest state that a service has; empty when it does not answer, or is behind what is asked for."""
    try:
        stamp = snapshot.newest(service, SUITE, now.strftime(snapshot.STAMP))
    except HostError as error:
        step.note(f"from the mirror: {error.message}")
        return ""
    if now - snapshot.instant(stamp) > fresh:
        step.note(f"from the mirror: the snapshot service is behind, at {stamp}")
        return ""
    step.note(f"snapshot {stamp}")
    return stamp


def search(base: Base, progress: Progress) -> None:
    """Search every byte of a base once, so that a bake only needs to search what it writes.

    Raises:
        BakeError: A package left a private key or the like on the disk; the base is removed from the cache.
    """
    searched = base.folder / "searched"
    if searched.exists():
        return
    with progress.step("base: search for secrets"):
        try:
            _refuse_secrets(base.disk)
        except BakeError:
            shutil.rmtree(base.folder)
            raise
    searched.touch()


def _refuse_secrets(disk: Path) -> None:
    found = [
        f"{result.rule.id}: {finding.where} {finding.what}"
        for result in check_image(disk).broken
        if result.rule.id.startswith("raw-")
        for finding in result.findings
    ]
    if found:
        raise BakeError(
            f"the base has secrets on its disk: {'; '.join(found)}", hint="remove them in goldnode/bake/base.py"
        )


def _packages(spec: BaseSpec, draft: Path, state: tuple[snapshot.Service, str] | None = None) -> Path:
    """Install the packages into a tar: no mirror is named, so Debian's default or the host's setting applies.

    Args:
        spec: What to install.
        draft: Where the tar goes.
        state: A snapshot service, and which state of its; None for the mirror.

    Raises:
        HostError: They cannot be had, or not be installed.
    """
    tree = draft / "tree.tar"
    tree.unlink(missing_ok=True)
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--architectures={spec.arch}"]
    argv += [f"--include={','.join(spec.packages)}", '--aptopt=APT::Install-Recommends "false"']
    argv += [f"--dpkgopt={option}" for option in dpkg_options()]
    if state:
        argv += [f"--setup-hook={hook}" for hook in snapshot.setup_hooks(*state)]
    argv += [f"--essential-hook={hook}" for hook in _early_hooks()]
    argv += [f"--customize-hook={hook}" for hook in (*_hooks(), *(snapshot.customize_hooks() if state else ()))]
    try:
        run([*argv, SUITE, tree], env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    except CommandError as error:
        raise HostError(
            f"Debian's packages for the base could not be installed:\n{error.message}",
            hint="check that this machine reaches a Debian mirror (apt-get update), then bake again",
        ) from error
    return tree


def _early_hooks() -> tuple[str, ...]:
    """What has to exist before the packages: mmdebstrap runs each with the tree as $1."""
    initramfs = paths.REPOSITORY / "packer" / "base" / "initramfs"
    modules, settings = "$1/usr/share/initramfs-tools/modules.d", "$1/etc/initramfs-tools/conf.d"
    return (
        # update-alternatives links Java's manual pages, and fails without the folder, which is left out.
        "mkdir -p $1/usr/share/man/man1",
        f"mkdir -p {modules} {settings}",
        f"cp --no-preserve=mode,ownership,timestamps {initramfs}/storage.modules {modules}/goldnode",
        f"cp --no-preserve=mode,ownership,timestamps {initramfs}/storage.conf {settings}/goldnode",
    )


def _hooks() -> tuple[str, ...]:
    """What is done to the tree while it is still a folder: mmdebstrap runs each with the tree as $1."""
    overlay = paths.REPOSITORY / "packer" / "base" / "rootfs"
    return (
        f"cp -rT --no-preserve=mode,ownership,timestamps {overlay} $1",
        "chroot $1 systemctl enable systemd-networkd.service",
        "ln -sf ../run/systemd/resolve/stub-resolv.conf $1/etc/resolv.conf",
        # Deleted before there is a filesystem: on a disk, the freed blocks would keep the keys.
        "rm -f $1/etc/ssh/ssh_host_* $1/etc/ssl/private/ssl-cert-snakeoil.key $1/etc/ssl/certs/ssl-cert-snakeoil.pem",
        "find $1/etc/ssl/certs -lname ssl-cert-snakeoil.pem -delete",
        # PostgreSQL's package makes a database cluster, which would be identical on every machine.
        "rm -rf $1/etc/postgresql/* $1/var/lib/postgresql/*",
        # Written by the bake's tools, differently each time, and useless on a node.
        "rm -f $1/var/cache/ldconfig/aux-cache $1/var/log/*.log $1/var/log/apt/* $1/etc/hostname $1/etc/machine-id",
        "touch $1/etc/machine-id",
    )


def _assemble(spec: BaseSpec, tree: Path, draft: Path) -> None:
    """Turn the tar into ``draft/done``: the disk, kernel, initrd and package list."""
    done = draft / "done"
    done.mkdir()
    root = draft / "root"
    script = draft / "assemble.sh"
    filesystem = str(uuid.uuid5(uuid.NAMESPACE_OID, spec.key))
    size = ROOT_AT[1]
    script.write_text(
        f"""set -e
mkdir {root}
tar -xf {tree} -C {root} --numeric-owner --xattrs --xattrs-include='*'
cp {root}/vmlinuz {root}/initrd.img {done}
chroot {root} dpkg-query -W -f '${{Package}}\\t${{Version}}\\t${{Architecture}}\\n' > {draft}/packages.tsv
E2FSPROGS_FAKE_TIME={EPOCH} mke2fs -q -t ext4 -O {EXT4_FEATURES} -b 4096 -I 256 -m 0 -L root -U {filesystem} \\
  -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,hash_seed={filesystem} -d {root} {draft}/root.ext4 {size}M
rm -rf {root}
"""
    )
    helper = [] if os.geteuid() == 0 else ["mmdebstrap", "--unshare-helper"]
    run([*helper, "sh", script])
    (done / "vmlinuz").chmod(0o644)
    (done / "initrd.img").chmod(0o644)
    disk = grub.lay_out(draft, bios_at=BIOS_AT, esp_at=ESP_AT, root_at=ROOT_AT, seed=spec.key)
    compress.compress(disk, done / "disk.qcow2")
    lines = (draft / "packages.tsv").read_text().splitlines()
    files.write_json(done / "packages.json", sorted(line.split("\t") for line in lines))
    for leftover in (disk, draft / "root.ext4"):
        leftover.unlink()
    shutil.rmtree(draft / "genimage", ignore_errors=True)
