"""Which addresses a member may announce: what others will dial, and nothing of their own insides.

A record is a way to make every other node connect somewhere.  So only literal IP addresses pass
(names could resolve to anything), and none that means "yourself", "your neighbour on the wire",
everybody, or a cloud's metadata service.  Private ranges pass: clusters live in them.
"""

from __future__ import annotations

import ipaddress

#: Services of clouds that live outside the link-local ranges: AWS (IPv6), Alibaba, Azure, Oracle.
METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))


def is_dialable(text: str) -> bool:
    """Whether others may be told to connect to this address.

    Args:
        text: As announced; only the canonical spelling of an address passes.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.scope_id):
        return False
    inward = address.is_loopback or address.is_link_local or address.is_unspecified
    odd = address.is_multicast or address.is_reserved or address in METADATA
    return str(address) == text and not inward and not odd
