"""Where an image is made: under QEMU here, or on a cloud's own machine by the same scripts.

Each platform is one source in ``packer/``.  What an operator may set for a cloud are the variables
that its file declares, so an unknown name is refused here, before Packer has started.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from goldnode import paths
from goldnode.errors import Fault, InputError, UsageError

DECLARED = re.compile(r'^variable "(\w+)"', re.MULTILINE)


class Platform(StrEnum):
    """Who runs the machine that becomes the image."""

    QEMU = "qemu"
    STOCK = "stock"
    AMAZON_EBS = "amazon-ebs"
    AZURE_ARM = "azure-arm"
    DIGITALOCEAN = "digitalocean"
    GOOGLECOMPUTE = "googlecompute"
    HCLOUD = "hcloud"
    OPENSTACK = "openstack"

    @property
    def source(self) -> str:
        """Its source in ``packer/``: kind and name."""
        return {Platform.QEMU: "qemu.golden", Platform.STOCK: "qemu.stock"}.get(self, f"{self}.node")

    @property
    def cloud(self) -> bool:
        """Whether the image appears in somebody's cloud instead of in ``out/``."""
        return self not in {Platform.QEMU, Platform.STOCK}

    @property
    def template(self) -> Path:
        """The file that describes its source."""
        return paths.REPOSITORY / "packer" / f"{self}.pkr.hcl"


#: Prefixes of the environment variables that Packer may see: each cloud's own credentials.
CREDENTIALS = {
    Platform.AMAZON_EBS: ("AWS_",),
    Platform.AZURE_ARM: ("ARM_", "AZURE_"),
    Platform.DIGITALOCEAN: ("DIGITALOCEAN_",),
    Platform.GOOGLECOMPUTE: ("GOOGLE_", "CLOUDSDK_"),
    Platform.HCLOUD: ("HCLOUD_",),
    Platform.OPENSTACK: ("OS_",),
}


def choose(name: str) -> Platform:
    """The platform of that name.

    Raises:
        UsageError: There is no such platform.
    """
    try:
        return Platform(name)
    except ValueError as unknown:
        raise UsageError(
            f"there is no platform {name!r}; there are {', '.join(Platform)}", hint="./invoke bake --platform qemu"
        ) from unknown


def settings(platform: Platform, pairs: Iterable[str], file: Path | None) -> dict[str, Any]:
    """The operator's variables of a cloud: those of ``file`` (YAML or JSON), overruled by ``KEY=VALUE`` pairs.

    A value in a pair is text, or JSON when it begins with a bracket.

    Raises:
        UsageError: A pair is none, or names something the platform does not know.
        InputError: The same of the file; every fault at once.
    """
    known = tuple(DECLARED.findall(platform.template.read_text())) if platform.cloud else ()
    values = _file(platform, file, known) if file else {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair} is not of the form KEY=VALUE", hint=f"./invoke bake --platform {platform}")
        if key not in known:
            raise UsageError(f"--set {key}: {_unknown(platform, known)}")
        values[key] = _value(pair, value)
    return values


def _value(pair: str, value: str) -> Any:
    if not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise UsageError(f"--set {pair}: the value begins like JSON but is not valid: {error.msg}") from error


def _file(platform: Platform, file: Path, known: tuple[str, ...]) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{file} is not a mapping of variables to values")
    faults = [Fault(str(file), 0, str(key), "", _unknown(platform, known)) for key in document if str(key) not in known]
    if faults:
        raise InputError(f"{file} does not fit", faults=faults)
    return document


def _unknown(platform: Platform, known: tuple[str, ...]) -> str:
    return f"{platform} has the variables {', '.join(known)}" if known else f"{platform} has no variables to set"
