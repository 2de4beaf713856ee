"""VPNCloud 2.3, the alternative mesh: one key pair per node, and only the roster's keys are trusted.

Its password mode is never used: with one password for all, every member could pose as any other.
A change of trust means a new configuration and a restart of the tunnel, which p2p sessions survive.
Facts from the program's own source (crate ``vpncloud`` 2.3.0): keys are Ed25519, written in base 62
without leading zeros, so a key that starts with a zero byte cannot be read back; ``ip`` sets only
IPv4, so our address is set by ``ifup``, which it runs whenever it has made its device, even after a
crash; an empty ``trusted-keys`` trusts only our own key; and it learns its own address by connecting
a UDP socket to 8.8.8.8, which sends nothing, but ends the program if there is no route to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import yaml

from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.peers import mesh_address

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: Seconds between keepalives; below the 30 s after which NAT gateways forget a UDP flow.
KEEPALIVE = 20
#: A route to the address that VPNCloud needs a route to, in the table that applies if no other route does.
LAST_RESORT = "route replace 8.8.8.8/32 dev lo table 253"


def base62(data: bytes) -> str:
    """Bytes in VPNCloud's encoding of keys."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def private(seed: bytes) -> str:
    """A private key from 32 random bytes, such that neither half starts with a zero byte."""
    while not seed[0] or not Key(seed).public[0]:
        seed = hashlib.sha256(seed).digest()
    return base62(seed)


def public(private_key: str) -> str:
    """The public key of a private one."""
    number = 0
    for digit in private_key:
        number = number * 62 + DIGITS.index(digit)
    return base62(Key(number.to_bytes(32, "big")).public)


def config(node: NodeFacts, device: Sequence[str]) -> str:
    """The configuration of a node's tunnel: secret.

    Args:
        node: The node.
        device: The ``ip`` commands to run once the interface exists.
    """
    peers = [
        f"{f'[{member.addresses[0]}]' if ':' in member.addresses[0] else member.addresses[0]}:{member.mesh_port}"
        for member in node.links
        if member.addresses and member.mesh_port
    ]
    document = {
        "device": {"type": "tun", "name": node.interface},
        "ifup": " && ".join(f"ip {words}" for words in (LAST_RESORT, *device)),
        "listen": str(node.ports.vpncloud),
        "mode": "router",
        "crypto": {
            "private-key": node.mesh_private,
            "public-key": node.mesh_public,
            "trusted-keys": sorted(member.mesh_key for member in node.links),
        },
        "peers": sorted(peers),
        "claims": [f"{mesh_address(node.fingerprint, node.mesh_public)}/128"],
        "auto-claim": False,
        "keepalive": KEEPALIVE,
        "peer-timeout": 3 * KEEPALIVE,
        "port-forwarding": False,
    }
    return yaml.safe_dump(document, sort_keys=False)
