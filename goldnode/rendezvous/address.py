"""Whose request this is, for rate limits: the peer's, unless the peer is a trusted proxy.

Anybody can write ``X-Forwarded-For``; it is read only when it comes from a proxy listed
with ``--trusted-proxy``, and then from the right, past every proxy that is listed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from goldnode.errors import UsageError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: One household or machine has a whole IPv6 /64; counting single addresses would be pointless.
IPV6_PREFIX = 64


def parse_proxies(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """The networks of trusted proxies.

    Raises:
        UsageError: One of them is not a CIDR.
    """
    try:
        return tuple(ip_network(cidr) for cidr in cidrs)
    except ValueError as error:
        raise UsageError(f"--trusted-proxy: {error}", hint="./invoke rendezvous --trusted-proxy 10.0.0.0/8") from error


def client_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The client's address, as far as it can be known.

    Args:
        peer: Address of the other end of the connection.
        forwarded: The ``X-Forwarded-For`` headers, in order.
        proxies: Networks whose ``X-Forwarded-For`` is trusted.

    Returns:
        An IP address in canonical form, IPv4 as IPv4; ``peer`` unchanged if it is not one (a unix socket).
    """
    current = _parse(peer)
    if current is None:
        return peer
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    while hops and any(current in network for network in proxies):
        earlier = _parse(hops.pop())
        if earlier is None:
            break
        current = earlier
    return _text(current)


def is_within(peer: str, networks: Sequence[Network]) -> bool:
    """Whether the other end of a connection is in one of these networks."""
    address = _parse(peer)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4096)
def bucket(address: str) -> str:
    """What is counted as one client: an IPv4 address, or an IPv6 /64."""
    return str(IPv6Network((address, IPV6_PREFIX), strict=False)) if ":" in address else address


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(maxsize=4096)
def _text(address: Address) -> str:
    return str(address)
