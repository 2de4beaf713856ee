"""User-data that is ready to paste: a role's template from cloud-init/, filled and checked.

The template decides the text; this module fills in the values, and refuses to
hand out a node.yaml that the node would reject.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from goldnode.config import node_config, node_entry
from goldnode.errors import InputError, UsageError
from goldnode.files import write_atomic
from goldnode.paths import REPOSITORY

TEMPLATES = REPOSITORY / "cloud-init"
#: The most bytes of user-data: AWS takes 16 KiB, the least of the clouds we publish to.
USER_DATA_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node of a machine.

    Attributes:
        name: Its name.
        role: Its role.
        join: Its invite line; empty for a role without a cluster, and for a node that has joined.
        extra: Further keys of its entry below ``nodes:``.
    """

    name: str
    role: str
    join: str = field(repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserData:
    """The values in a machine's user-data.

    Attributes:
        cluster: The cluster's name, for the comment on top.
        network: The network's name.
        role: The machine's role; `multi-node` for several nodes.
        nodes: Its nodes; none for a rendezvous only.
        rendezvous: Where it meets the others; empty if it meets nobody.
        genesis: The genesis file of a private network; empty for none.
        ssh_keys: Who may log in.
        extra: Further keys of node.yaml.
    """

    cluster: str
    network: str
    role: str
    nodes: Sequence[NodeSpec]
    rendezvous: Sequence[str]
    genesis: bytes = b""
    ssh_keys: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def render(machine: UserData, templates: Path = TEMPLATES) -> str:
    """Fill the role's template.

    Raises:
        UsageError: The role has no template.
        InputError: The node.yaml would be rejected, or the user-data is too large for a cloud.
    """
    for node in machine.nodes:
        if not node_entry.NAME.fullmatch(node.name):
            raise InputError(
                f"{node.name!r} is not a valid node name: it must be {node_entry.NAME_MEANING}", hint="--node val-1"
            )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, not HTML: every value goes through tojson
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        template = environment.get_template(f"{machine.role}.yaml.j2")
    except jinja2.TemplateNotFound as error:
        known = ", ".join(sorted(path.name.removesuffix(".yaml.j2") for path in templates.glob("*.yaml.j2")))
        raise UsageError(
            f"there is no user-data template for role {machine.role}", hint=f"roles with a template: {known}"
        ) from error
    text = template.render(_values(machine))
    _check(text)
    return text


def write(path: Path, text: str) -> None:
    """Write user-data, readable by its owner only: it holds an invite."""
    write_atomic(path, text, 0o600)


def _values(machine: UserData) -> dict[str, Any]:
    first = machine.nodes[0] if machine.nodes else NodeSpec(machine.role, machine.role, "")
    return {
        "cluster": machine.cluster,
        "network": machine.network,
        "role": machine.role,
        "name": first.name,
        "join": first.join,
        "nodes": [
            {"name": node.name, "role": node.role, "join": node.join, "extra": dict(node.extra)}
            for node in machine.nodes
        ],
        "rendezvous": list(machine.rendezvous),
        "genesis": machine.genesis.decode("utf-8", "replace"),
        "genesis_sha256": hashlib.sha256(machine.genesis).hexdigest() if machine.genesis else "",
        "genesis_gzip": base64.b64encode(gzip.compress(machine.genesis, mtime=0)).decode() if machine.genesis else "",
        "ssh_keys": list(machine.ssh_keys),
        "ssh_key": machine.ssh_keys[0] if machine.ssh_keys else "",
        "extra": dict(machine.extra),
    }


def _check(text: str) -> None:
    size = len(text.encode())
    if size > USER_DATA_BYTES:
        raise InputError(
            f"the user-data has {size} bytes; clouds accept {USER_DATA_BYTES}", hint="put fewer nodes on the machine"
        )
    document = yaml.safe_load(text)
    written = {item["path"]: item for item in document["write_files"]}
    node_config.parse(written["/etc/goldnode/node.yaml"]["content"])
