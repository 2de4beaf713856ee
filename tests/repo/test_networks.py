"""Network files, their schema and their documentation in step with each other and with the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from goldnode.config import network, network_check
from goldnode.paths import REPOSITORY

README = (network.NETWORKS / "README.md").read_text(encoding="utf-8")
SCHEMA = json.loads(network_check.SCHEMA.read_text(encoding="utf-8"))
#: Fields of a release, a source and libraries are documented once, where the daemon's are.
RELEASES = re.compile(r"upgrades\[\]\.(release|source|libraries)[.\[].*")
#: Hashes that somebody published: chain-registry's checksums, and Osmosis' own LFS pointer for the genesis.
PUBLISHED = {
    "osmosis": {"d435408b845e79a2594594a315d9d22797fdbb7871a5936df68f51f0df557957",
                "b5c44e74c4dc484f8492d10a24fcd3f75a43dccaa40ab083662741beeeaa20cc",
                "1cdb76087fabcca7709fc563b44b5de98aaf297eedc8805aa2884999e6bab06d"},
    "coreum": {"5865d0351b5c6c084ec8e0501104f5acc441820981dab6debf4b9a8c6df61703",
               "f7edeb470e3f1952fd8c516cd08a973012c94d9f6a6c92ca902bf56402b32d86"},
    "lumera": {"3d33c600ad35b94c72acf4ce81247f6171b79169f5b84a6e415df1ec30d690dc"},
    "zigchain": {"1a64152e48fb25c990bfcf52c0578171137470b78a79859e3c861714e099cd5e"},
    "xion": {"a7a63a81e6a8095aa532e58f79b98164a7fbdffd0d0f6c98250880dc1c061a0b",
             "4c452a48078687b45b95710ccbe506b0e4cb186329b0bac243d3721a624a1001"},
    "gonka": {"24d4481bee27573b5a852265cf0672e1603e405ae1f1f9fba15a7a986feca569",
              "37909cbd65616f9575a328f95a1fd1a8941a9e5385d116fb507c35bc686a9949"},
    "uptick": {"ceedede0f5016906fadc688cc69fb5c378832c661decba199bcb2a66507d0f76",
               "b11fae7b3633a4a050d8e8b3d4f12e54efdb29755d206e70b48e158f582cf0aa"},
    "osmosis-testnet": {"6999331507e5119228456a64f733eb1d945f5392ffcfd4673bdad25886b19a7e",
                        "079d836d1bf009aab09149eb79d3c187980c5116b8319e09c66a8cae7fa0704c"},
    "xion-testnet": {"63f2a48d8664acb3db1d12a11780da36537575c4e8678fb2e0ab6c0a64dfa4af",
                     "76cfb7f8356e0feb111d3b4feeaef7cdf10ff95cc9b7a28329660a3a92051e41"},
}  # fmt: skip


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool]]:
    """Every field a network file may have, with whether it is required."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for name, inner in schema.get("properties", {}).items():
        part = "ARCH" if name in ("amd64", "arm64") else name
        where = f"{path}.{part}" if path else part
        yield where, name in schema.get("required", [])
        yield from fields(inner, where)
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


FIELDS = {where: required for where, required in fields(SCHEMA) if not RELEASES.fullmatch(where)}


def test_the_schema_is_one() -> None:
    """It is valid JSON Schema 2020-12, and names the version it describes."""
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$id"].endswith(":1")


def test_every_object_refuses_unknown_keys() -> None:
    """No mapping of the format is open, except the TOML tables people override."""

    def objects(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if "properties" in value and "type" in value:
                yield value
            for inner in value.values():
                yield from objects(inner)

    assert all(found["additionalProperties"] is False for found in objects(SCHEMA))


def test_every_field_is_documented() -> None:
    """A field of the schema without a row in networks/README.md would be a secret."""
    documented = set(re.findall(r"^\| \**`([^`]+)`\** \|", README, re.MULTILINE))
    networks = {name for name in documented if (network.NETWORKS / f"{name}.yaml").exists()}

    assert documented - networks == set(FIELDS)


def test_required_fields_are_marked() -> None:
    """Bold is what the schema requires."""
    bold = set(re.findall(r"^\| \*\*`([^`]+)`\*\* \|", README, re.MULTILINE))

    assert {where for where, required in FIELDS.items() if required} == bold


def test_every_shipped_network_is_listed_in_the_readme() -> None:
    """The table at the top is the folder."""
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)

    assert sorted(listed) == network.names()


def test_the_readmes_example_is_valid(tmp_path: Path) -> None:
    """What people copy works."""
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(example)

    assert network_check.faults(network_check.read(path)) == []


@pytest.mark.parametrize("name", network.names())
def test_shipped_networks_are_without_fault(name: str) -> None:
    """`./invoke network check` has nothing to say."""
    path = network.NETWORKS / f"{name}.yaml"

    assert network_check.faults(network_check.read(path)) == []


def hashes(value: Any) -> Iterator[str]:
    """Every hash of a document that nobody locked."""
    if isinstance(value, dict):
        if "sha256" in value and "locked" not in value:
            yield value["sha256"]
        for inner in value.values():
            yield from hashes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from hashes(inner)


@pytest.mark.parametrize("name", network.names())
def test_no_hash_is_invented(name: str) -> None:
    """The pins of the shipped real networks are exactly those somebody published, or that were locked on a day."""
    assert set(hashes(dict(network.load(name).document))) == PUBLISHED.get(name, set())


def test_enough_real_networks_ship() -> None:
    """Twenty mainnets and four testnets at least."""
    real = [name for name in network.names() if not network.load(name).private]
    testnets = [name for name in real if name.endswith("-testnet")]

    assert len(testnets) >= 4
    assert len(real) - len(testnets) >= 20


def test_the_node_reads_networks_with_the_standard_library_alone() -> None:
    """On the node there is no jsonschema, and nobody wants to wait for YAML."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import goldnode.config.network, goldnode.fetch.artifact, goldnode.fetch.download, "
        "goldnode.fetch.unpack, goldnode.fetch.version; "
        "print(sorted({'yaml', 'jsonschema', 'tomlkit', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, REPOSITORY], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
