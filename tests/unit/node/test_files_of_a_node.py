"""The text a plan is made of: TOML, firewall, mesh, peer lists."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit
import yaml
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.choices import MeshKind
from goldnode.config.role import PeerRules
from goldnode.errors import InputError
from goldnode.node.plan import daemon_config, firewall, peers
from goldnode.node.plan.firewall import Opening, Private
from goldnode.node.plan.meshes import vpncloud, wireguard
from goldnode.node.plan.meshes.wireguard import Link
from goldnode.node.plan.peers import Member
from tests.support.node_lab import DEFAULTS, Cluster, Tree, seed

VAL, ONE, TWO = "a" * 40, "1" * 40, "2" * 40
FINGERPRINT = "ab" * 32


def test_keys_are_set_and_the_rest_is_kept() -> None:
    """Only the lines of the keys that are set differ from the daemon's own file; comments stay."""
    before = (DEFAULTS / "config.toml").read_text()

    after = daemon_config.render("config.toml", before, {"p2p.pex": False, "moniker": "val-1"})

    changed = set(after.splitlines()) - set(before.splitlines())
    assert {"pex = false", 'moniker = "val-1"'} == changed
    assert len(before.splitlines()) == len(after.splitlines())


def test_both_spellings_are_one_key() -> None:
    """A key keeps the daemon's spelling, however it is asked for."""
    defaults = "[mempool]\nkeep-invalid-txs-in-cache = false\n[rpc]\nmax_open = 1\n"

    after = daemon_config.render("c", defaults, {"mempool.keep_invalid_txs_in_cache": True, "rpc.max-open": 2})

    assert "[mempool]\nkeep-invalid-txs-in-cache = true\n[rpc]\nmax_open = 2\n" == after


def test_new_keys_and_tables_are_added() -> None:
    """What the daemon's file does not have is added to it."""
    after = tomllib.loads(daemon_config.render("c", "a = 1\n", {"b.c.d": [1], "e": "x"}))

    assert {"a": 1, "b": {"c": {"d": [1]}}, "e": "x"} == after


@pytest.mark.parametrize(("defaults", "key"), [("a = ", "a"), ("a = 1", "a.b"), ("[a]\nb = 1", "a")])
def test_what_cannot_be_set_is_said(defaults: str, key: str) -> None:
    """No TOML, a key below a value, a value over a table: refused, not mangled."""
    with pytest.raises(InputError):
        daemon_config.render("c", defaults, {key: 1})


def test_a_file_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings of the same file are the same text without another parse; 1 is not true."""
    parse, parsed = tomlkit.parse, list[str]()

    def counting(text: str) -> tomlkit.TOMLDocument:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(tomlkit, "parse", counting)
    texts = [daemon_config.render("once", "once = 0\n", {"once": value}) for value in (True, 1, True, 1)]

    assert ["once = true\n", "once = 1\n"] * 2 == texts
    assert 2 == len(parsed)


def test_later_layers_win_in_any_spelling() -> None:
    """Nested or dotted, snake or kebab: the last layer counts."""
    merged = daemon_config.merge({"f": {"a": {"b-c": 1, "d": 2}}}, {"f": {"a.b_c": 3}})

    assert {"f": {"a.d": 2, "a.b_c": 3}} == merged


def test_a_setting_without_its_value_is_left_out() -> None:
    """A network without gas prices sets none."""
    assert {"f": {"y": "n-1"}} == daemon_config.fill({"f": {"x": "{gas}", "y": "{name}"}}, {"gas": None, "name": "n-1"})


def test_peers_are_validated_before_they_are_written() -> None:
    """One malformed entry would stop the daemon: it is left out."""
    rules = PeerRules(persistent=("sentry", "network"), private=("validator",), seeds=("network",))
    members = [
        Member(ONE, "sentry", p2p_port=26656, addresses=("203.0.113.1",)),
        Member(TWO, "sentry"),
        Member(VAL, "validator"),
    ]
    bad = [
        "team@example.org:1",
        f" {ONE}@example.org:1",
        f"{ONE.replace('1', 'F')}@example.org:1",
        f"{TWO}@example.org:26656",
    ]

    found = peers.lists(rules, members, fingerprint=FINGERPRINT, network_peers=bad, network_seeds=bad)

    assert (f"{ONE}@203.0.113.1:26656", f"{TWO}@example.org:26656") == found.persistent
    assert ((VAL,), (f"{TWO}@example.org:26656",)) == (found.private, found.seeds)


def test_a_validator_is_dialled_on_the_mesh() -> None:
    """Without a public address, the mesh address is dialled."""
    member = Member(VAL, "validator", p2p_port=26656, mesh_key="k")

    assert f"{VAL}@[{peers.mesh_address(FINGERPRINT, 'k')}]:26656" == peers.dial(member, FINGERPRINT, PeerRules())


def test_a_validator_dials_its_sentries_on_the_mesh_only() -> None:
    """Whatever address a sentry announces, and not at all while it has no mesh key."""
    rules = PeerRules(persistent=("sentry",), mesh=("sentry",))
    sentry = Member(ONE, "sentry", p2p_port=26656, addresses=("203.0.113.1",), mesh_key="k")

    assert f"{ONE}@[{peers.mesh_address(FINGERPRINT, 'k')}]:26656" == peers.dial(sentry, FINGERPRINT, rules)
    assert "" == peers.dial(replace(sentry, mesh_key=""), FINGERPRINT, rules)


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.text(min_size=1))
def test_mesh_addresses_are_private_and_of_their_cluster(fingerprint: str, key: str) -> None:
    """Unique local addresses in the cluster's own network, found by anybody without asking."""
    assert peers.mesh_address(fingerprint, key).startswith("fd")
    assert peers.mesh_prefix(fingerprint).endswith("/64")


def test_a_ruleset_is_closed_and_opens_what_it_is_told() -> None:
    """Inbound is dropped by default; a port opens to the world, to addresses, or not at all."""
    text = firewall.render(
        [Opening(26656, "tcp", None, "s-1 p2p"), Opening(26656, "tcp", ("fd00::1", "10.0.0.0/8"), "v p2p", "gnmesh0")],
        [Private("gn-s-1", (26660, 26657))],
        public=False,
    )

    assert "hook input priority filter; policy drop;" in text
    assert '\t\ttcp dport 26656 accept comment "s-1 p2p"\n' in text
    assert 'iifname "gnmesh0" ip saddr { 10.0.0.0/8 } tcp dport 26656 accept comment "v p2p"' in text
    assert 'iifname "gnmesh0" ip6 saddr { fd00::1 } tcp dport 26656' in text
    assert 'oif lo tcp dport { 26657, 26660 } meta skuid != { 0, "gn-s-1" } ct state new reject' in text
    assert 'skuid != 0 reject comment "user-data is root\'s"' in text


def test_a_wireguard_file_names_every_link() -> None:
    """Whoever has an address is dialled and kept alive; whoever has none may come."""
    key = wireguard.clamp(seed("mesh"))
    links = [
        Link(Member(ONE, "sentry", mesh_key="S" * 44, mesh_port=51820, addresses=("2001:db8::1",)), dial=True),
        Link(Member(VAL, "validator", mesh_key="V" * 44), dial=False),
    ]

    text = wireguard.config(key, 51821, links, FINGERPRINT, signer_keys=["R" * 44])

    assert 3 == text.count("[Peer]")
    assert 1 == text.count("Endpoint = [2001:db8::1]:51820\nPersistentKeepalive = 25")
    assert f"AllowedIPs = {peers.mesh_address(FINGERPRINT, 'R' * 44)}/128" in text


def test_handshakes_are_read_with_their_age() -> None:
    """A key that never shook hands is not there."""
    lines = ["priv pub 51820 off", "A (none) 1.2.3.4:5 fd::/128 900 1 2 25", "B (none) (none) fd::/128 0 0 0 off"]
    dump = "\n".join(line.replace(" ", "\t") for line in lines)

    assert {"A": 100.0} == wireguard.handshakes(dump, 1000.0)


@given(st.binary(min_size=32, max_size=32))
def test_vpncloud_can_read_our_keys(data: bytes) -> None:
    """Neither half starts with a zero byte, which base 62 would lose."""
    key = vpncloud.private(data)
    number = 0
    for digit in key:
        number = number * 62 + vpncloud.DIGITS.index(digit)

    assert 32 == len(number.to_bytes((number.bit_length() + 7) // 8, "big"))
    assert vpncloud.public(key).isalnum()


def test_base62_is_vpnclouds() -> None:
    """The program's own test vectors."""
    assert ["", "z", "10", "48", "1Xp7Ke"] == [
        vpncloud.base62(data) for data in (b"\0", bytes([61]), bytes([62]), b"\1\0", b"Test")
    ]


def test_a_vpncloud_file_trusts_the_roster_only(tmp_path: Path) -> None:
    """Keys, never a password; the address is claimed by us alone."""
    tree = Tree(tmp_path / "machine", mesh=MeshKind.VPNCLOUD)
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", mesh="vpncloud")

    machine, _ = tree.configure()

    document = yaml.safe_load(tree.layout.node("s-1").mesh_config("vpncloud").read_text())
    assert {"private-key", "public-key", "trusted-keys"} == set(document["crypto"])
    address = machine.facts["s-1"].mesh_address
    assert [f"{address}/128"] == document["claims"]
    commands = document["ifup"].split(" && ")
    assert [f"ip {vpncloud.LAST_RESORT}", f"ip -6 address replace {address}/128 dev gnmesh0 nodad"] == commands[:2]
