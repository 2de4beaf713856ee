"""A machine that costs nothing: a kernel of eight bytes that sleeps for ever, so that Packer waits in vain.

Run as a program, it bakes with it until somebody ends it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from goldnode.bake.base import Base
from goldnode.bake.vm import golden_vm
from goldnode.config import network
from goldnode.progress import SILENT
from goldnode.run import run
from goldnode.vm import guard
from goldnode.vm.accel import Acceleration, Accelerator

ACCELERATION = Acceleration(Accelerator.TCG, "max", "asked for")
SECTOR = 512


def kernel() -> bytes:
    """What QEMU takes for Linux: a boot sector that says so, and one sector of setup code that halts."""
    image = bytearray(4 * SECTOR)
    image[0x1F1] = 1  # sectors of setup code
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\x66"  # jump over the header
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = struct.pack("<H", 0x0202)  # from 0x0203 on it would have to say where its initrd may lie
    image[0x268:0x26C] = b"\xfa\xf4\xeb\xfd"  # cli; again: hlt; jmp again
    return bytes(image)


def base(folder: Path) -> Base:
    """A base that never comes up."""
    folder.mkdir()
    (folder / "vmlinuz").write_bytes(kernel())
    (folder / "initrd.img").write_bytes(b"\0")
    made = Base(folder, "tiny", (), datetime(2026, 1, 1, tzinfo=UTC))
    run(["qemu-img", "create", "-q", "-f", "qcow2", made.disk, "1280M"])
    return made


def bake(folder: Path) -> None:
    """Bake with it: this goes on until something fails."""
    bake_from(base(folder / "base"), folder)


def bake_from(base: Base, folder: Path) -> None:
    """Bake with such a base, which is in the same folder."""
    payload = folder / "payload.tar"
    payload.write_bytes(b"\0" * 10240)
    shop = folder / "shop"
    shop.mkdir()
    golden_vm.run_packer(base, payload, shop, ACCELERATION, SILENT, network=network.load("localnet"))


def descendants(root: int, command: str) -> list[int]:
    """Living processes below ``root`` whose command line begins with ``command``, wherever the program lies."""
    found = []
    for pid in guard.descendants(root):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if " ".join([Path(words[0]).name, *words[1:]]).startswith(command):
                found.append(pid)
    return found


def wait_for(root: int, command: str, seconds: float = 240) -> int:
    """The first process below ``root`` with such a command line, as soon as there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := descendants(root, command):
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(command)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=os.environ["GOLDNODE_OUT"]) as name:
        bake(Path(name))
    sys.exit(0)
