"""Which addresses a member may announce: others dial them, so none may lead into the dialling machine or its cloud.

A record is a way to make every other node connect somewhere.  So only literal IP addresses pass
(names could resolve to anything), and none that means "yourself", "your neighbour on the wire",
everybody, or a cloud's metadata service.  Private ranges pass: clusters live in them.  The ranges are
spelled out as in the protocol's document, because a library's idea of "reserved" changes between releases.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

#: IPv4 must be outside these: this network, loopback, link-local, multicast, reserved and broadcast.
_IPV4_REFUSED = tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")))
#: IPv6 must be inside these: global unicast, and unique local addresses.
_IPV6_ALLOWED = tuple(map(ip_network, ("2000::/3", "fc00::/7")))
#: Services of clouds that live outside the link-local ranges: AWS (IPv6), Alibaba, Azure, Oracle.
METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))


def is_dialable(text: str) -> bool:
    """Whether others may be told to connect to this address.

    Args:
        text: As announced; only the canonical spelling of an address passes.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        fits = not address.scope_id and any(address in network for network in _IPV6_ALLOWED)
    else:
        fits = not any(address in network for network in _IPV4_REFUSED)
    return fits and str(address) == text and address not in METADATA
