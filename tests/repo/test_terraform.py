"""terraform/ launches machines and nothing else, and says only what the providers understand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.config import node_config
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.repo import hcl, terraform_bindings
from tests.support.go_tools import HCLFMT, TERRAFORM

TERRAFORM_FOLDER = REPOSITORY / "terraform"
CLOUDS = ("aws", "digitalocean", "gcp", "hetzner")
FILES = sorted(path for cloud in CLOUDS for path in (TERRAFORM_FOLDER / cloud).glob("*.tf"))
LOCAL = sorted((TERRAFORM_FOLDER / "local").glob("*.tf"))
BINDINGS: dict[str, Any] = json.loads((REPOSITORY / "tests" / "repo" / "terraform_bindings.json").read_text())
#: What Terraform itself understands inside any resource.
META_ARGUMENTS = {"for_each", "count", "depends_on", "provider"}
META_BLOCKS = {"lifecycle", "dynamic"}


def named(path: Path) -> str:
    """Cloud and file, for test ids."""
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", [*FILES, *LOCAL], ids=named)
def test_laid_out_as_terraform_does(path: Path) -> None:
    """Every file is laid out by HCL's own formatter, which needs seconds to build where Terraform needs minutes."""
    run([HCLFMT.path(), "-require-no-change", path])


@pytest.mark.long
def test_terraform_itself_agrees() -> None:
    """Terraform reads every file and would not lay it out in another way."""
    run([TERRAFORM.path(), "fmt", "-check", "-diff", "-recursive", TERRAFORM_FOLDER])


def resources(path: Path) -> Iterator[hcl.Block]:
    """The managed resources of a file."""
    return (block for block in hcl.parse(path.read_text()).blocks if block.kind == "resource")


def faults(block: hcl.Block, known: dict[str, Any], where: str, *, top: bool) -> Iterator[str]:
    """Arguments and blocks that a provider does not know."""
    extra = META_ARGUMENTS if top else set()
    yield from (
        f"{where}.{name}" for name in block.arguments if name not in {*known["arguments"], *known["blocks"], *extra}
    )
    for inner in block.blocks:
        if inner.kind in known["blocks"]:
            yield from faults(inner, known["blocks"][inner.kind], f"{where}.{inner.kind}", top=False)
        elif inner.kind == "dynamic" and inner.labels[0] in known["blocks"]:
            (content,) = inner.blocks
            yield from faults(content, known["blocks"][inner.labels[0]], f"{where}.{inner.labels[0]}", top=False)
        elif not (top and inner.kind in META_BLOCKS):
            yield f"{where}.{inner.kind}"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_providers_know_every_type_and_argument(path: Path) -> None:
    """Every resource type, block and argument is in the provider's published bindings."""
    unknown = [
        fault
        for block in resources(path)
        for fault in faults(block, BINDINGS["resources"][block.labels[0]], block.labels[0], top=True)
    ]

    assert unknown == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_providers_know_every_attribute(path: Path) -> None:
    """Every attribute that is read from a resource exists."""
    for resource, attribute in hcl.references(path.read_text()):
        assert attribute in BINDINGS["resources"][resource]["attributes"], f"{resource}.{attribute}"


def test_bindings_can_tell() -> None:
    """A type, argument, block or attribute that no provider has is found: the checks above are able to fail."""
    text = (
        'resource "aws_instance" "x" {\n  amy = "a"\n\n  root_block_device {\n    sise = 1\n  }\n\n  disk {\n  }\n}\n'
    )
    (block,) = hcl.parse(text).blocks

    found = list(faults(block, BINDINGS["resources"]["aws_instance"], "aws_instance", top=True))

    assert ["aws_instance.amy", "aws_instance.root_block_device.sise", "aws_instance.disk"] == found
    assert [("aws_instance", "public_ipp")] == list(hcl.references("aws_instance.node[name].public_ipp"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_launches_and_nothing_else(cloud: str) -> None:
    """No provisioner, no SSH, no program run: a folder declares machines, a firewall and a volume."""
    text = "\n".join(path.read_text() for path in (TERRAFORM_FOLDER / cloud).glob("*.tf"))
    used = {block.labels[0] for path in (TERRAFORM_FOLDER / cloud).glob("*.tf") for block in resources(path)}

    assert re.findall(r"provisioner|remote-exec|local-exec|connection\s*\{|null_resource|external", text) == []
    assert any("volume" in name or "disk" in name for name in used)
    assert any("firewall" in name or "security_group" in name for name in used)
    assert used <= set(terraform_bindings.RESOURCES)


def test_local_downloads_nothing() -> None:
    """terraform/local uses what is built into Terraform, so that it works on a closed machine."""
    used = {block.labels[0] for path in LOCAL for block in resources(path)}

    assert {"terraform_data"} == used
    assert "required_providers" not in "".join(path.read_text() for path in LOCAL)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_invites_are_sensitive(cloud: str) -> None:
    """Invites never show in a plan."""
    (invites,) = [
        block
        for block in hcl.parse((TERRAFORM_FOLDER / cloud / "variables.tf").read_text()).blocks
        if block.labels == ("invites",)
    ]

    assert "sensitive" in invites.arguments


@pytest.mark.parametrize("cloud", CLOUDS)
def test_same_inputs_everywhere(cloud: str) -> None:
    """Whoever knows one folder knows all: the common inputs have the same names."""
    names = {block.labels[0] for block in hcl.parse((TERRAFORM_FOLDER / cloud / "variables.tf").read_text()).blocks}

    assert {"image", "sentries", "validator", "invites", "rendezvous", "volume_gb"} <= names


@pytest.mark.long
def test_bindings_are_the_published_ones(tmp_path: Path) -> None:
    """What lies here is what the wheels on PyPI say."""
    pinned = [f"{name}=={version}" for name, version, _ in terraform_bindings.WHEELS.values()]
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp_path, *pinned], timeout=600)

    assert terraform_bindings.derive(tmp_path) == BINDINGS


@pytest.mark.parametrize(("role", "data"), [("sentry", ""), ("validator", "/dev/disk/by-id/google-data")])
def test_user_data_is_a_valid_node_yaml(role: str, data: str) -> None:
    """The shared template gives a node.yaml that the node accepts, with and without a volume."""
    values = {
        "role": role,
        "name": "node-1",
        "join": "gn1_abc",
        "rendezvous": '["http://203.0.113.10:8700"]',
        "data": data,
    }
    text = (TERRAFORM_FOLDER / "user-data.yaml.tftpl").read_text()
    text = re.sub(
        r"%\{ if data != \"\" ~\}\n(.*?)%\{ endif ~\}\n", lambda m: m[1] if data else "", text, flags=re.DOTALL
    )
    text = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)
    (file,) = yaml.safe_load(text)["write_files"]

    parsed = node_config.parse(file["content"])

    assert (role, "node-1", data or "root") == (parsed.role, parsed.nodes[0].name, parsed.data)
    assert ("/etc/goldnode/node.yaml", "0600") == (file["path"], file["permissions"])
