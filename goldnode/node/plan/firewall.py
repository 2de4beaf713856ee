"""The firewall: an nftables ruleset rendered from what the roles open, and to whom.

One table, replaced whole in one transaction, so that there is never a moment without rules, and
loading it twice changes nothing.  It is stored in /etc/goldnode/nftables.d, which
/etc/nftables.conf loads before the network is up, so that every reboot is protected.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from goldnode.config.role import Audience, Port

#: Packets that a peer sends on a connection that this machine forgot when it lost power.  Without an answer, the peer
#: keeps that connection for a quarter of an hour, and refuses a new one as a second from the same node.
FORGOTTEN = 'tcp flags & (syn | rst) == 0x0 reject with tcp reset comment "forgotten connections"'
#: The clouds' metadata services, which give out user-data and are for root only: Amazon, Google, Azure (with its wire
#: server), Oracle, OpenStack, Hetzner and others; Scaleway; Alibaba and Tencent; Amazon's containers.
METADATA = ("169.254.169.254", "168.63.129.16", "169.254.42.42", "100.100.100.200", "169.254.0.23", "169.254.170.2")
METADATA6 = ("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe", "fd00:c1::a9fe:a9fe")
#: Who does not come over the mesh.
OUTSIDE = (Audience.WORLD, Audience.SIGNER_MACHINE, Audience.METRICS, Audience.SSH)
#: What some of these addresses also serve, for everybody: DNS and NTP.
SERVICES = "{ 53, 123 }"


@dataclass(frozen=True, slots=True)
class Opening:
    """One port, to one set of addresses.

    Attributes:
        port: Number.
        protocol: `tcp` or `udp`.
        sources: Addresses or networks that may reach it; None for the world.
        comment: The node or service that it belongs to.
        interface: The interface it must come in on; empty for any.
    """

    port: int
    protocol: str
    sources: tuple[str, ...] | None
    comment: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Private:
    """Loopback ports that only root and one user may dial.

    Attributes:
        user: The node's user.
        ports: The ports, closed to everybody else.
        rpc: One that nodes of the same cluster on this machine may dial too.
        guests: The users of those nodes.
    """

    user: str
    ports: tuple[int, ...]
    rpc: int = 0
    guests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confined:
    """A user whose packets may leave only through its mesh (`outgoing: strict`)."""

    user: str
    interface: str


def audience(to: Audience, sources: dict[Audience, Sequence[str]]) -> tuple[str, ...] | None:
    """Who may reach a port: addresses, or None for the world."""
    if to is Audience.WORLD:
        return None
    return tuple(sources.get(to, ()))


def opening(port: Port, number: int, sources: tuple[str, ...] | None, comment: str, interface: str) -> Opening | None:
    """A role's port as a rule; None if it is open to nobody."""
    if sources is not None and not sources:
        return None
    inside = port.to not in OUTSIDE
    return Opening(number, port.protocol, sources, f"{comment} {port.name}", interface if inside else "")


def render(
    openings: Iterable[Opening], private: Iterable[Private], *, public: bool, confined: Iterable[Confined] = ()
) -> str:
    """Render the ruleset; the same input gives the same text.

    Args:
        openings: What is open, and to whom.
        private: Loopback ports that only one user may dial.
        confined: Users that may reach only their mesh and this machine.
        public: Whether others know this machine anyway, so that it may reset connections that it forgot.
    """
    accepts = [_accept(each) for each in dict.fromkeys(openings)]
    closes = [line for each in private for line in _close(each)]
    return "\n".join(
        [
            "# Written by goldnode-configure from the roles of this machine's nodes.",
            "table inet goldnode",
            "delete table inet goldnode",
            "table inet goldnode {",
            "\tchain input {",
            "\t\ttype filter hook input priority filter; policy drop;",
            "\t\tiif lo accept",
            "\t\tct state established,related accept",
            "\t\tct state invalid drop",
            "\t\tmeta l4proto { icmp, ipv6-icmp } accept",
            '\t\tudp sport 67 udp dport 68 accept comment "DHCP"',
            '\t\tudp sport 547 udp dport 546 accept comment "DHCPv6"',
            *accepts,
            *([f"\t\t{FORGOTTEN}"] if public else []),
            "\t}",
            "\tchain output {",
            "\t\ttype filter hook output priority filter; policy accept;",
            *(_metadata(word, addresses) for word, addresses in (("ip", METADATA), ("ip6", METADATA6))),
            *closes,
            *(_confine(each) for each in confined),
            "\t}",
            "\tchain forward {",
            "\t\ttype filter hook forward priority filter; policy drop;",
            "\t}",
            "}",
            "",
        ]
    )


def _accept(each: Opening) -> str:
    interface = f'iifname "{each.interface}" ' if each.interface else ""
    if each.sources is None:
        return f'\t\t{interface}{each.protocol} dport {each.port} accept comment "{each.comment}"'
    rules = []
    for version, word in ((4, "ip"), (6, "ip6")):
        some = sorted(s for s in each.sources if ipaddress.ip_network(s, strict=False).version == version)
        if some:
            found = f"{interface}{word} saddr {{ {', '.join(some)} }} {each.protocol} dport {each.port}"
            rules.append(f'\t\t{found} accept comment "{each.comment}"')
    return "\n".join(rules)


def _metadata(word: str, addresses: Sequence[str]) -> str:
    found = f"{word} daddr {{ {', '.join(addresses)} }} meta l4proto {{ tcp, udp }} th dport != {SERVICES}"
    return f'\t\t{found} meta skuid != 0 reject comment "user-data is root\'s"'


def _confine(each: Confined) -> str:
    return (
        f'\t\tmeta skuid "{each.user}" oifname != {{ "lo", "{each.interface}" }} reject comment "{each.user}: strict"'
    )


def _close(each: Private) -> Iterator[str]:
    closed: dict[tuple[int, ...], tuple[str, ...]] = {each.ports: (each.user,)}
    if each.guests:
        closed = {tuple(p for p in each.ports if p != each.rpc): (each.user,), (each.rpc,): (each.user, *each.guests)}
    for numbers, users in closed.items():
        ports = ", ".join(str(port) for port in sorted(numbers))
        named = "".join(f', "{user}"' for user in users)
        others = f"meta skuid != {{ 0{named} }} ct state new"
        yield f'\t\toif lo tcp dport {{ {ports} }} {others} reject comment "{each.user} only"'
