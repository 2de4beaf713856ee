"""The templates in packer/, seen by the real Packer: each source is whole, and only what differs, differs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from goldnode import paths
from goldnode.bake import plugins
from goldnode.bake.platform import Platform
from goldnode.run import run
from tests.support.keystone import Keystone, letting_in

PACKER = paths.REPOSITORY / "packer"


@pytest.fixture(scope="module")
def keystone() -> Iterator[Keystone]:
    """An identity service that lets everybody in."""
    with letting_in() as service:
        yield service


@pytest.fixture(scope="module")
def values(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variables for every source, with credentials that open nothing."""
    folder = tmp_path_factory.mktemp("values")
    openssh = (
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())  # fmt: skip
    (folder / "key").write_bytes(Ed25519PrivateKey.generate().private_bytes(*openssh))
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "type": "service_account",
        "project_id": "example",
        "private_key_id": "1",
        "private_key": generate_private_key(65537, 2048).private_bytes(*pkcs8).decode(),
        "client_email": "bake@example.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:9/token",
    }
    (folder / "account.json").write_text(json.dumps(account))
    (folder / "payload.tar").touch()
    file = folder / "values.json"
    file.write_text(
        json.dumps(
            {
                "network": "localnet",
                "version": "0.38.19",
                "image_name": "goldnode-localnet-0-38-19-01234567",
                "payload": str(folder / "payload.tar"),
                "disk": str(folder / "disk.qcow2"),
                "output": str(folder / "output"),
                "ssh_private_key_file": str(folder / "key"),
                "aws_access_key": "nobodys-access",
                "aws_secret_key": "nobodys-secret",
                "google_project": "example",
                "google_account_file": str(folder / "account.json"),
                "digitalocean_token": "nobodys-secret",
                "hcloud_token": "nobodys-secret",
                "azure_subscription_id": "nobodys-subscription",
                "azure_tenant_id": "nobodys-tenant",
                "azure_client_id": "nobodys-client",
                "azure_client_secret": "nobodys-secret",
                "openstack_identity_endpoint": keystone.url,
                "openstack_username": "nobody",
                "openstack_password": "nobodys-secret",
                "openstack_tenant_name": "nobody",
                "openstack_domain_name": "default",
            }
        )
    )
    return file


@pytest.mark.parametrize("platform", Platform)
def test_source_validates(platform: Platform, values: Path) -> None:
    """Every platform's source is whole for the installed Packer, with credentials that open nothing."""
    done = run(
        ["packer", "validate", f"-var=source={platform.source}", f"-var-file={values}", PACKER],
        env={"CHECKPOINT_DISABLE": "1"},
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr


def test_a_source_that_lacks_something_does_not_validate(values: Path, tmp_path: Path) -> None:
    """Validation is the full one: it goes red when a source misses what its cloud needs."""
    broken = tmp_path / "packer"
    broken.mkdir()
    for file in PACKER.glob("*.pkr.hcl"):
        text = file.read_text()
        (broken / file.name).write_text(re.sub(r"(?m)^  server_type = .*\n", "", text))
    (broken / "scripts").symlink_to(PACKER / "scripts")

    done = run(["packer", "validate", "-var=source=hcloud.node", f"-var-file={values}", broken], check=False)

    assert done.returncode
    assert "server type is required" in done.stdout + done.stderr


def test_templates_are_formatted() -> None:
    """`packer fmt` has nothing to change."""
    done = run(["packer", "fmt", "-check", PACKER], check=False)

    assert (0, "") == (done.returncode, done.stdout)


def test_no_template_asks_for_plugins() -> None:
    """Debian's Packer takes that block for an error, and current Packer knows plugins by no hash."""
    assert [] == [file.name for file in PACKER.rglob("*.hcl") if "required_plugins" in file.read_text()]


def test_a_plugin_for_every_source() -> None:
    """Whatever source a bake asks current Packer for, packer/plugins.json names the module that brings it."""
    declared = [builder for plugin in plugins.known() for builder in plugin.builders]

    assert {platform.source.partition(".")[0] for platform in Platform} == set(declared)
    assert len(declared) == len(set(declared))


def test_a_plugin_has_a_sum_or_says_so() -> None:
    """Each is one version of one module, known by its sum; these two nobody has pinned yet, and they are refused."""
    unpinned = {builder for plugin in plugins.known() if not plugin.sum for builder in plugin.builders}

    assert {"azure-arm", "hcloud"} == unpinned
    for plugin in plugins.known():
        assert re.fullmatch(r"\d+\.\d+\.\d+", plugin.version)
        assert re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=|", plugin.sum)


def test_one_file_per_platform_and_no_other() -> None:
    """Each platform has the file that `Platform.template` names, with its source in it; the rest is shared."""
    files = {file.name.removesuffix(".pkr.hcl") for file in PACKER.glob("*.pkr.hcl")}

    assert {*Platform, "variables", "build"} == files
    for platform in Platform:
        kind, name = platform.source.split(".")
        assert f'source "{kind}" "{name}" {{' in platform.template.read_text()


@pytest.mark.parametrize("platform", [platform for platform in Platform if platform.cloud])
def test_secrets_are_marked(platform: Platform) -> None:
    """Packer keeps every secret of a cloud out of its output: what is named one is marked sensitive."""
    blocks = re.findall(r'variable "(\w+)" \{(.*?)\n\}', platform.template.read_text(), re.DOTALL)
    secrets = {name for name, _ in blocks if re.search("token|secret|password", name)}
    marked = {name for name, body in blocks if re.search(r"sensitive\s+= true", body)}

    assert secrets == marked


def test_every_source_runs_both_scripts() -> None:
    """No source can skip installing or sealing: the one build runs both scripts, sealing last."""
    build = (PACKER / "build.pkr.hcl").read_text()
    scripts = re.findall(r'script\s+= "\$\{path.root\}/scripts/(.+)"', build)

    assert ["provision.sh", "clean.sh"] == scripts


def test_packer_is_root_everywhere() -> None:
    """The build knows of every source whose user is not root, for there the scripts need sudo."""
    others = re.search(r"others = \[(.*)\]", (PACKER / "build.pkr.hcl").read_text())
    users = {it.source: re.search(r'ssh_username\s+= "(\w+)"', it.template.read_text()) for it in Platform}

    assert others
    assert {name for name, user in users.items() if user and user[1] != "root"} == set(json.loads(f"[{others[1]}]"))
    assert all(users.values())
