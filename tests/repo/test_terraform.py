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
from goldnode.run import Completed, run
from tests.repo import hcl, terraform_bindings
from tests.support.go_tools import HCLFMT, TERRAFORM

TERRAFORM_FOLDER = REPOSITORY / "terraform"
CLOUDS = ("aws", "digitalocean", "gcp", "hetzner")
FILES = sorted(path for cloud in (*CLOUDS, "machine") for path in (TERRAFORM_FOLDER / cloud).glob("*.tf"))
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
    """The managed resources of a file that a provider is asked for."""
    blocks = hcl.parse(path.read_text()).blocks
    return (block for block in blocks if block.kind == "resource" and block.labels[0] != "terraform_data")


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
    used = {
        block.labels[0] for path in LOCAL for block in hcl.parse(path.read_text()).blocks if block.kind == "resource"
    }

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

    assert {
        "image", "sentries", "validator", "rendezvous_machine", "invites", "rendezvous", "network", "volume_gb",
        "metrics_from",
    } <= names  # fmt: skip


@pytest.mark.long
def test_bindings_are_the_published_ones(tmp_path: Path) -> None:
    """What lies here is what the wheels on PyPI say."""
    pinned = [f"{name}=={version}" for name, version, _ in terraform_bindings.WHEELS.values()]
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", tmp_path, *pinned], timeout=600)

    assert terraform_bindings.derive(tmp_path) == BINDINGS


WHOLE = """
variable "invites" {
  type      = map(string)
  default   = {}
  sensitive = true
}

variable "sentries" {
  type = list(string)
}

module "machine" {
  source   = "MODULE"
  for_each = merge({ for name in var.sentries : name => "sentry" }, { rdv = "rendezvous" })

  role         = each.value
  name         = each.key
  invite       = lookup(var.invites, each.key, null)
  rendezvous   = ["http://203.0.113.10:8700"]
  addresses    = each.value == "sentry" ? ["198.51.100.7"] : []
  metrics_from = each.value == "sentry" ? ["198.51.100.0/24", "2001:db8::/32"] : []
  data         = "/dev/disk/by-id/google-data"
}

resource "terraform_data" "machine" {
  for_each = module.machine
  input    = each.value.user_data

  lifecycle {
    ignore_changes = [input]
  }
}
"""


@pytest.mark.long
def test_an_invite_is_asked_for_while_there_is_no_machine(tmp_path: Path) -> None:
    """Applied: without its invite no machine, with it user-data that the node accepts; then never asked again."""
    (tmp_path / "main.tf").write_text(WHOLE.replace("MODULE", "./machine"))
    (tmp_path / "machine").symlink_to(TERRAFORM_FOLDER / "machine")

    def type_terraform(verb: str, *words: str) -> Completed:
        env = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        return run([TERRAFORM.path(), f"-chdir={tmp_path}", verb, "-no-color", *words], env=env, check=False)

    def apply(sentries: list[str], invites: dict[str, str]) -> Completed:
        values = [f"-var=sentries={json.dumps(sentries)}", f"-var=invites={json.dumps(invites)}"]
        return type_terraform("apply", "-auto-approve", "-input=false", *values)

    type_terraform("init", "-input=false")
    none = apply(["s-1"], {})
    first = apply(["s-1"], {"s-1": "gn1_first"})
    again = apply(["s-1"], {})
    further = apply(["s-1", "s-2"], {})
    told = json.loads(type_terraform("show", "-json").stdout)["values"]["root_module"]["resources"]
    nodes = {each["index"]: node_yaml(each["values"]["output"]) for each in told}

    assert "s-1 has no invite: ./invoke cluster invite CLUSTER --role sentry --tfvars" in " ".join(none.stderr.split())
    assert (0, False) == (first.returncode, "gn1_first" in first.stdout + first.stderr), first.stderr
    assert (0, True) == (again.returncode, "0 added, 0 changed, 0 destroyed" in again.stdout), again.stderr
    assert ("s-2 has no" in further.stderr, "s-1 has no" in further.stderr) == (True, False)
    assert {"s-1": ("sentry", "gn1_first"), "rdv": ("rendezvous", "")} == {
        name: (node.role, node.nodes[0].join if node.nodes else "") for name, node in nodes.items()
    }
    assert ("198.51.100.7",) == nodes["s-1"].nodes[0].addresses
    assert ("198.51.100.0/24", "2001:db8::/32") == nodes["s-1"].nodes[0].metrics


def node_yaml(user_data: str) -> node_config.NodeConfig:
    """What the node reads of user-data; readable by root alone."""
    (file,) = yaml.safe_load(user_data)["write_files"]

    assert ("/etc/goldnode/node.yaml", "0600") == (file["path"], file["permissions"])
    return node_config.parse(file["content"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_launches_a_cluster_is_there(cloud: str) -> None:
    """Each folder launches a rendezvous, several zones, and lets chosen networks read the metrics, IPv6 included."""
    text = (TERRAFORM_FOLDER / cloud / "main.tf").read_text()

    assert 'rendezvous = { rendezvous = ["tcp", 8700] }' in text
    assert re.search(r"var\.(subnets|zones|locations|regions)\[index % length", text)
    assert "9600" in text
    assert "metrics_from" in text
    assert cloud == "gcp" or "::/0" in text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_disks_are_named_for_what_they_are(cloud: str) -> None:
    """The data volume is named by its own id, never by the order in which the kernel found disks."""
    text = (TERRAFORM_FOLDER / cloud / "main.tf").read_text()

    assert re.search(r"/dev/disk/by-id/|hcloud_volume\.data\[each\.key\]\.linux_device", text)
    assert [] == re.findall(r"/dev/(?:nvme|vd|sd[a-e]|xvd)\w*", text)


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_who_is_behind_a_router_is_told_its_own_address(cloud: str) -> None:
    """Where a machine sees a private address only, a sentry gets an elastic one and is told which."""
    text = (TERRAFORM_FOLDER / cloud / "main.tf").read_text()

    assert re.search(r'addresses += each\.value == "sentry" \? \[(aws_eip|google_compute_address)\.public', text)


def test_every_network_has_a_size() -> None:
    """A volume's size follows from the network, for all that ship and run on machines of their own."""
    sizes = json.loads((TERRAFORM_FOLDER / "volume_gb.json").read_text())
    known = {path.stem for path in (REPOSITORY / "networks").glob("*.yaml")} - {"daml", "mokamint"}

    assert known == set(sizes)
    assert all(isinstance(size, int) and size >= 20 for size in sizes.values())
