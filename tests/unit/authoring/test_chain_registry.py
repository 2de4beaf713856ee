"""Chain-registry data, as dirty as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.authoring import chain_registry
from goldnode.config import network_check
from goldnode.config.network_rules import peer_fault
from goldnode.errors import InputError

ID = "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0"
SHA = "ab" * 32
CHAIN: dict[str, Any] = {
    "pretty_name": "Example",
    "chain_id": "example-1",
    "daemon_name": "exampled",
    "node_home": "$HOME/.example",
    "bech32_prefix": "ex",
    "fees": {"fee_tokens": [{"denom": "uex", "fixed_min_gas_price": 0.000001}, {"denom": "ibc/1"}]},
    "codebase": {
        "recommended_version": "v1.2.0",
        "binaries": {
            "linux/amd64": f"https://h.org/d.tar.gz?checksum=sha256:{SHA}",
            "linux/arm64": f"https://h.org/e?checksum={SHA.upper()}",
            "darwin/arm64": "https://h.org/f",
        },
        "genesis": {"genesis_url": "https://h.org/genesis.json.gz"},
    },
    "peers": {
        "seeds": [
            {"id": ID, "address": " host.org:26656"},
            {"id": "team", "address": "host.org:26656"},
            {"id": ID, "address": f"{ID}@host.org:26656"},
            {"id": ID.upper(), "address": "host.org:26656"},
        ],
    },
    "apis": {
        "rpc": [
            {"address": "https://a.org/", "provider": "Ann"},
            {"address": "a.b:443"},
            {"address": "https://a.org:1"},
            {"address": "http://b.org"},
        ]
    },
}
VERSIONS: dict[str, Any] = {
    "versions": [
        {"name": "v3", "height": 300, "tag": "v1.3.0", "binaries": {"linux/amd64": "https://h.org/g?checksum=md5:1"}},
        {"name": "v1", "height": 0, "recommended_version": "v1.1.0"},
        {"name": "v2", "height": 200, "recommended_version": "v1.2.0"},
        {"name": "v4"},
    ]
}


def imported(**changes: Any) -> tuple[dict[str, Any], str]:
    """The document and the remarks of the example with some fields changed."""
    result = chain_registry.convert({**CHAIN, **changes}, VERSIONS, "chain.json")
    return yaml.safe_load(result.text), "\n".join(result.remarks)


def test_a_dirty_chain_becomes_a_clean_network(tmp_path: Path) -> None:
    """What comes out passes the checker."""
    path = tmp_path / "example.yaml"
    path.write_text(chain_registry.convert(CHAIN, VERSIONS, "chain.json").text)

    assert network_check.faults(network_check.read(path)) == []


def test_checksums_move_out_of_urls() -> None:
    """With and without `sha256:`, in either case; what is no sha256 is left out and said."""
    document, remarks = imported()

    assert document["daemon"]["release"] == {
        "amd64": {"url": "https://h.org/d.tar.gz", "sha256": SHA, "member": "exampled"},
        "arm64": {"url": "https://h.org/e", "sha256": SHA},
    }
    assert document["genesis"] == {"url": "https://h.org/genesis.json.gz"}
    assert "the amd64 binary: guessed that the archive holds it as exampled" in remarks
    assert "genesis: nobody published a sha256" in remarks

    codebase = {**CHAIN["codebase"], "binaries": {"linux/amd64": "https://h.org/d?checksum=md5:12"}}

    assert "left out a checksum that is not a sha256: 'md5:12'" in imported(codebase=codebase)[1]


def test_every_bad_peer_is_left_out_and_reported() -> None:
    """A space and upper case are mended; a wrong id and a doubled one cost the entry; duplicates go."""
    document, remarks = imported()

    assert document["seeds"] == [f"{ID}@host.org:26656"]
    assert "mended" in remarks
    assert "left out 'team@host.org:26656': it has an id that is not 40 hex digits" in remarks
    assert f"left out '{ID}@{ID[:38]}" in remarks
    assert "it is not id@host:port" in remarks
    assert "which is listed twice" in remarks


def test_the_rest_is_translated() -> None:
    """Version without v, home without $HOME, gas without exponent, one RPC server per host, the ladder from here on."""
    document, remarks = imported()

    assert document["daemon"]["version"] == "1.2.0"
    assert document["daemon"]["home"] == ".example"
    assert document["minimum_gas_prices"] == "0.000001uex"
    assert document["catch_up"] == {
        "state_sync": {"servers": [{"url": "https://a.org", "provider": "Ann"}, {"url": "http://b.org"}]}
    }
    assert "rpc: left out 'a.b:443': it is not an http URL" in remarks
    assert "it runs" not in remarks
    assert document["upgrades"] == [
        {"name": "v2", "height": 200, "version": "1.2.0"},
        {"name": "v3", "height": 300, "version": "1.3.0", "release": {"amd64": {"url": "https://h.org/g"}}},
    ]


def test_little_is_enough() -> None:
    """No peers, no servers, no fees: the fields are absent, not empty."""
    document, _ = imported(peers=None, apis={"rpc": [{"address": "https://only.org"}]}, fees=None, bech32_prefix=None)

    assert set(document) == {"version", "description", "chain_id", "daemon", "genesis", "upgrades"}


def test_what_no_network_can_do_without_is_named() -> None:
    """All missing fields at once."""
    with pytest.raises(InputError, match="chain_id is missing; daemon_name is missing; ") as caught:
        chain_registry.convert({"codebase": None}, {}, "chain.json")

    assert "codebase.recommended_version is missing; node_home is missing" in caught.value.message
    assert "codebase.genesis.genesis_url has nothing usable" in caught.value.message


def test_a_folder_or_a_file_is_read(tmp_path: Path) -> None:
    """versions.json is found beside chain.json, and may be absent."""
    (tmp_path / "chain.json").write_text(json.dumps(CHAIN))
    alone = chain_registry.read(tmp_path / "chain.json").text
    (tmp_path / "versions.json").write_text(json.dumps(VERSIONS))

    assert "upgrades" not in alone
    assert "upgrades" in chain_registry.read(tmp_path).text


@pytest.mark.parametrize("content", ["{", "[]"])
def test_what_is_no_chain_is_refused(tmp_path: Path, content: str) -> None:
    """Broken JSON and another document are the file's fault."""
    (tmp_path / "chain.json").write_text(content)

    with pytest.raises(InputError, match=r"chain\.json"):
        chain_registry.read(tmp_path)


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({"id": st.text(max_size=45), "address": st.text(max_size=30)}), max_size=4))
def test_no_peer_list_spoils_the_network(peers: list[dict[str, str]]) -> None:
    """Whatever the registry holds as seeds, what is kept passes the checker's own rule."""
    document, _ = imported(peers={"seeds": [*peers, {"id": ID, "address": "good.org:1"}]})

    assert document["seeds"][-1] == f"{ID}@good.org:1"
    assert all(peer_fault(seed) is None for seed in document["seeds"])
