"""This machine: its identity, its uptime, its addresses.

A node's keys are bound to the machine they were made on: cloud-init's instance-id and the DMI
UUID together.  A snapshot or a copied disk has another pair, and is recognised.  The machine's
identity at the time of configuration is stored, so that a boot without a metadata service counts as
the same machine, and a refusal can say which fact changed.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node.layout import Layout
from goldnode.protocol.address import is_dialable
from goldnode.run import run

#: cloud-init's instance ID for a machine without metadata, which identifies no machine.
NO_DATASOURCE = "iid-datasource-none"
#: DMI UUIDs that firmware shows if it has none, and one that a vendor shipped by the thousand.
NO_UUID = re.compile(r"[0-]*|[f-]*|not .*|03000200-0400-0500-0006-000700080009")
#: cloud-init's sources of user-data on the machine itself: a CD, a label, the firmware.
LOCAL_SOURCES = ("DataSourceNoCloud", "DataSourceConfigDrive", "DataSourceNone")


@dataclass(frozen=True, slots=True)
class Machine:
    """What distinguishes this machine from every other.

    Attributes:
        instance_id: cloud-init's instance ID, or the stored one if cloud-init has none on this boot.
        dmi_uuid: The firmware's UUID; empty if there is none (containers).
        machine_id: systemd's machine ID, made on first boot.
        boot_id: The kernel's boot ID, new on every boot.
    """

    instance_id: str
    dmi_uuid: str
    machine_id: str
    boot_id: str

    @property
    def binding(self) -> str:
        """A digest of what stays the same on this machine, and differs on every other.

        The machine-id takes the place of the other two if neither exists, as in a container.
        """
        parts = (self.instance_id, self.dmi_uuid) if self.instance_id or self.dmi_uuid else (self.machine_id,)
        return hashlib.sha256("\0".join(("goldnode machine", *parts)).encode()).hexdigest()


def read(layout: Layout) -> Machine:
    """Read this machine's identity.

    A machine whose metadata service is gone has no instance ID on this boot, or cloud-init's for
    "none"; with the DMI UUID and machine-id of the time when it was configured, it is the same.
    """
    now, known = observe(layout), recall(layout)
    if known and known.dmi_uuid and (known.dmi_uuid, known.machine_id) == (now.dmi_uuid, now.machine_id):
        unknown = now.instance_id in ("", NO_DATASOURCE)
        if unknown or now.instance_id in _accepted(layout):
            return replace(now, instance_id=known.instance_id)
    return now


def observe(layout: Layout) -> Machine:
    """This machine's identity as far as this boot shows it."""
    uuid = _text(layout, "/sys/class/dmi/id/product_uuid").lower()
    return Machine(
        instance_id=_text(layout, "/var/lib/cloud/data/instance-id"),
        dmi_uuid="" if NO_UUID.fullmatch(uuid) else uuid,
        machine_id=_text(layout, "/etc/machine-id"),
        boot_id=_text(layout, "/proc/sys/kernel/random/boot_id"),
    )


def recall(layout: Layout) -> Machine | None:
    """The machine that was configured with this disk; None if none was, or it is unknown."""
    document = _memory(layout)
    facts = [document.get(name) for name in ("instance_id", "dmi_uuid", "machine_id")]
    instance, uuid, machine_id = (fact if isinstance(fact, str) else None for fact in facts)
    if instance is None or uuid is None or machine_id is None:
        return None
    return Machine(instance, uuid, machine_id, boot_id="")


def remember(layout: Layout) -> None:
    """Store which machine was configured, and whether its user-data came over the network.

    /usr/lib/systemd/system-generators/goldnode-known reads this file: it keeps cloud-init off on
    later boots of a machine that would ask the network for what it knows.
    """
    now, before = read(layout), recall(layout)
    source = _text(layout, "/var/lib/cloud/instance/datasource")
    facts = {"instance_id": now.instance_id, "dmi_uuid": now.dmi_uuid, "machine_id": now.machine_id}
    metadata = "network" if source and not source.startswith(LOCAL_SOURCES) else "local"
    accepted = _accepted(layout) if before and before.dmi_uuid == now.dmi_uuid else []
    document = {"version": 1, **facts, "metadata": metadata, "also": accepted}
    if document != _memory(layout):
        write_json(layout.state / MEMORY, document)


def accept(layout: Layout) -> str:
    """Accept this boot's instance ID as another name of the configured machine.

    Returns:
        The instance ID.

    Raises:
        SafetyError: It is another machine: the firmware or the machine-id differ too.
    """
    now, known = observe(layout), recall(layout)
    if known is None or not known.dmi_uuid:
        raise SafetyError("it is unknown which machine this was: it has no DMI UUID, or was never configured",
                          hint="goldnode status")  # fmt: skip
    if (known.dmi_uuid, known.machine_id) != (now.dmi_uuid, now.machine_id):
        raise SafetyError(f"this is another machine: {changes(layout)}",
                          hint="goldnode handover on the old one, or a new invite")  # fmt: skip
    document = _memory(layout)
    write_json(layout.state / MEMORY, {**document, "also": sorted({*_accepted(layout), now.instance_id})})
    return now.instance_id


def changes(layout: Layout) -> str:
    """The facts that differ from the machine that was configured with this disk, as clauses; empty for none."""
    now, known = read(layout), recall(layout)
    if known is None:
        return ""
    names = (("instance ID", "instance_id"), ("DMI UUID", "dmi_uuid"), ("machine-id", "machine_id"))
    pairs = [(name, getattr(known, field), getattr(now, field)) for name, field in names]
    return "; ".join(
        f"its {name} was {old or 'none'} and is {new or 'none'}" if old != new else f"its {name} is the same"
        for name, old, new in pairs
        if (old or new) and any(was != is_now for _, was, is_now in pairs)
    )


#: The file in the machine's state that names the configured machine.
MEMORY = "machine.json"


def _memory(layout: Layout) -> dict[str, Any]:
    try:
        document = json.loads((layout.state / MEMORY).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _accepted(layout: Layout) -> list[str]:
    also = _memory(layout).get("also", [])
    return [each for each in also if isinstance(each, str)] if isinstance(also, list) else []


def seconds_since_power_on() -> float:
    """Seconds since the kernel started, including suspended time: the base for `ready`."""
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
    """Wait until a path exists; returns whether it does."""
    end = time.monotonic() + timeout
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.2)
    return path.exists()
