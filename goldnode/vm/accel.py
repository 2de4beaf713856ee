"""Which accelerator QEMU really has here: probed, never inferred from ``/dev/kvm``.

On some hosts the device opens but no kernel ever starts (nested virtualisation that is switched
off half way), and Packer would silently fall back, or hang until its time is up.  So a kernel is
started, and has to speak within a few seconds.  The answer holds until this machine reboots, so it
is remembered under its boot id.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from goldnode import files, paths
from goldnode.errors import HostError
from goldnode.run import spawn

#: Seconds until a kernel's first output under KVM; measured 0.6 on a slow host.
TIMEOUT = 6.0


class Accelerator(StrEnum):
    """How QEMU runs the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


class AccelMode(StrEnum):
    """The accelerator that a person may ask for."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


#: The processor to emulate: x86-64-v2 and a source of randomness.  A boot of `max`, which has all that QEMU knows,
#: takes a third longer: the C library then works in 256 bits at once, which is emulated piece by piece.
EMULATED = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"


@dataclass(frozen=True, slots=True)
class Acceleration:
    """The accelerator found, and why: both go into the manifest.

    Attributes:
        accelerator: Passed to QEMU.
        cpu: QEMU's ``-cpu``; the default model is too old for programs built for x86-64-v2.
        reason: One clause for people.
    """

    accelerator: Accelerator
    cpu: str
    reason: str


def choose(mode: AccelMode, kernel: Path | None = None) -> Acceleration:
    """Probe this machine.

    Args:
        mode: ``auto`` probes.
        kernel: A Linux kernel to start; None takes one from the bases in the cache.

    Raises:
        HostError: KVM was asked for and does not work.
    """
    if mode is AccelMode.TCG:
        return Acceleration(Accelerator.TCG, EMULATED, "asked for")
    works, reason = _remembered_probe(kernel)
    if works:
        return Acceleration(Accelerator.KVM, "host", reason)
    if mode is AccelMode.KVM:
        raise HostError(f"KVM cannot be used: {reason}", hint="the same command with --accel tcg (slower)")
    return Acceleration(Accelerator.TCG, EMULATED, f"no KVM: {reason}")


def remembered() -> str:
    """What the last probe on this machine found, for people; empty if there was none since it booted."""
    known = _memory()
    return f"{Accelerator.KVM if known['works'] else Accelerator.TCG} ({known['reason']})" if known else ""


def _remembered_probe(kernel: Path | None) -> tuple[bool, str]:
    if known := _memory():
        return known["works"], known["reason"]
    kernel = kernel or next(iter(sorted((paths.cache() / "bases").glob("*/vmlinuz"))), None)
    if kernel is None:
        return False, "not probed: there is no kernel in the cache"
    works, reason = _probe(kernel)
    files.write_json(_file(), {"boot": _boot_id(), "works": works, "reason": reason})
    return works, reason


def _memory() -> dict[str, Any] | None:
    if not _file().exists():
        return None
    known: dict[str, Any] = json.loads(_file().read_text())
    return known if known["boot"] == _boot_id() else None


def _file() -> Path:
    return paths.cache() / "accelerator.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _probe(kernel: Path) -> tuple[bool, str]:
    device = Path("/dev/kvm")
    if not device.exists():
        return False, "there is no /dev/kvm"
    try:
        device.open("r+b", buffering=0).close()
    except OSError as error:
        return False, f"/dev/kvm: {error.strerror}"
    with tempfile.NamedTemporaryFile(prefix="goldnode-probe-") as console:
        argv = ["qemu-system-x86_64", "-machine", "q35,accel=kvm", "-cpu", "host", "-m", "256", "-nographic"]
        argv += ["-nodefaults", "-no-reboot", "-serial", f"file:{console.name}", "-kernel", str(kernel)]
        argv += ["-append", "console=ttyS0 panic=-1"]
        with spawn(argv, stderr=subprocess.DEVNULL) as process:
            try:
                # Without a root filesystem the kernel panics, and -no-reboot ends QEMU.
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                return False, f"/dev/kvm opens, but a kernel did not run within {TIMEOUT:.0f} s"
        if b"Linux version" not in Path(console.name).read_bytes():
            return False, f"/dev/kvm opens, but QEMU ended with {process.returncode} and no kernel spoke"
    return True, "a kernel ran under KVM"
