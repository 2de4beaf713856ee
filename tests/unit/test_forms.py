"""One reader for each form: what passes the check on the operator's machine does not end a program on the node."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode import forms
from goldnode.config import node_config
from goldnode.config.role import PeerRules
from goldnode.discovery.client import Endpoint
from goldnode.errors import InputError
from goldnode.node.plan import peers
from goldnode.protocol import invite
from goldnode.protocol.wire import key_from_seed

NODE = "ab" * 20
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"[A-Za-z0-9.\[\]:_-]{0,12}", fullmatch=True),
)
PORTS = st.one_of(st.integers(-1, 70000).map(str), st.sampled_from(["", "08700", "٣", "65535", "65536", "0"]))


def _node_yaml(**more: object) -> str:
    lines = {"version": 1, "role": "sentry", "name": "s", "rendezvous": ["http://a:1"], **more}
    return "".join(f"{key}: {value!r}\n" for key, value in lines.items())


def _accepts(text: str) -> bool:
    try:
        node_config.parse(text)
    except InputError:
        return False
    return True


@given(
    scheme=st.sampled_from(["http", "https", "ftp"]),
    host=HOSTS,
    port=PORTS | st.none(),
    path=st.sampled_from(["", "/", "/a", "?q"]),
)
def test_a_rendezvous_that_passes_the_check_can_be_called(scheme: str, host: str, port: str | None, path: str) -> None:
    """node.yaml takes exactly the URLs that the agent's client takes."""
    url = f"{scheme}://{host}{'' if port is None else f':{port}'}{path}"
    try:
        Endpoint(url)
        called = True
    except InputError:
        called = False

    assert called == _accepts(_node_yaml(rendezvous=[url]))


@pytest.mark.parametrize("url", ["http://203.0.113.10:70000", "http://[1:2]:80", "http://256.0.0.1", "http://-a"])
def test_an_rpc_server_is_held_to_the_same_form(url: str) -> None:
    """A state sync server or a snapshot that nothing can reach is refused as a rendezvous would be."""
    sync = {"state_sync": {"servers": [url, "https://rpc.example.org"]}}
    snapshot = {"snapshot": {"url": f"{url}/latest.tar.zst", "sha256": "ab" * 32}}

    assert not _accepts(_node_yaml(catch_up=sync))
    assert not _accepts(_node_yaml(catch_up=snapshot))
    assert _accepts(
        _node_yaml(catch_up={"state_sync": {"servers": ["https://a.example:443", "https://rpc.example.org"]}})
    )


@pytest.mark.parametrize("url", ["http://203.0.113.10:70000", "http://[1:2]:80", "http://256.0.0.1", "http://-a"])
def test_no_rendezvous(url: str) -> None:
    """A port, an address or a name that cannot be is refused where it is written."""
    assert not _accepts(_node_yaml(rendezvous=[url]))


@given(host=HOSTS, port=PORTS)
def test_a_peer_that_passes_the_check_is_written(host: str, port: str) -> None:
    """node.yaml takes exactly the peers that the plan writes into config.toml, and each can be dialled."""
    peer = f"{NODE}@{host}:{port}"
    written = peers.lists(PeerRules(), (), fingerprint="", own_peers=[peer]).persistent
    if written:
        ipaddress.ip_address(host.strip("[]"))

    assert bool(written) == _accepts(_node_yaml(peers=[peer]))


@given(role=st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True))
def test_a_role_has_one_length(role: str) -> None:
    """node.yaml takes exactly the roles that an invite can carry."""
    try:
        invite.mint(
            key_from_seed(bytes(32)), role=role, epoch=1, cluster_key=bytes(32), not_after=1, random=bytes, max_nodes=1
        )
        minted = True
    except InputError:
        minted = False
    text = _node_yaml(role=role) if role != "multi-node" else ""

    assert not text or minted == _accepts(text)


@pytest.mark.parametrize(
    ("text", "least", "expected"), [("0", 0, True), ("0", 1, False), ("65535", 1, True), ("65536", 1, False)]
)
def test_ports(text: str, least: int, expected: bool) -> None:
    """A port is from 1 to 65535, or from 0 where any free one will do."""
    assert expected == forms.is_port(text, least)
