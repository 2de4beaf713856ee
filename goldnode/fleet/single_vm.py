"""A single machine in its own namespaces: for boot tests and for measuring a boot.

QEMU's user network gives the guest DHCP and access to the namespace's loopback, where a
rendezvous and a user-data server listen.  No packet leaves the namespace.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from goldnode.errors import HostError
from goldnode.fleet.namespace import Namespace
from goldnode.paths import REPOSITORY
from goldnode.vm import machine, monitor
from goldnode.vm.accel import Acceleration
from goldnode.vm.machine import Nic, QemuSpec

#: The namespace's loopback, as a guest sees it.
HOST = "10.0.2.2"
RENDEZVOUS = f"http://{HOST}:8700"
#: Seconds to wait, from power-on; a single machine takes 40 without KVM, and ten times as long beside other work.
TIMEOUT = 800.0
#: A guest's forwarded port has this added inside the namespace.
FORWARD = 10000
POLL = 0.1


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A place for machines.

    Attributes:
        folder: All its files.
        acceleration: QEMU's accelerator.
    """

    folder: Path
    acceleration: Acceleration

    @property
    def namespace(self) -> Namespace:
        """Its namespaces."""
        return Namespace(self.folder)

    def open(self) -> None:
        """Make the namespaces, with a rendezvous."""
        self.namespace.make()
        self.namespace.run(["ip", "link", "set", "lo", "up"])
        database = str(self.folder / "rendezvous.sqlite")
        self.serve("rendezvous", "goldnode.rendezvous", "--listen", "127.0.0.1:8700", "--database", database)

    def serve(self, name: str, module: str, *arguments: str) -> None:
        """Run a Python module, of this repository or the standard library, inside."""
        argv = [sys.executable, "-m", module, *arguments]
        self.namespace.start(name, argv, cwd=REPOSITORY, log=self.folder / f"{name}.log")

    def boot(self, name: str, image: Path, spec: QemuSpec, ports: tuple[int, ...] = ()) -> SandboxVm:
        """Switch a machine on.

        Args:
            name: Its name.
            image: Its disk's backing image, if the disk does not exist yet.
            spec: The machine; console and network are set here.
            ports: TCP ports of the guest to forward from the namespace.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if not spec.disk.exists():
            machine.overlay(image, spec.disk)
        forwards = machine.user_network({FORWARD + port: port for port in ports})
        console = folder / f"console-{len(list(folder.glob('console-*')))}.log"
        nics = (Nic(forwards, "52:54:00:67:6e:01"),)
        whole = replace(spec, nics=nics, console=console, extra=(*spec.extra, *monitor.ARGUMENTS))
        started = time.monotonic()
        argv = machine.command(whole, self.acceleration)
        self.namespace.start(name, argv, cwd=folder, log=folder / "qemu.log")
        return SandboxVm(self, name, console, started)


@dataclass(frozen=True, slots=True)
class SandboxVm:
    """A machine that has been switched on.

    Attributes:
        sandbox: Its sandbox.
        name: Its name.
        log: Its console log.
        started: When it was switched on, on the monotonic clock.
    """

    sandbox: Sandbox
    name: str
    log: Path
    started: float

    @property
    def console(self) -> str:
        """The console output so far."""
        return machine.read_console(self.log)

    def wait_for(self, pattern: str, times: int = 1) -> str:
        """Wait until the console matches that many times.

        Returns:
            The last match's first group, or the whole match.

        Raises:
            HostError: It did not match in time, or the machine ended; shows the last lines.
        """
        end = time.monotonic() + TIMEOUT
        while len(found := list(re.finditer(pattern, self.console))) < times:
            ended = self.sandbox.namespace.programs().get(self.name, 1) is not None
            if ended or time.monotonic() > end:
                tail = "\n".join(self.console.splitlines()[-25:])
                raise HostError(
                    f"{self.name} should have printed {pattern!r}; {'it ended' if ended else 'too late'}:\n{tail}"
                )
            time.sleep(POLL)
        return found[-1][1] if found[-1].groups() else found[-1][0]

    def reset(self) -> None:
        """Press the reset button."""
        monitor.tell(self.sandbox.folder / self.name, "system_reset")

    def off(self) -> None:
        """Cut its power."""
        self.sandbox.namespace.stop(self.name)
