"""Which addresses a machine tells others to dial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldnode.node.layout import Layout
from goldnode.node.system.reachable import AddressSource, Reachable, reachable

PRIVATE, PUBLIC = "172.31.5.6", "198.51.100.7"
#: What cloud-init keeps of each cloud's metadata, as far as addresses go; by its sources' own documents and code.
CLOUDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "aws": (
        {"meta_data": {"local-ipv4": PRIVATE, "public-ipv4": PUBLIC, "network": {"interfaces": {"macs": {}}}}},
        (PUBLIC,),
    ),
    "openstack": ({"meta_data": {"uuid": "x"}, "ec2_metadata": {"public-ipv4": PUBLIC}}, (PUBLIC,)),
    "digitalocean": (
        {"meta_data": {"reserved_ip": {"ipv4": {"active": True, "ip_address": PUBLIC}}, "interfaces": {}}},
        (PUBLIC,),
    ),
    "azure": (
        {
            "meta_data": {
                "imds": {
                    "network": {
                        "interface": [
                            {"ipv4": {"ipAddress": [{"privateIpAddress": PRIVATE, "publicIpAddress": PUBLIC}]}}
                        ]
                    }
                }
            }
        },
        (PUBLIC,),
    ),
    "gcp": ({"meta_data": {"instance-id": "1", "local-hostname": "x"}}, ()),
    "aws, without a public address": ({"meta_data": {"local-ipv4": PRIVATE, "public-ipv4": ""}}, ()),
    "somebody's nonsense": ({"meta_data": {"public-ipv4": ["169.254.169.254", "10.0.0.1", 7, "x\n", None]}}, ()),
    "no metadata": ({"meta_data": "x", "ec2_metadata": None}, ()),
}


def machine(root: Path, source: object, name: str = "instance-data.json") -> Layout:
    """A machine where cloud-init has left this."""
    path = root / "run/cloud-init" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"ds": source, "v1": {}}))
    return Layout(root)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_clouds_address_is_announced_where_it_names_one(cloud: str, tmp_path: Path) -> None:
    """A machine behind a cloud's router announces what the router stands for, and what it has itself otherwise."""
    source, named = CLOUDS[cloud]

    found = reachable(machine(tmp_path, source), (PRIVATE,))

    assert (named or (PRIVATE,)) == found.addresses
    assert (AddressSource.METADATA if named else AddressSource.INTERFACES) == found.source


def test_own_public_addresses_stay(tmp_path: Path) -> None:
    """IPv6 is not translated: the interface's own address is announced behind the metadata's."""
    found = reachable(machine(tmp_path, CLOUDS["aws"][0]), (PRIVATE, "2001:db8::7"))

    assert (PUBLIC, "2001:db8::7") == found.addresses


def test_what_was_found_outlives_cloud_init(tmp_path: Path) -> None:
    """Once user-data is scrubbed, and at boots without cloud-init, the address is known all the same."""
    layout = machine(tmp_path, CLOUDS["aws"][0])
    reachable(layout, (PRIVATE,))
    (tmp_path / "run/cloud-init/instance-data.json").unlink()

    assert (PUBLIC,) == reachable(layout, (PRIVATE,)).addresses


def test_another_answer_replaces_it(tmp_path: Path) -> None:
    """Where cloud-init ran again and found no public address, the one of before is not announced any more."""
    reachable(machine(tmp_path, CLOUDS["aws"][0]), (PRIVATE,))

    assert (PRIVATE,) == reachable(machine(tmp_path, CLOUDS["gcp"][0]), (PRIVATE,)).addresses


@pytest.mark.parametrize("text", ["", "[", '{"a": 1}', "7", '[7, "127.0.0.1", "x"]'])
def test_a_damaged_memory_is_none(text: str, tmp_path: Path) -> None:
    """What was remembered counts only while it is a list of addresses."""
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    (layout.state / "public-addresses.json").write_text(text)

    assert (PRIVATE,) == reachable(layout, (PRIVATE,)).addresses


def test_node_yaml_wins_and_it_is_said_who_named_them() -> None:
    """A person's addresses are announced as they are; words say where each came from, and what no outsider can dial."""
    found = Reachable((PRIVATE,))

    assert f"{PUBLIC}, from node.yaml" == str(found.or_named((PUBLIC,)))
    assert f"{PUBLIC}, from the cloud's metadata" == str(Reachable((PUBLIC,), AddressSource.METADATA))
    assert str(found.or_named(())).startswith(f"{PRIVATE}, from this machine's interfaces: nobody outside its own")
