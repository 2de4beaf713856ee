"""WireGuard, the default mesh: keys, and the text that ``wg syncconf`` takes.

No address is ever assigned: a member's follows from the cluster and its own key
(``peers.mesh_address``), so that members can compute each other's.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from goldnode.node.plan.peers import Member, mesh_address
from goldnode.protocol.wire import public_of

#: Seconds; below the 30 s after which common NAT gateways forget a UDP flow.
KEEPALIVE = 25
#: Handshakes are renewed every two minutes while there is traffic; a peer with an older one is gone.
FRESH = 180.0


@dataclass(frozen=True, slots=True)
class Link:
    """A member at the other end of the mesh.

    Attributes:
        member: The member.
        dial: Whether we connect and keep the connection open; the side without a public address does.
    """

    member: Member
    dial: bool


def clamp(seed: bytes) -> str:
    """A private key from 32 random bytes, as WireGuard writes keys."""
    key = bytearray(seed)
    key[0] &= 248
    key[31] = (key[31] & 127) | 64
    return base64.b64encode(key).decode()


def public(private_key: str) -> str:
    """The public key of a private one."""
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
    return base64.b64encode(public_of(private)).decode()


def config(
    private_key: str, port: int, links: Iterable[Link], fingerprint: str, signer_keys: Iterable[str] = ()
) -> str:
    """What ``wg syncconf`` takes.

    Args:
        private_key: Our private key.
        port: The UDP port we listen on.
        links: The members at the other ends.
        fingerprint: The cluster root's fingerprint.
        signer_keys: Public keys of a remote signer's machines; they dial us.
    """
    lines = ["[Interface]", f"PrivateKey = {private_key}", f"ListenPort = {port}"]
    for link in sorted(links, key=lambda each: each.member.node_id):
        member = link.member
        lines += ["", f"# {member.node_id}", "[Peer]", f"PublicKey = {member.mesh_key}"]
        lines += [f"AllowedIPs = {mesh_address(fingerprint, member.mesh_key)}/128"]
        if link.dial and member.addresses and member.mesh_port:
            host = member.addresses[0]
            lines += [f"Endpoint = {f'[{host}]' if ':' in host else host}:{member.mesh_port}"]
            lines += [f"PersistentKeepalive = {KEEPALIVE}"]
    for signer_key in signer_keys:
        lines += ["", "# remote signer", "[Peer]", f"PublicKey = {signer_key}"]
        lines += [f"AllowedIPs = {mesh_address(fingerprint, signer_key)}/128"]
    return "\n".join(lines) + "\n"


def handshakes(dump: str, now: float) -> dict[str, float]:
    """Seconds since the last handshake with each public key, from ``wg show IFACE dump``.

    Keys without a handshake are absent.
    """
    ages = {}
    for line in dump.splitlines()[1:]:
        columns = line.split("\t")
        if len(columns) > 4 and columns[4].isdigit() and int(columns[4]):  # noqa: PLR2004 - column of the time
            ages[columns[0]] = max(0.0, now - int(columns[4]))
    return ages
