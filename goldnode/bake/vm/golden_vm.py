"""The machine of a golden bake: it boots the base, or goes on from where an earlier bake had booted it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from goldnode.bake import vmbake
from goldnode.bake.base import Base
from goldnode.bake.build_dir import short_name
from goldnode.bake.vm import access, booted, ssh_wait
from goldnode.config.network import Network
from goldnode.errors import BakeError, HostError
from goldnode.progress import Progress
from goldnode.vm import monitor
from goldnode.vm.accel import Acceleration


def run_packer(
    base: Base, payload: Path, build_dir: Path, acceleration: Acceleration, progress: Progress, *, network: Network
) -> vmbake.Sealed:
    """Boot the base, or go on from where it had booted; install, seal, power off.

    Raises:
        BakeError: It failed; the logs are kept under ``out/failed/``.
    """
    if (size := payload.stat().st_size) > booted.DRIVE:
        raise BakeError(f"{network.name} has {size >> 20} MiB of files; an image has room for {booted.DRIVE >> 20}",
                        hint=f"take files out of networks/{network.name}.yaml")  # fmt: skip
    os.truncate(payload, booted.DRIVE)
    if kept := booted.find(base, acceleration, build_dir):
        machine = GoldenVm(base, payload, build_dir, acceleration, kept.entry, kept)
        try:
            return machine.run(network, progress)
        except BakeError:
            booted.discard(kept.folder)  # it may have been the state that was wrong: the next bake boots
            if machine.answered:
                raise
    return GoldenVm(base, payload, build_dir, acceleration, access.grant(build_dir)).run(network, progress)


@dataclass(slots=True)
class GoldenVm:
    """The machine of a golden bake.

    Attributes:
        base: What it is booted from.
        payload: The file of its second drive.
        build_dir: Folder of this bake.
        acceleration: What runs it.
        entry: How Packer logs in.
        kept: The state it goes on from; None to boot.
        answered: Whether its SSH server listens.
    """

    base: Base
    payload: Path
    build_dir: Path
    acceleration: Acceleration
    entry: access.Access
    kept: booted.Booted | None = None
    answered: bool = False

    def run(self, network: Network, progress: Progress) -> vmbake.Sealed:
        """Have Packer bake in it.

        Raises:
            BakeError: It failed; the logs are kept under ``out/failed/``.
        """
        guest = ssh_wait.free_port()
        with (
            short_name(self.build_dir) as short,
            ssh_wait.proxy(guest, lambda: self._answers(short, progress)) as port,
        ):
            variables = {
                **vmbake.common(self.base, self.payload, self.build_dir, self.acceleration),
                "ssh_private_key_file": str(self.entry.private_key),
                "kernel": str(self.base.folder / "vmlinuz"),
                "initrd": str(self.base.folder / "initrd.img"),
                "credentials": [str(file) for file in self.entry.credentials],
                "monitor": str(short / monitor.SOCKET),
                "ssh_port": port,
                "guest_port": guest,
            }
            if self.kept:
                variables |= {"disk": str(self.kept.disk), "incoming": [self.kept.incoming]}
            vmbake.build("qemu.golden", variables, self.build_dir, progress, network=network)
        return vmbake.Sealed(self._disk, self.entry.public_key, layers=2 if self.kept else 1)

    @property
    def _disk(self) -> Path:
        return self.build_dir / "packer" / "disk.qcow2"

    def _answers(self, running: Path, progress: Progress) -> bool:
        """Whether its SSH server listens; a machine that was booted is kept in that moment."""
        if self.kept:
            self.answered = booted.resumed(running)
        elif ssh_wait.says(self.build_dir / "console.log", access.READY):
            self.answered = True
            with progress.step("keep the booted machine") as step:
                try:
                    booted.keep(self.base, self.acceleration, running, self._disk, self.entry)
                except HostError as error:
                    step.note(f"the next bake boots again: {error.message}")
        return self.answered
