"""A QEMU machine: its specification, the command line that starts it, and a running one to talk to.

``boot``, the fleet, the tests and the benchmarks all start their machines here, so that they all
start the same one: the sealed disk under a temporary overlay, firmware as in a cloud,
the console on a serial port, user-data on a CD.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldnode import files
from goldnode.errors import BakeError, ImageError
from goldnode.run import CommandError, run, spawn, stop_group
from goldnode.vm import guard
from goldnode.vm.accel import Acceleration

OVMF = Path("/usr/share/ovmf/OVMF.fd")
#: Terminal control sequences, which firmware and systemd send and which do not belong in a log.
CONTROL = re.compile(rb"\x1b(\[[0-9;?=!]*[A-Za-z]|[()][A-Z0-9]|[=>c7-8])")


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card.

    Attributes:
        netdev: QEMU's ``-netdev`` value without the id, as ``user,restrict=on`` or ``socket,mcast=…``.
        mac: Its address.
    """

    netdev: str
    mac: str


def user_network(forwards: dict[int, int] | None = None, *, restrict: bool = False) -> str:
    """A private network with the host as gateway.

    Args:
        forwards: Port on the host's loopback interface → port of the guest, TCP.
        restrict: Keep the guest from reaching anything.
    """
    options = [f",hostfwd=tcp:127.0.0.1:{outside}-:{inside}" for outside, inside in (forwards or {}).items()]
    return f"user,restrict={'on' if restrict else 'off'}{''.join(options)}"


@dataclass(frozen=True, slots=True)
class QemuSpec:
    """Everything that defines a machine.

    Attributes:
        disk: Its first disk, qcow2, written to: an overlay, or a copy.
        firmware: BIOS or UEFI.
        seed: ISO with user-data and meta-data (``seed_iso``); None for a machine without user-data.
        nics: Network cards, the first is eth0.
        volumes: Further disks, qcow2.
        cpus: Processors.
        memory: MiB.
        console: File that records the serial console; None for this terminal.
        verdict: File behind the virtio serial port ``goldnode``: what the guest reports about itself.
        identity: SMBIOS system UUID; empty for a random one.
        extra: Further arguments.
    """

    disk: Path
    firmware: Firmware = Firmware.UEFI
    seed: Path | None = None
    nics: tuple[Nic, ...] = (Nic("user", "52:54:00:67:6e:01"),)
    volumes: tuple[Path, ...] = ()
    cpus: int = 2
    memory: int = 1024
    console: Path | None = None
    verdict: Path | None = None
    identity: str = ""
    extra: tuple[str, ...] = ()


def command(spec: QemuSpec, acceleration: Acceleration) -> list[str]:
    """The command line that starts ``spec``; the same for the same spec."""
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", f"q35,accel={acceleration.accelerator}", "-cpu", acceleration.cpu,
            "-smp", str(spec.cpus), "-m", str(spec.memory)]  # fmt: skip
    if spec.firmware is Firmware.UEFI:
        argv += ["-bios", str(OVMF)]
    for disk in (spec.disk, *spec.volumes):
        argv += ["-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap"]
    if spec.seed:
        argv += ["-drive", f"file={spec.seed},if=virtio,format=raw,readonly=on"]
    for number, nic in enumerate(spec.nics):
        kind, _, options = nic.netdev.partition(",")
        argv += ["-netdev", ",".join([kind, f"id=net{number}", *([options] if options else [])])]
        argv += ["-device", f"virtio-net-pci,netdev=net{number},mac={nic.mac}"]
    argv += ["-serial", f"file:{spec.console}"] if spec.console else ["-serial", "mon:stdio"]
    if spec.verdict:
        argv += ["-device", "virtio-serial-pci", "-chardev", f"file,id=verdict,path={spec.verdict}",
                 "-device", "virtserialport,chardev=verdict,name=goldnode"]  # fmt: skip
    if spec.identity:
        argv += ["-uuid", spec.identity]
    return [*argv, *spec.extra]


def overlay(backing: Path, target: Path) -> Path:
    """Make a disk that reads from ``backing`` and writes to ``target``, instantly.

    Raises:
        ImageError: ``backing`` is not a qcow2 image.
    """
    try:
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing.resolve(), target])
    except CommandError as error:
        raise ImageError(f"{backing} is not a qcow2 image", hint=f"./invoke image show {backing}") from error
    return target


def seed_iso(target: Path, user_data: str, *, instance: str, network_config: str = "") -> Path:
    """Make a CD that cloud-init's NoCloud source reads.

    Args:
        target: The ISO to write.
        user_data: What a person would paste into a cloud console.
        instance: The instance id; to cloud-init, a new one means a new machine.
        network_config: Network configuration, version 2; empty for DHCP on the first card.
    """
    folder = target.with_suffix(".d")
    files.write_atomic(folder / "user-data", user_data)
    files.write_atomic(folder / "meta-data", f"instance-id: {instance}\nlocal-hostname: {instance}\n")
    if network_config:
        files.write_atomic(folder / "network-config", network_config)
    run(
        [
            "xorriso",
            "-as",
            "mkisofs",
            "-quiet",
            "-volid",
            "cidata",
            "-rational-rock",
            "-joliet",
            "-output",
            target,
            folder,
        ]
    )
    return target


def read_console(file: Path) -> str:
    """The text of a recorded console, for people; empty while nothing is recorded."""
    if not file.exists():
        return ""
    return CONTROL.sub(b"", file.read_bytes()).decode("utf-8", "replace").replace("\r", "")


class RunningVm:
    """A running machine.

    Args:
        spec: What was started.
        process: The guard around QEMU.
    """

    def __init__(self, spec: QemuSpec, process: subprocess.Popen[bytes]) -> None:
        self.spec, self.process = spec, process
        self.started = time.monotonic()

    def console(self) -> str:
        """What its console has printed so far."""
        return read_console(self.spec.console) if self.spec.console else ""

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait until the console matches.

        Raises:
            BakeError: It did not match within ``timeout`` seconds, or the machine ended; shows the last lines.
        """
        while True:
            ended = self.process.poll() is not None
            if found := re.search(pattern, self.console()):
                return found
            late = time.monotonic() - self.started > timeout
            if ended or late:
                tail = "\n".join(self.console().splitlines()[-25:])
                why = "ended" if ended else f"did not within {timeout:.0f} s"
                raise BakeError(
                    f"the machine should have printed {pattern!r} and {why}; its console's last lines:\n{tail}"
                )
            time.sleep(0.1)


@contextlib.contextmanager
def running(spec: QemuSpec, acceleration: Acceleration) -> Iterator[RunningVm]:
    """Start a machine; it ends with the block, or when we are killed."""
    with spawn(guard.command(command(spec, acceleration)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        machine = RunningVm(spec, process)
        try:
            yield machine
        finally:
            stop_group(process)
