"""Which platforms there are, and what an operator may set for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake import cloud, golden, platform
from goldnode.bake.platform import Platform
from goldnode.bake.vm import stock_vm
from goldnode.config.network import load
from goldnode.errors import InputError, UsageError


def test_unknown_platform() -> None:
    """A platform nobody knows is refused with the list of those there are."""
    with pytest.raises(UsageError, match="qemu, stock, amazon-ebs") as caught:
        platform.choose("ec2")

    assert "./invoke bake --platform qemu" == caught.value.hint


def test_every_platform_can_be_chosen() -> None:
    """Each platform's name chooses it, and every cloud has its own credentials."""
    assert list(Platform) == [platform.choose(str(it)) for it in Platform]
    assert {it for it in Platform if it.cloud} == set(platform.CREDENTIALS)


def test_settings_of_a_cloud(tmp_path: Path) -> None:
    """Pairs overrule the file; a value that begins with a bracket is JSON, everything else is text."""
    file = tmp_path / "openstack.yaml"
    file.write_text("openstack_flavor: m1.large\nopenstack_networks: [a]\nopenstack_region: one\n")

    found = platform.settings(
        Platform.OPENSTACK, ['openstack_networks=["b", "c"]', "openstack_region=two=2", "openstack_username=007"], file
    )

    expected = {
        "openstack_flavor": "m1.large",
        "openstack_networks": ["b", "c"],
        "openstack_region": "two=2",
        "openstack_username": "007",
    }
    assert expected == found


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("aws_region", "not of the form KEY=VALUE"),
        ("region=x", "amazon-ebs has the variables aws_region"),
        ("network=x", "amazon-ebs has the variables aws_region"),
        ("aws_region=[", "begins like JSON but is not valid"),
    ],
)
def test_a_pair_that_does_not_fit(pair: str, words: str) -> None:
    """What is no setting of that cloud is refused before Packer starts."""
    with pytest.raises(UsageError, match=words):
        platform.settings(Platform.AMAZON_EBS, [pair], None)


@pytest.mark.parametrize("where", [Platform.QEMU, Platform.STOCK])
def test_nothing_to_set_here(where: Platform) -> None:
    """Platforms on this machine take no settings: goldnode decides them all."""
    with pytest.raises(UsageError, match="has no variables to set"):
        platform.settings(where, ["accelerator=kvm"], None)


def test_every_fault_of_a_file(tmp_path: Path) -> None:
    """A settings file shows all its faults at once."""
    file = tmp_path / "hcloud.json"
    file.write_text('{"hcloud_token": "x", "hcloud_tokn": "x", "payload": "y"}')
    with pytest.raises(InputError) as caught:
        platform.settings(Platform.HCLOUD, [], file)

    assert ["hcloud_tokn", "payload"] == [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize("text", [None, "[1, 2]", "a: [", ""])
def test_a_file_that_is_none(text: str | None, tmp_path: Path) -> None:
    """A settings file that is missing, no YAML or no mapping is one clear error that names it."""
    file = tmp_path / "settings.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=r"settings\.yaml"):
        platform.settings(Platform.HCLOUD, [], file)


def test_image_name() -> None:
    """A cloud's image is named by network, version and inputs, in letters that every cloud takes."""
    assert "goldnode-localnet-0-38-19-0123abcd" == cloud.image_name(load("localnet"), "0123abcdef")


def test_a_cloud_sees_its_own_credentials_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packer gets the environment variables of the cloud it is to enter, and no others'."""
    for name in ("AWS_PROFILE", "HCLOUD_TOKEN", "SECRET_OF_OTHERS"):
        monkeypatch.setenv(name, "x")
    options = golden.BakeOptions(load("localnet"), platform=Platform.HCLOUD)

    assert {"HCLOUD_TOKEN": "x"} == cloud.credentials(options)


def test_the_key_depends_on_what_a_platform_uses() -> None:
    """The same inputs on another platform are another image; the same on the same one are the same."""
    keys = [golden.key_of(it, "base", "payload") for it in (*Platform, Platform.QEMU)]

    assert len(Platform) == len(set(keys))
    assert keys[-1] == golden.key_of(Platform.QEMU, "base", "payload")
    assert keys[-1] != golden.key_of(Platform.QEMU, "base", "other payload")


def test_seed_of_the_stock_bake(tmp_path: Path) -> None:
    """The seed lets one key in as root, and makes no other account."""
    user_data, meta_data = stock_vm.seed(tmp_path, "ssh-ed25519 AAAA goldnode-bake")

    expected = '#cloud-config\n{"disable_root": false, "users": [{"name": "root", "ssh_authorized_keys": ["ssh-ed25519 AAAA goldnode-bake"]}]}\n'  # noqa: E501
    assert expected == user_data.read_text()
    assert "instance-id: goldnode-stock-bake\n" == meta_data.read_text()
