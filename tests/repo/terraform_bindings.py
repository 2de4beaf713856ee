"""What the providers' published bindings say about the resources that terraform/ uses.

Terraform's providers cannot be downloaded on a closed machine, and the bindings weigh 110 MB; so
what matters of them lies in ``terraform_bindings.json``, derived by this program from the wheels
on PyPI, and the long tier derives it again.

    pip download --no-deps -d WHEELS (the distributions in WHEELS below)
    python -m tests.repo.terraform_bindings WHEELS > tests/repo/terraform_bindings.json
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

#: Distributions, pinned, and what their names are in file names and resource types.
WHEELS = {
    "aws": ("cdktf-cdktf-provider-aws", "21.22.1", "cdktf_cdktf_provider_aws"),
    "google": ("cdktf-cdktf-provider-google", "16.12.1", "cdktf_cdktf_provider_google"),
    "digitalocean": ("cdktf-cdktf-provider-digitalocean", "13.14.1", "cdktf_cdktf_provider_digitalocean"),
    "hcloud": ("pulumi-hcloud", "1.43.3", "pulumi_hcloud"),
}
RESOURCES = (
    "aws_ebs_volume", "aws_eip", "aws_eip_association", "aws_instance", "aws_security_group", "aws_subnet",
    "aws_volume_attachment",
    "aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule",
    "digitalocean_droplet", "digitalocean_firewall", "digitalocean_volume",
    "google_compute_address", "google_compute_disk", "google_compute_firewall", "google_compute_instance",
    "hcloud_firewall", "hcloud_server", "hcloud_volume", "hcloud_volume_attachment",
)  # fmt: skip
#: Terraform's own words for every resource.
META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}


def derive(wheels: Path) -> dict[str, Any]:
    """Read the wheels in a folder."""
    document: dict[str, Any] = {"from": {name: version for name, version, _ in WHEELS.values()}, "resources": {}}
    for resource in RESOURCES:
        provider, _, name = resource.partition("_")
        _, version, package = WHEELS[provider]
        with zipfile.ZipFile(wheels / f"{package}-{version}-py3-none-any.whl") as wheel:
            read = _pulumi if provider == "hcloud" else _cdktf
            document["resources"][resource] = read(wheel, package, name)
    return document


def _cdktf(wheel: zipfile.ZipFile, package: str, name: str) -> dict[str, Any]:
    """Cdktf's structs carry Terraform's names; a block's struct is called after the path to it."""
    text = wheel.read(f"{package}/{name}/__init__.py").decode()
    structs = {
        match[1]: re.findall(r'"([a-z0-9_]+)": "', match[2])
        for match in re.finditer(
            r'jsii_type="[^"]*\.(\w+)",\s+jsii_struct_bases=[^\n]*\n\s+name_mapping=\{(.*?)\},\n\)', text, re.DOTALL
        )
    }
    prefix = _camel(name)
    body = text.partition(f"\nclass {prefix}(")[2].partition("\n@jsii.")[0]
    properties = re.findall(r"@builtins\.property\n.*\n    def (\w+)\(self\)", body)
    return {
        **_block(structs, prefix, [each for each in structs[f"{prefix}Config"] if each not in META]),
        "attributes": sorted(set(properties)),
    }


def _block(structs: dict[str, list[str]], prefix: str, arguments: list[str]) -> dict[str, Any]:
    nested = {name: structs[prefix + _camel(name)] for name in arguments if prefix + _camel(name) in structs}
    return {
        "arguments": sorted(set(arguments) - set(nested)),
        "blocks": {name: _block(structs, prefix + _camel(name), inner) for name, inner in sorted(nested.items())},
    }


def _pulumi(wheel: zipfile.ZipFile, package: str, name: str) -> dict[str, Any]:
    """Pulumi's classes carry Terraform's names too, with lists of blocks in the plural."""
    text = wheel.read(f"{package}/{name}.py").decode()
    inputs = wheel.read(f"{package}/_inputs.py").decode()
    arguments = _parameters(text, f"{_camel(name)}Args")
    blocks = {}
    for argument in arguments:
        single = argument.removesuffix("s")
        if f"class {_camel(name)}{_camel(single)}Args:" in inputs:
            blocks[single] = {
                "arguments": sorted(_parameters(inputs, f"{_camel(name)}{_camel(single)}Args")),
                "blocks": {},
            }
    plain = [each for each in arguments if each.removesuffix("s") not in blocks]
    body = text.partition(f"\nclass {_camel(name)}(")[2]
    properties = re.findall(r"@_builtins\.property\n(?:    @pulumi[^\n]*\n)?    def (\w+)\(self\)", body)
    return {"arguments": sorted(plain), "blocks": blocks, "attributes": sorted({*properties, "id"})}


def _parameters(text: str, name: str) -> list[str]:
    head = text.partition(f"class {name}:")[2].partition("def __init__(__self__, *,")[2].partition("):")[0]
    return re.findall(r"^\s*(\w+): ", head, re.MULTILINE)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


if __name__ == "__main__":
    print(json.dumps(derive(Path(sys.argv[1])), indent=1, sort_keys=True))
