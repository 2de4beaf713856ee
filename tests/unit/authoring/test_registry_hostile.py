"""A registry is written by strangers: every value of it is data, and no file of it breaks the import."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.authoring import chain_registry
from goldnode.config import network_check
from goldnode.errors import InputError
from tests.unit.authoring.test_chain_registry import CHAIN, ID, SHA, VERSIONS

#: What people, and people who mean harm, write in place of a value.
HOSTILE: list[Any] = [
    None, True, 0, -1, 1e400, 10**30, [], {}, [None], ["x"], [[]], {"": ""}, [{}], "", " ", "x", "\n", "a\nb: c",
    "\x1b[31m", "x\u2028single_validator: true", "\x85y: z", "\ud800", "#", "'\"", "&a *a", "!!python/object:os.system",
    "{a: b}", "- x", "https://[x", "http://169.254.169.254/latest", "http://127.0.0.1/x", "http://2130706433/",
    "https://localhost/x", "https://h.org/d?checksum=x%0Asingle_validator:%20true", "https://user:pw@h.org/x",
    "file:///etc/passwd", "../../x", ".ssh", ".", "$HOME/.ssh", "uex,0ufree", "0", "9" * 5000, "x" * 100_000,
    "\N{ARABIC-INDIC DIGIT FIVE}", "%0a%0d", "[bold red]x[/]",
]  # fmt: skip


def places(document: Any, where: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a document."""
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [where, *(place for key, inner in pairs for place in places(inner, (*where, key)))]


def changed(document: dict[str, Any], where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at one place."""
    result = copy.deepcopy(document)
    inner: Any = result
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    return result


FULL = {
    **CHAIN,
    "staking": {"lock_duration": {"time": "1209600s"}},
    "snapshots": [{"provider": "Ann", "url": "https://ann.org/snapshots"}],
}
CHAIN_PLACES = [place for place in places(FULL) if place]
VERSION_PLACES = [place for place in places(VERSIONS) if place]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


def survives(chain: dict[str, Any], versions: dict[str, Any]) -> None:
    """One clear refusal, or a file that passes, says nothing but known fields, and shows no control character."""
    try:
        imported = chain_registry.convert(chain, versions, "chain.json")
    except InputError:
        return
    lines = imported.text.split("\n")

    assert network_check.faults(network_check.parse("x.yaml", imported.text)) == []
    assert yaml.safe_load(imported.text) == imported.document
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 600


@settings(max_examples=250)
@given(st.lists(st.tuples(st.sampled_from(CHAIN_PLACES), JSON), min_size=1, max_size=3))
def test_no_chain_json_breaks_the_import(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    """Whatever stands at up to three places of chain.json, the outcome is a good file or one sentence."""
    chain: dict[str, Any] = copy.deepcopy(FULL)
    for where, value in changes:
        try:
            chain = changed(chain, where, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    survives(chain, VERSIONS)


@settings(max_examples=100)
@given(st.sampled_from(VERSION_PLACES), JSON)
def test_no_versions_json_breaks_the_import(where: tuple[str | int, ...], value: Any) -> None:
    """The same of versions.json."""
    survives(FULL, changed(VERSIONS, where, value))


@pytest.mark.parametrize("place", range(8))
def test_every_hostile_value_is_data_at_every_place(place: int) -> None:
    """Each value at an eighth of the places, so that all of them meet all kinds of places."""
    for at, value in enumerate(HOSTILE):
        where = CHAIN_PLACES[(at + place * len(CHAIN_PLACES) // 8) % len(CHAIN_PLACES)]
        survives(changed(FULL, where, value), VERSIONS)


@settings(max_examples=100)
@given(JSON)
def test_no_file_breaks_the_reader(content: Any) -> None:
    """Any JSON at all in place of a chain is a chain, or refused."""
    survives(content if isinstance(content, dict) else {"codebase": content}, {})


#: What once ended in a traceback, each by its smallest input: where, and what stands there.
ONCE_FATAL: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "seeds null": (("peers", "seeds"), None),
    "a seed null": (("peers", "seeds"), [None]),
    "a seed a text": (("peers", "seeds"), ["x"]),
    "peers a text": (("peers",), "x"),
    "rpc null": (("apis", "rpc"), None),
    "fee_tokens a mapping": (("fees", "fee_tokens"), {}),
    "a token without denom": (("fees", "fee_tokens"), [{}]),
    "a price true": (("fees", "fee_tokens"), [{"denom": "uex", "fixed_min_gas_price": True}]),
    "genesis a text": (("codebase", "genesis"), "https://h.org/genesis.json"),
    "genesis_url a number": (("codebase", "genesis"), {"genesis_url": 5}),
    "node_home a number": (("node_home",), 5),
    "a URL half a bracket": (("codebase", "binaries", "linux/amd64"), "https://[x"),
    "an RPC server half a bracket": (("apis", "rpc"), [{"address": "https://[x"}]),
}


@pytest.mark.parametrize("name", ONCE_FATAL)
def test_what_once_ended_in_a_traceback_ends_in_a_file_or_a_sentence(name: str) -> None:
    """Each of them by its smallest input, beside the properties above."""
    survives(changed(FULL, *ONCE_FATAL[name]), VERSIONS)


@pytest.mark.parametrize("versions", [{"versions": None}, {"versions": [{}]}, {"versions": [{"height": 5}]}])
def test_a_ladder_without_steps_or_names_ends_in_a_file(versions: dict[str, Any]) -> None:
    """The same of versions.json."""
    survives(FULL, versions)


def test_a_checksum_cannot_write_a_field() -> None:
    """Percent-decoded line feeds stay inside a remark."""
    url = "https://h.org/d?checksum=x%0Asingle_validator:%20true%0Apackages:%20[netcat]"
    chain = changed(CHAIN, ("codebase", "binaries", "linux/amd64"), url)

    imported = chain_registry.convert(chain, {}, "chain.json")

    assert set(yaml.safe_load(imported.text)) == set(imported.document)
    assert "single_validator" not in imported.document
    assert any("not a sha256: 'x\N{REPLACEMENT CHARACTER}single_validator" in remark for remark in imported.remarks)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "appears twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": "' + "x" * (1 << 21) + '"}', "larger than 1 MiB"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "cannot be read"),
    ],
    ids=["deep", "twice", "nan", "large", "digits", "arabic"],
)
def test_json_that_only_does_harm_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    """One sentence, before anything is made of it."""
    (tmp_path / "chain.json").write_text(content)

    with pytest.raises(InputError, match=reason):
        chain_registry.read(tmp_path)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://github.com/o/r/releases/download/v1.2.0/d_1.2.0_darwin_amd64.tar.gz", "another system"),
        ("https://github.com/o/r/releases/download/v1.2.0/d_1.2.0_linux_arm64.tar.gz", "another architecture"),
        ("https://github.com/o/r/releases/download/v1.2.0/d_1.2.0_amd64.deb", "neither a program"),
        ("https://github.com/o/r/releases/tag/v1.2.0", "web page"),
        ("https://github.com/o/r/tree/main/bin/d", "web page"),
        ("https://github.com/o/r/archive/refs/tags/v1.2.0.tar.gz", "sources"),
        ("http://169.254.169.254/d", "no public server has"),
        ("http://10.0.0.1/d", "private network"),
        ("http://0x7f000001/d", "no valid host"),
        ("http://metadata.google.internal/d", "metadata service"),
    ],
)
def test_what_is_no_linux_program_is_left_out(url: str, reason: str) -> None:
    """Archives of other systems, packages, pages, sources and addresses that nobody publishes at."""
    chain = changed(CHAIN, ("codebase", "binaries"), {"linux/amd64": url})
    chain["codebase"] |= {"git_repo": "https://github.com/o/r", "tag": "v1.2.0"}

    imported = chain_registry.convert(chain, {}, "chain.json")

    assert {"git": "https://github.com/o/r", "tag": "v1.2.0"} == imported.document["daemon"]["source"]
    assert any(reason in remark for remark in imported.remarks)


def test_a_url_that_names_another_version_is_remarked() -> None:
    """The file may be another release than the one recommended."""
    url = f"https://github.com/o/r/releases/download/v1.1.0/d-1.1.0?checksum={SHA}"
    chain = changed(CHAIN, ("codebase", "binaries"), {"linux/amd64": url})

    remarks = chain_registry.convert(chain, {}, "chain.json").remarks

    assert "the amd64 binary: its URL names version 1.1.0, recommended is 1.2.0" in remarks


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/o/r/blob/main/genesis.json", {"url": "https://github.com/o/r/raw/main/genesis.json"}),
        ("https://gitlab.com/o/r/-/blob/main/genesis.json", {"url": "https://gitlab.com/o/r/-/raw/main/genesis.json"}),
        ("https://rpc.org/genesis", {"url": "https://rpc.org/genesis", "format": "rpc"}),
    ],
)
def test_a_genesis_behind_a_well_known_wrapper_is_taken_out(url: str, expected: dict[str, str]) -> None:
    """A forge's page becomes the file, an RPC server's answer is opened; both are remarked."""
    chain = changed(CHAIN, ("codebase", "genesis"), {"genesis_url": url})

    imported = chain_registry.convert(chain, {}, "chain.json")

    assert expected == imported.document["genesis"]
    assert any(remark.startswith("genesis: the URL is") for remark in imported.remarks)


def ladder(*steps: dict[str, Any], current: str = "v1.2.0") -> tuple[list[tuple[str, int]], str]:
    """Names and heights of the ladder, and the remarks."""
    chain = changed(CHAIN, ("codebase", "recommended_version"), current)
    imported = chain_registry.convert(chain, {"versions": list(steps)}, "chain.json")
    rungs = [(rung["name"], rung["height"]) for rung in imported.document.get("upgrades", [])]
    return rungs, "\n".join(imported.remarks)


def test_a_ladder_only_goes_up() -> None:
    """A step down, a second one at a height, and one without a height are left out and named."""
    rungs, remarks = ladder(
        {"name": "v2", "height": 200, "tag": "v1.2.0"},
        {"name": "down", "height": 300, "tag": "v1.1.9"},
        {"name": "v3", "height": 400, "tag": "v1.3.0"},
        {"name": "v3b", "height": 400, "tag": "v1.3.1"},
        {"name": "v4", "tag": "v1.4.0"},
    )

    assert [("v2", 200), ("v3b", 400)] == rungs
    assert "left out down at 300: 1.1.9 is older than 1.2.0 before it" in remarks
    assert "left out v3: v3b is at the same height 400" in remarks
    assert "left out v4 (1.4.0): versions.json names no height for it" in remarks
    assert "versions.json knows 1.4.0 (v4) without a height; recommended is 1.2.0" in remarks


def test_a_chain_that_its_own_versions_do_not_know_is_remarked() -> None:
    """There is no ladder to be on then."""
    rungs, remarks = ladder({"name": "v9", "height": 900, "tag": "v9.0.0"})

    assert rungs == []
    assert "versions.json does not know 1.2.0" in remarks
    assert "versions.json knows 9.0.0 (v9) at height 900" in remarks


@pytest.mark.parametrize(
    ("token", "expected", "remark"),
    [
        (
            {"denom": "uex", "fixed_min_gas_price": 0, "low_gas_price": 0.02},
            "0.02uex",
            "minimum is 0; took low_gas_price",
        ),
        ({"denom": "uex", "fixed_min_gas_price": 0}, "0uex", "no gas price above zero"),
        ({"denom": "uex", "fixed_min_gas_price": True}, "0uex", "no gas price above zero"),
        ({"denom": "uex,0ufree", "fixed_min_gas_price": 1}, "", "left out a token called 'uex,0ufree'"),
        ({"fixed_min_gas_price": 1}, "", "left out a token called ''"),
    ],
)
def test_no_gas_price_is_taken_over_blindly(token: dict[str, Any], expected: str, remark: str) -> None:
    """A zero is free spam, a true is no price, a denomination is one word."""
    chain = changed(CHAIN, ("fees",), {"fee_tokens": [token]})

    imported = chain_registry.convert(chain, {}, "chain.json")

    assert expected == imported.document.get("minimum_gas_prices", "")
    assert remark in "\n".join(imported.remarks)


def test_what_a_node_will_miss_is_said() -> None:
    """No peers, no servers, another consensus, forks, a chain that is not live."""
    chain = CHAIN | {"peers": {}, "apis": {}, "status": "killed"}
    chain["codebase"] = CHAIN["codebase"] | {
        "consensus": {"type": "sei-tendermint"},
        "sdk": {"repo": "https://github.com/o/cosmos-sdk"},
    }

    remarks = "\n".join(chain_registry.convert(chain, {}, "chain.json").remarks)

    assert "neither seeds nor persistent peers" in remarks
    assert "fewer than two usable RPC servers" in remarks
    assert "the registry calls this chain killed" in remarks
    assert "its consensus is sei-tendermint" in remarks
    assert "it runs a fork of its sdk: https://github.com/o/cosmos-sdk" in remarks


def test_names_as_they_are_in_the_registry_pass() -> None:
    """Capitals in a daemon's name and underscores in a server's; a prefix that is none is left out."""
    chain = CHAIN | {"daemon_name": "persistenceCore", "bech32_prefix": "lava@", "node_home": "$WORKSPACE/.oraid"}
    chain["apis"] = {"rpc": [{"address": "https://rpc_a.example.org"}, {"address": "https://b.org"}]}

    imported = chain_registry.convert(chain, {}, "chain.json")

    assert ("persistenceCore", ".oraid") == (imported.document["daemon"]["name"], imported.document["daemon"]["home"])
    assert "bech32_prefix" not in imported.document
    assert {"url": "https://rpc_a.example.org"} in imported.document["catch_up"]["state_sync"]["servers"]


@pytest.mark.parametrize("home", [".", "..", "$HOME", "$HOME/.ssh", "~/.ssh/x", "/etc", "$HOME/../x", "$HOME/.config"])
def test_a_home_that_is_somebody_elses_is_refused(home: str) -> None:
    """A daemon's home is cleaned and chowned: it must be its own."""
    with pytest.raises(InputError, match="home"):
        chain_registry.convert(CHAIN | {"node_home": home}, {}, "chain.json")


def test_the_unbonding_time_bounds_what_is_trusted() -> None:
    """Two thirds of it where that is shorter than the default; nothing where it is longer."""

    def period(seconds: str) -> Any:
        chain = CHAIN | {"staking": {"lock_duration": {"time": seconds}}}
        sync = chain_registry.convert(chain, {}, "chain.json").document["catch_up"]["state_sync"]
        return sync.get("trust_period")

    assert ("48h", None, None) == (period("259200s"), period("1814400s"), period("3 days"))


def test_snapshot_providers_are_taken_over() -> None:
    """For a person to choose from."""
    expected = [{"provider": "Ann", "url": "https://ann.org/snapshots"}]

    assert expected == chain_registry.convert(FULL, {}, "chain.json").document["catch_up"]["snapshot_providers"]


def test_ids_are_kept_whole() -> None:
    """The example of this file holds what it says: a peer's ID survives."""
    document = json.loads(json.dumps(chain_registry.convert(FULL, VERSIONS, "chain.json").document))

    assert [f"{ID}@host.org:26656"] == document["seeds"]
