"""One validator for each thing that people write and nodes exchange: node ID, role, host, port, peer, rendezvous URL.

Each is here once.  Two readers that disagree let a file pass the check on the operator's machine
and end a program on the node.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

#: A node's ID: the first 20 bytes of its public key's SHA-256 (CometBFT, ``p2p/key.go``).
NODE_ID = re.compile(r"[0-9a-f]{40}")
#: A SHA-256 as people and manifests write it.
SHA256 = re.compile(r"[0-9a-f]{64}")
#: An invite has room for no longer role (docs/rendezvous-protocol.md, section 4).
ROLE = re.compile(r"[a-z][a-z0-9-]{0,15}")
PORT_MAX = 65535
#: 1 to 65535, without leading zeros.
PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#: Longest rendezvous URL, in characters: what a policy has room for.
URL_CHARS = 128
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


def is_port(text: str, least: int = 1) -> bool:
    """Whether this is a port number from ``least`` to 65535, without leading zeros."""
    return re.fullmatch(PORT, text) is not None or text == str(least)


def is_host(text: str) -> bool:
    """Whether this is a DNS name, an IPv4 address, or an IPv6 address in brackets."""
    return is_address(text) or (_NAME.fullmatch(text) is not None and not text.rpartition(".")[2].isdecimal())


def is_address(text: str) -> bool:
    """Whether this is an IPv4 address, or an IPv6 address in brackets."""
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        return ipaddress.ip_address(text[1:-1] if bracketed else text).version == (6 if bracketed else 4)
    except ValueError:
        return False


def is_peer(text: str, *, numeric: bool = False) -> bool:
    """Whether this is ``ID@HOST:PORT``; with ``numeric`` the host must be an address."""
    node_id, _, address = text.partition("@")
    host, _, port = address.rpartition(":")
    return bool(NODE_ID.fullmatch(node_id)) and is_port(port) and (is_address(host) if numeric else is_host(host))


def is_endpoint(url: object) -> bool:
    """Whether this is a rendezvous URL that fits into a policy."""
    return isinstance(url, str) and len(url) <= URL_CHARS and is_url(url)


def is_url(url: str) -> bool:
    """Whether this is an http or https URL: a host, optionally a port and a path, and nothing else."""
    if not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    return parts.scheme in ("http", "https") and is_host(host) and port != 0 and not re.search(r"[ ?#]", url)
