"""The machine of a bake as it was when it had booted, kept beside its base: later bakes go on from there.

Without KVM the boot is more than half of a warm bake, and it is the same each time.  So the first bake
from a base stops its machine for a second when it answers, has QEMU write memory and devices to a file
(as for a migration), copies the disk, and lets the machine run on.  A later bake puts an overlay over
that disk and starts QEMU from the file, with the keys of then.

What differs between then and now is told to the machine: ``provision.sh`` sets the clock and forgets
what was read of the payload's drive, and the kernel makes new randomness (``vmgenid`` in qemu.pkr.hcl).
The state holds for the QEMU, Packer and processor it was made by, and QEMU's file has no checksum, so
its files are compared with their digests before each use (ADR 420).
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import shlex
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from goldnode import files, paths
from goldnode.bake.base import Base
from goldnode.bake.vm import access
from goldnode.errors import HostError
from goldnode.vm import monitor
from goldnode.vm.accel import Acceleration

#: The payload's drive, always of this size: a machine that has booted does not look at a drive's size again.
DRIVE = 2 << 30
#: Seconds for a gigabyte of memory to reach the disk, or to come from there.
TIMEOUT = 120.0
#: Seconds between two questions to QEMU.
LOOK = 0.05
DISK, MEMORY, DIGESTS = "disk.qcow2", "memory", "sha256.json"


@dataclass(frozen=True, slots=True)
class Booted:
    """A machine's state.

    Attributes:
        folder: Where it is kept.
        disk: A copy of its disk, an overlay over the base's.
        entry: How Packer logs in.
    """

    folder: Path
    disk: Path
    entry: access.Access

    @property
    def incoming(self) -> str:
        """QEMU's ``-incoming``."""
        return f"exec:cat {shlex.quote(str(self.folder / MEMORY))}"


def find(base: Base, acceleration: Acceleration, build_dir: Path) -> Booted | None:
    """The state kept of a base, if this machine can go on from it; a damaged one is removed.

    Args:
        base: What was booted.
        acceleration: What runs the machine.
        build_dir: Folder of this bake; gets disk and keys, because another bake may remove the state.
    """
    folder = _folder(base, acceleration)
    if not folder.is_dir():
        return None
    with contextlib.suppress(OSError, ValueError):  # damaged, or removed by another bake in this moment: this one boots
        if json.loads((folder / DIGESTS).read_text()) == _digests(folder):
            disk = build_dir / f"booted-{DISK}"
            shutil.copy(folder / DISK, disk)
            access.copy(access.granted(folder), build_dir)
            return Booted(folder, disk, access.granted(build_dir))
    discard(folder)
    return None


def discard(folder: Path) -> None:
    """Remove a state: the next bake boots, and keeps another."""
    shutil.rmtree(folder, ignore_errors=True)


def keep(base: Base, acceleration: Acceleration, running: Path, disk: Path, entry: access.Access) -> None:
    """Stop a machine that has booted, keep its state, and let it run on.

    Args:
        base: What it was booted from.
        acceleration: What runs it.
        running: The folder of its monitor.
        disk: Its disk, an overlay over the base's.
        entry: How Packer logs in.

    Raises:
        HostError: QEMU or the disk refuses; the machine runs on, unless QEMU is gone.
    """
    folder = _folder(base, acceleration)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=base.folder, ignore_cleanup_errors=True) as name:
        draft = Path(name)
        monitor.tell(running, "stop")
        try:
            _write_memory(running, draft / MEMORY)
            shutil.copy(disk, draft / DISK)
        except OSError as error:
            raise HostError(f"{error.filename}: {error.strerror}") from error
        finally:
            monitor.tell(running, "cont")
        access.copy(entry, draft)
        files.write_json(draft / DIGESTS, _digests(draft))
        # Another bake from this base may have been first; its state is as good.
        with contextlib.suppress(OSError):
            draft.rename(folder)


def resumed(running: Path) -> bool:
    """Whether a machine that was started from a state runs; once all of it is there, it is let run."""
    try:
        if (status := monitor.tell(running, "query-status")["status"]) == "paused":
            monitor.tell(running, "cont")
    except HostError:  # QEMU is not there yet
        return False
    return bool(status in {"paused", "running"})


def _write_memory(running: Path, target: Path) -> None:
    monitor.tell(running, "migrate-set-parameters", **{"max-bandwidth": 1 << 40})
    monitor.tell(running, "migrate", uri=f"exec:cat >{shlex.quote(str(target))}")
    end = time.monotonic() + TIMEOUT
    while (status := monitor.tell(running, "query-migrate").get("status")) != "completed":
        if status in {"failed", "cancelled"} or time.monotonic() > end:
            raise HostError(f"QEMU could not write the machine's memory to {target}: {status}")
        time.sleep(LOOK)


def _digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a state, by name."""
    return {file.name: files.sha256_file(file) for file in folder.iterdir() if file.name != DIGESTS}


def _folder(base: Base, acceleration: Acceleration) -> Path:
    """Where the state is that this host, with its programs and processor, can go on from."""
    programs = [Path(found).stat() for name in ("qemu-system-x86_64", "packer") if (found := shutil.which(name))]
    inputs = [
        *(f"{program.st_size} {program.st_mtime_ns}" for program in programs),
        f"{acceleration.accelerator} {acceleration.cpu} {os.uname().release}",
        *_processor(),
        *((paths.REPOSITORY / "packer" / name).read_text() for name in ("qemu.pkr.hcl", "plugins.json")),
        inspect.getsource(access),
    ]
    return base.folder / f"booted-{hashlib.sha256(chr(0).join(inputs).encode()).hexdigest()[:16]}"


def _processor() -> tuple[str, ...]:
    """What the kernel says of the first processor, without what changes from moment to moment."""
    first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    return tuple(line for line in first if line.startswith(("model", "flags", "stepping", "microcode", "Features")))
