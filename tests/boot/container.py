"""The sealed image's tree as a container: systemd, cloud-init and the node program at native speed, in two seconds.

The tree is the lower layer of an overlay that lives as long as one boot, user-data lies where
cloud-init's NoCloud source looks for it, and there is no network but loopback.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldnode.node.layout import Layout
from goldnode.run import run, spawn
from goldnode.vm import guard
from goldnode.vm.machine import read_console

#: Which machine cloud-init takes each of these containers for.
INSTANCE_ID = "container"
SEED = "var/lib/cloud/seed/nocloud"
#: A container without a network would wait two minutes for one.
WAIT_ONLINE = "etc/systemd/system/systemd-networkd-wait-online.service"
TIMEOUT = 120.0


@dataclass
class Container:
    """A container that runs.

    Attributes:
        layer: What this boot wrote, over the sealed tree.
        log: Its console.
        process: systemd-nspawn.
    """

    layer: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def console(self) -> str:
        """What it said so far."""
        return read_console(self.log)

    @property
    def leader(self) -> int:
        """The process on this machine that is its first one."""
        return next(pid for pid in guard.descendants(self.process.pid) if _is_first(pid))

    def wait_for(self, pattern: str, seconds: float = TIMEOUT) -> None:
        """Wait until the console matches."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.console):
            assert self.process.poll() is None, f"the container ended:\n{self.console[-2000:]}"
            assert time.monotonic() < end, f"it should have printed {pattern!r}:\n{self.console[-4000:]}"
            time.sleep(0.1)

    def ask(self, *argv: str, patience: float = 60.0) -> str:
        """What a command in it prints, whatever it exits with."""
        return run([*self._inside(), *argv], check=False, timeout=patience).stdout

    def running(self, *argv: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """A command in it that runs while the block does; its input and output are ours."""
        return spawn([*self._inside(), *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self.leader), "--all", "--"]

    def listening(self) -> list[str]:
        """Sockets that wait for anybody from outside: `tcp ADDRESS:PORT`."""
        lines = [line.split() for line in self.ask("ss", "-Hltu", "-n").splitlines()]
        local = ("127.", "[::1]", "[::ffff:127.")
        return sorted(f"{words[0]} {words[4]}" for words in lines if not words[4].startswith(local))

    def units(self) -> list[str]:
        """Units that run or were to run, but for the one that configures and the one that it waits for."""
        listed = self.ask("systemctl", "list-units", "--all", "--no-legend", "--plain", "goldnode-*")
        return sorted(
            line.split()[0]
            for line in listed.splitlines()
            if line.split()[2] != "inactive" and not line.startswith(("goldnode-configure.", "goldnode-user-data."))
        )


@contextlib.contextmanager
def container(
    tree: Path,
    folder: Path,
    user_data: str,
    before: Callable[[Layout], None] = lambda _: None,
    devices: Sequence[str] = (),
) -> Iterator[Container]:
    """Boot the tree with this user-data.

    Args:
        tree: The sealed image's root filesystem.
        folder: An empty folder for this boot, or that of an earlier one, whose state it goes on with.
        user_data: What a person would paste; empty for a machine that nobody told anything.
        before: Writes what is on the disk already.
        devices: Device nodes of this machine that it has too.
    """
    layer, work, merged = (folder / name for name in ("layer", "work", "merged"))
    for path in (layer / SEED, work, merged):
        path.mkdir(parents=True, exist_ok=True)
    if user_data:
        (layer / SEED / "user-data").write_text(user_data)
        (layer / SEED / "meta-data").write_text(f"instance-id: {INSTANCE_ID}\nlocal-hostname: container\n")
    before(Layout(layer))
    (layer / WAIT_ONLINE).parent.mkdir(parents=True, exist_ok=True)
    if not (layer / WAIT_ONLINE).is_symlink():
        (layer / WAIT_ONLINE).symlink_to("/dev/null")
    mount = f"mount -t overlay overlay -o lowerdir={tree},upperdir={layer},workdir={work} {merged}"
    # Our own machine may have no machine-id to link journals by, as a fresh container has none.
    alone = "--register=no --keep-unit --private-network --link-journal=no"
    boot = f"systemd-nspawn -q -b -D {merged} {alone} --console=read-only"
    boot += "".join(f" --bind={device}" for device in devices)
    argv = ["unshare", "--mount", "sh", "-c", f"{mount} && exec {boot} --machine=goldnode-{os.getpid()}"]
    log = folder / "console.log"
    with log.open("wb") as stream, spawn(guard.command(argv), stdin=subprocess.PIPE, stdout=stream) as process:
        yield Container(layer, log, process)


def _is_first(pid: int) -> bool:
    """Whether a process is the first of a PID namespace below ours; one that ended since it was listed is not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
    return len(numbers) > 1 and numbers[-1] == "1"
