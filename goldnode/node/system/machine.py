"""This machine: which one it is, how long it has been on, which addresses it has.

A node's keys are bound to the machine they were made on: cloud-init's instance-id and the DMI
UUID together.  A snapshot or a copied disk shows another pair, and is recognised.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from goldnode.node.layout import Layout
from goldnode.protocol.address import is_dialable
from goldnode.run import run


@dataclass(frozen=True, slots=True)
class Machine:
    """What tells this machine from every other.

    Attributes:
        instance_id: cloud-init's; empty when there was no user-data.
        dmi_uuid: The firmware's; empty where there is none (containers).
        machine_id: systemd's, made on first boot.
        boot_id: The kernel's, new on every boot.
    """

    instance_id: str
    dmi_uuid: str
    machine_id: str
    boot_id: str

    @property
    def binding(self) -> str:
        """A digest of what stays the same on this machine, and on no other.

        The machine-id stands in where neither of the other two exists, as in a container.
        """
        parts = (self.instance_id, self.dmi_uuid) if self.instance_id or self.dmi_uuid else (self.machine_id,)
        return hashlib.sha256("\0".join(("goldnode machine", *parts)).encode()).hexdigest()


def read(layout: Layout) -> Machine:
    """Read who this machine is."""
    return Machine(
        instance_id=_text(layout, "/var/lib/cloud/data/instance-id"),
        dmi_uuid=_text(layout, "/sys/class/dmi/id/product_uuid").lower(),
        machine_id=_text(layout, "/etc/machine-id"),
        boot_id=_text(layout, "/proc/sys/kernel/random/boot_id"),
    )


def seconds_since_power_on() -> float:
    """Seconds since the kernel started, suspended time included: what `ready` is measured by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def public_addresses() -> tuple[str, ...]:
    """Addresses of this machine that others on its network can dial, IPv4 first."""
    answer = run(["ip", "-json", "address", "show", "up"], timeout=10).stdout
    links = [link for link in json.loads(answer or "[]") if link.get("link_type") == "ether"]
    entries = [entry for link in links for entry in link.get("addr_info", []) if entry.get("scope") == "global"]
    found = [ipaddress.ip_address(entry["local"]) for entry in entries if is_dialable(entry["local"])]
    return tuple(str(address) for address in sorted(found, key=lambda each: (each.version, int(each))))


def architecture() -> str:
    """Debian's name of this machine's architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def _text(layout: Layout, path: str) -> str:
    try:
        return layout.at(path).read_text().strip()
    except OSError:
        return ""


def appears(path: Path, timeout: float) -> bool:
    """Wait until a path exists; whether it does."""
    end = time.monotonic() + timeout
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.2)
    return path.exists()
