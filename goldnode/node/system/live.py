"""The machine itself, as the rest of the node's code asks for it (`goldnode.node.system.system.System`)."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import socket
from pathlib import Path

from goldnode.config.choices import MeshKind
from goldnode.errors import HostError
from goldnode.node.plan.mesh import MeshPlan
from goldnode.node.system import machine
from goldnode.node.system.unit import PROPERTIES, Unit, parse_units
from goldnode.run import run

#: Log lines that show why a daemon ended: a panic's message comes first, then some sixty lines of goroutines.
TAIL = 120
#: Seconds that each of these commands may take.
TIMEOUT = 60.0
#: Applies files of kernel settings, as systemd does at boot.
SYSCTL = "/usr/lib/systemd/systemd-sysctl"
#: Seconds VPNCloud may take to open its device on a machine that is busy booting.
TUNNEL_APPEARS = 30.0


class LiveSystem:
    """The machine itself."""

    def make_users(self) -> None:
        """Make the users that /etc/sysusers.d names."""
        run(["systemd-sysusers"], timeout=TIMEOUT)

    def own(self, path: Path, user: str, group: str) -> bool:
        """Give a file to a user; returns whether it was somebody else's."""
        before, wanted = path.lstat(), (self.uid(user), grp.getgrnam(group).gr_gid)
        if (before.st_uid, before.st_gid) == wanted:
            return False
        # Never through a link: the folder may belong to a compromised daemon.
        os.chown(path, *wanted, follow_symlinks=False)
        return True

    def own_folder(self, handle: int, user: str, group: str, *, tree: bool) -> bool:
        """Give an open folder to a user, with ``tree`` all that is in it; returns whether it was somebody else's."""
        before, wanted = os.fstat(handle), (self.uid(user), grp.getgrnam(group).gr_gid)
        if (before.st_uid, before.st_gid) == wanted:
            return False
        os.fchown(handle, *wanted)
        if tree:
            # Each folder is opened relative to its parent, and no link is followed on the way.
            for _, folders, files, inside in os.fwalk(".", dir_fd=handle):
                for name in [*folders, *files]:
                    os.chown(name, *wanted, dir_fd=inside, follow_symlinks=False)
        return True

    def load_firewall(self, ruleset: Path) -> None:
        """Load a ruleset, in one transaction."""
        run(["nft", "-f", ruleset], timeout=TIMEOUT)

    def raise_mesh(self, mesh: MeshPlan, *, changed: bool) -> None:
        """Bring a mesh interface to what its plan says."""
        if mesh.kind is MeshKind.WIREGUARD:
            if not _exists(mesh.interface):
                self.add_wireguard(mesh.interface)
            run(["wg", "syncconf", mesh.interface, mesh.path], timeout=TIMEOUT)
            for line in mesh.device:
                _ip(*line.split())
        else:
            unit = f"goldnode-vpncloud@{mesh.node}.service"
            if changed or not self.units(unit)[unit].active:
                # It reads its trusted keys only at start.
                self.restart(unit)
            if not machine.appears(Path("/sys/class/net", mesh.interface), TUNNEL_APPEARS):
                raise HostError(f"{unit} made no {mesh.interface}", hint=f"journalctl -u {unit}")
        table, rules = str(mesh.table), _rules(str(mesh.table))
        if not rules:
            _ip("-6", "rule", "add", "pref", table, "from", mesh.address, "lookup", table)
        for uid in {self.uid(user) for user in mesh.users} - {rule.get("uid_start") for rule in rules}:
            _ip("-6", "rule", "add", "pref", table, "uidrange", f"{uid}-{uid}", "lookup", table)

    def uid(self, user: str) -> int:
        """A user's numeric ID."""
        return pwd.getpwnam(user).pw_uid

    def add_wireguard(self, interface: str) -> None:
        """Make a WireGuard interface."""
        _ip("link", "add", interface, "type", "wireguard")

    def lower_mesh(self, node: str, interface: str, table: int) -> None:
        """Take away the mesh interface of a node that left, and its way through the routing tables."""
        self.stop(f"goldnode-vpncloud@{node}.service")
        if _exists(interface):
            _ip("link", "delete", interface)
        for _ in _rules(str(table)):
            _ip("-6", "rule", "delete", "table", str(table))

    def load_sysctls(self, path: Path) -> None:
        """Apply a file of kernel settings; one that this kernel lacks is reported, and the others apply."""
        done = run([SYSCTL, path], timeout=TIMEOUT, check=False)
        for line in done.stderr.splitlines():
            self.say(line)

    def reload_units(self) -> None:
        """Let systemd read its units again."""
        run(["systemctl", "daemon-reload"], timeout=TIMEOUT)

    def start(self, unit: str) -> None:
        """Start a unit without waiting."""
        run(["systemctl", "start", "--no-block", unit], timeout=TIMEOUT)

    def stop(self, unit: str) -> None:
        """Stop a unit and wait."""
        run(["systemctl", "stop", unit], timeout=2 * TIMEOUT)

    def restart(self, unit: str) -> None:
        """Restart a unit without waiting."""
        run(["systemctl", "restart", "--no-block", unit], timeout=TIMEOUT)

    def units(self, *names: str) -> dict[str, Unit]:
        """What systemd says of units, by name.

        Raises:
            CommandError, HostError: It does not answer: whether a node runs is then not known, which is not "no".
        """
        if not names:
            return {}
        return parse_units(run(["systemctl", "show", "--property", PROPERTIES, *names], timeout=TIMEOUT).stdout, names)

    def say(self, line: str) -> None:
        """Tell whoever watches the console: the units that call this print there."""
        print(f"goldnode: {line}", flush=True)

    def reload_login(self) -> None:
        """Let login prompts show the new banner."""
        # agetty creates the file when it starts, which may be after this unit's view of /run was set up.
        with contextlib.suppress(OSError):
            os.utime("/run/agetty.reload")

    def addresses(self) -> tuple[str, ...]:
        """Addresses of this machine that others can dial."""
        return machine.public_addresses()

    def handshakes(self, interface: str) -> str:
        """What ``wg show INTERFACE dump`` says."""
        return run(["wg", "show", interface, "dump"], timeout=TIMEOUT, check=False).stdout

    def answers(self, address: str, port: int, source: str) -> bool:
        """Whether somebody accepts a TCP connection from one of our addresses."""
        try:
            socket.create_connection((address, port), timeout=1.0, source_address=(source, 0)).close()
        except OSError:
            return False
        return True

    def log_tail(self, unit: str) -> str:
        """The last lines a unit logged."""
        return run(["journalctl", "-u", unit, "-n", str(TAIL), "-o", "cat"], timeout=TIMEOUT, check=False).stdout

    def log_since(self, unit: str, seconds: int, most: int) -> str:
        """What a unit logged in the last seconds, the last lines of it."""
        argv = ["journalctl", "-u", unit, "--since", f"-{seconds}s", "-n", str(most), "-o", "cat", "--no-pager"]
        return run(argv, timeout=TIMEOUT, check=False).stdout

    def log_find(self, unit: str, words: str) -> str:
        """The last line with these words from the unit's current run; empty for none."""
        run_id = run(
            ["systemctl", "show", "--value", "--property", "InvocationID", unit], timeout=TIMEOUT
        ).stdout.strip()
        match = f"_SYSTEMD_INVOCATION_ID={run_id}"
        argv = ["journalctl", match, "--grep", words, "--case-sensitive=true", "-n", "1", "-o", "cat", "--no-pager"]
        return run(argv, timeout=TIMEOUT, check=False).stdout if run_id else ""


def _ip(*words: str) -> None:
    run(["ip", *words], timeout=TIMEOUT)


def _exists(interface: str) -> bool:
    return run(["ip", "link", "show", "dev", interface], timeout=TIMEOUT, check=False).returncode == 0


def _rules(table: str) -> list[dict[str, object]]:
    """The routing rules that lead to a table."""
    rules = json.loads(run(["ip", "-6", "-json", "rule", "show"], timeout=TIMEOUT).stdout or "[]")
    return [rule for rule in rules if str(rule.get("table")) == table]
