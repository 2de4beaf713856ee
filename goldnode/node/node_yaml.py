"""Which node.yaml is in force on this machine: the one applied first, until somebody applies another.

User-data that changes later (a cloud console lets anybody edit it) must not turn a validator into
something else at its next reboot.
"""

from __future__ import annotations

from pathlib import Path

from goldnode.config import node_config
from goldnode.config.node_config import NodeConfig
from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, InputError
from goldnode.files import write_atomic
from goldnode.node import scrub
from goldnode.node.layout import Layout
from goldnode.node.plan import fit
from goldnode.node.plan.inputs import ImageFacts
from goldnode.node.system import machine


def in_force(layout: Layout, image: ImageFacts) -> NodeConfig:
    """The node.yaml in force: the one applied first; later changes to user-data are ignored with a warning.

    Raises:
        InputError: It is invalid.
    """
    config = node_config.parse(text_in_force(layout), "/etc/goldnode/node.yaml")
    fit.check(config, image, layout)
    return config


def text_in_force(layout: Layout) -> str:
    """The text of the node.yaml in force."""
    text = _read(layout.node_yaml) or ""
    stamp = _stamp(machine.read(layout).binding)
    applied = _read(layout.applied) or ""
    if not applied.startswith(stamp):
        return text
    if applied != stamp + scrub.without_invites(text):
        print("goldnode: node.yaml has changed since this machine was configured; the change is ignored")
        print("goldnode: try: goldnode apply /etc/goldnode/node.yaml")
    return applied.removeprefix(stamp)


def counts(layout: Layout, text: str) -> bool:
    """Whether this node.yaml is the one in force here, apart from invites."""
    return _read(layout.applied) == _stamp(machine.read(layout).binding) + scrub.without_invites(text)


def is_remembered(layout: Layout) -> bool:
    """Whether a node.yaml is in force here already."""
    return (_read(layout.applied) or "").startswith(_stamp(machine.read(layout).binding))


def remember(layout: Layout) -> None:
    """Put the current node.yaml in force on this machine, whatever user-data says later."""
    replace(layout, layout.node_yaml.read_text())


def replace(layout: Layout, text: str) -> None:
    """Put a node.yaml in force whose nodes have all been checked; its invites are used up."""
    clean = scrub.without_invites(text)
    # The copy in force is written first: after a power cut between the two, the machine still knows what it is.
    write_atomic(layout.applied, _stamp(machine.read(layout).binding) + clean, 0o600)
    if _read(layout.node_yaml) != clean:
        write_atomic(layout.node_yaml, clean, 0o600)
    machine.remember(layout)


def _read(path: Path) -> str | None:
    """A text file of the machine; None if it is absent.

    Raises:
        InputError: It is not text.
    """
    hint = "goldnode apply FILE, with your own node.yaml"
    try:
        return read_plain(path).decode()
    except FileNotFoundError:
        return None
    except HostError as error:
        raise InputError(error.message, hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}", hint=hint) from error


def _stamp(binding: str) -> str:
    """The first line of the copy in force: it binds only this machine, not one that the disk was copied to."""
    return f"# in force on machine {binding}\n"
