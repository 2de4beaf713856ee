"""The task that starts an image here, with its console in your terminal."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from goldnode.errors import InputError, UsageError
from goldnode.run import spawn
from goldnode.tasks import host
from goldnode.tasks.console import existing
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output
from goldnode.vm import machine
from goldnode.vm.accel import AccelMode, choose


@task(
    positional=["image"],
    iterable=["forward"],
    help={
        "image": "a baked image (out/*.qcow2); it is not written to",
        "user_data": "file with what a person would paste into a cloud console; without it the node has no role",
        "firmware": "uefi or bios",
        "forward": "HOST:GUEST, a TCP port of this machine that leads into the guest; may be repeated",
        "memory": "MiB",
        "accel": "auto (probe), kvm or tcg",
    },
)
def boot(
    _: Context,
    image: str,
    user_data: str = "",
    firmware: str = machine.Firmware.UEFI,
    forward: list[str] | None = None,
    memory: int = 1024,
    accel: str = AccelMode.AUTO,
) -> None:
    """Start an image in QEMU with its serial console in your terminal; everything it writes is discarded."""
    disk = existing(image, "image", "./invoke bake")
    network = machine.user_network(_forwards(forward or []))
    text = _user_data(user_data) if user_data else ""
    host.require([Need.MACHINE])
    acceleration = choose(AccelMode(accel))
    with tempfile.TemporaryDirectory(prefix="goldnode-boot-") as name:
        folder = Path(name)
        # An instance id of its own makes every start a first boot.
        instance = f"local-{int(time.time())}"
        seed = machine.seed_iso(folder / "seed.iso", text, instance=instance) if text else None
        spec = machine.QemuSpec(
            machine.overlay(disk, folder / "disk.qcow2"),
            firmware=machine.Firmware(firmware),
            seed=seed,
            nics=(machine.Nic(network, "52:54:00:67:6e:01"),),
            memory=memory,
        )
        output.tell(f"accelerator: {acceleration.accelerator} ({acceleration.reason}).  To stop: Ctrl-A, then X.")
        # The guard needs standard input for itself; here it is the guest's console.
        argv = ["setpriv", "--pdeathsig", "KILL", *machine.command(spec, acceleration)]
        with spawn(argv, stdin=sys.stdin.buffer, stdout=sys.stdout.buffer) as process:
            process.wait()


def _user_data(name: str) -> str:
    """What a person would paste.

    Raises:
        UsageError: It is missing.
        InputError: It is nothing cloud-init would act on.
    """
    text = existing(name, "user-data file", "./invoke cluster user-data --help").read_text()
    if not text.startswith(("#cloud-config", "#!", "Content-Type:", "## template:", "#include")):
        first = text.splitlines()[0][:40] if text else "nothing"
        raise InputError(
            f"{name}:1: cloud-init ignores user-data that begins with {first!r}", hint="begin it with #cloud-config"
        )
    return text


def _forwards(words: list[str]) -> dict[int, int]:
    try:
        return {int(outside): int(inside) for outside, inside in (word.split(":") for word in words)}
    except ValueError as error:
        raise UsageError(
            f"--forward {' '.join(words)}: HOST:GUEST, two port numbers", hint="--forward 2222:22"
        ) from error
