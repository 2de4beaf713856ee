"""Where others reach this machine: at the public address that a cloud's router translates, or at its interfaces'.

On AWS and Google a machine's interface has a private address, and a router translates a public one to it: a node
that announced what ``ip address`` shows could not be dialled from outside.  cloud-init has read the cloud's metadata,
and leaves it in instance-data.json until its user-data is scrubbed; since a configured machine never asks the metadata
service again, what was found there is stored.  Google's metadata, as cloud-init keeps it, has no such address: there
node.yaml names it (`addresses:`), which Terraform fills in.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from goldnode.files import write_atomic
from goldnode.node.layout import Layout
from goldnode.protocol.address import is_dialable

#: cloud-init's instance data; only the second file has what it considers sensitive.
_INSTANCE_DATA = ("/run/cloud-init/instance-data.json", "/run/cloud-init/instance-data-sensitive.json")
#: Where each cloud's metadata names the addresses that its routers translate, as documented for cloud-init's sources:
#: EC2's names (AWS, Hetzner, OpenStack and others have them), DigitalOcean's reserved address, Azure's interfaces.
_NAMED = (
    ("public-ipv4",),
    ("reserved_ip", "ipv4", "ip_address"),
    ("floating_ip", "ipv4", "ip_address"),
    ("imds", "network", "interface", "ipv4", "ipAddress", "publicIpAddress"),
)
REMEMBERED = "public-addresses.json"
#: Addresses that are only valid inside a network (RFC 1918, 6598, 4193).
_INSIDE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)


class AddressSource(StrEnum):
    """Who named the addresses that a node announces."""

    NODE_YAML = "node.yaml"
    METADATA = "the cloud's metadata"
    INTERFACES = "this machine's interfaces"


@dataclass(frozen=True, slots=True)
class Reachable:
    """Addresses to announce, IPv4 first.

    Attributes:
        addresses: The addresses that others dial.
        source: Who named them.
    """

    addresses: tuple[str, ...]
    source: AddressSource = AddressSource.INTERFACES

    def or_named(self, named: tuple[str, ...]) -> Reachable:
        """These, unless node.yaml names others."""
        return Reachable(named, AddressSource.NODE_YAML) if named else self

    def __str__(self) -> str:
        """Addresses and source in words, with a warning if none can be dialled from outside."""
        said = f"{', '.join(self.addresses) or 'no address'}, from {self.source}"
        if any(map(_is_public, self.addresses)):
            return said
        return f"{said}: nobody outside its own network can dial that; name the public one as `addresses:` in node.yaml"


def reachable(layout: Layout, interfaces: tuple[str, ...]) -> Reachable:
    """Where others reach this machine.

    Args:
        layout: The machine's paths.
        interfaces: Its interfaces' addresses.

    Returns:
        The metadata's and the interfaces' public addresses; if there are none, the interfaces' others.
    """
    named = _metadata(layout)
    if not named:
        return Reachable(interfaces)
    own = filter(_is_public, interfaces)
    found = sorted({ipaddress.ip_address(each) for each in [*named, *own]}, key=lambda each: (each.version, int(each)))
    return Reachable(tuple(map(str, found)), AddressSource.METADATA)


def _metadata(layout: Layout) -> tuple[str, ...]:
    """Public addresses from the cloud's metadata: this boot's if cloud-init ran, else the stored ones."""
    remembered = layout.state / REMEMBERED
    document = next((found for path in _INSTANCE_DATA if (found := _json(layout, path)) is not None), None)
    if document is None:
        try:
            before = json.loads(remembered.read_bytes())
        except (OSError, ValueError):
            return ()
        known = before if isinstance(before, list) else []
        return tuple(each for each in known if isinstance(each, str) and is_dialable(each))
    source = document.get("ds") if isinstance(document.get("ds"), dict) else {}
    roots = [source.get(name) for name in ("meta_data", "ec2_metadata")] if isinstance(source, dict) else []
    found = dict.fromkeys(each for root in roots for path in _NAMED for each in _at(root, path) if is_dialable(each))
    named = tuple(filter(_is_public, found))
    write_atomic(remembered, json.dumps(named), 0o644)
    return named


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not any(address in network for network in _INSIDE)


def _at(found: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The texts at a path, through lists on the way."""
    if isinstance(found, list):
        for each in found:
            yield from _at(each, path)
    elif not path:
        if isinstance(found, str):
            yield found
    elif isinstance(found, dict):
        yield from _at(found.get(path[0]), path[1:])


def _json(layout: Layout, path: str) -> dict[str, Any] | None:
    try:
        document = json.loads(layout.at(path).read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
