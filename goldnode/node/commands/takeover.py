"""``takeover``: continue with a validator whose machine is gone: by its lease, or with a person's and the chain's word.

With a lease the store fences the other machine, alive or not.  Without one nothing here can: so a person says that
the machine is gone for good, and the chain must agree.  The node starts muted, and signs only after ten blocks in a
row that its key did not sign (``recovery``), above all of them, whatever the state on its volume says.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from goldnode.config.node_entry import NodeEntry
from goldnode.errors import HostError, SafetyError, UsageError
from goldnode.files import write_atomic
from goldnode.node import node_files, node_yaml
from goldnode.node.commands import boot
from goldnode.node.commands.lease import BLOCK_TIME, settings_of, store_of
from goldnode.node.commands.nodes import one
from goldnode.node.keys import handover, identity, recovery, signer_home
from goldnode.node.keys import lease as rules
from goldnode.node.keys.key_rules import MARGIN
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan.inputs import ImageFacts, read_image
from goldnode.node.system import machine

QUESTION = "Is that machine gone for good, destroyed or wiped, with every copy of its disk? Type {name}: "


def takeover(layout: Layout, arguments: Namespace) -> int:
    """Continue with the validator of another, or an unknown, machine.

    Raises:
        UsageError: Nobody confirmed that the other machine is gone.
        SafetyError: The key cannot be taken over safely.
        HostError: There is nothing to take over.
    """
    node = one(layout, arguments.name)
    image, binding = read_image(layout), machine.read(layout).binding
    entry = next((each for each in node_yaml.in_force(layout, image).nodes if each.name == node.name), None)
    if entry is not None and entry.lease and (_is_ours(node, binding) or node.signer.is_dir()):
        if not _is_ours(node, binding):
            _claim(node, binding)
            boot.configure_again(layout)
        _by_lease(layout, node)
        return 0
    if _is_ours(node, binding):
        raise HostError(
            f"{node.name} belongs to this machine and has no signing lease: there is nothing to take over",
            hint=f"goldnode status; for a lost signing state: goldnode key recover {node.name}",
        )
    _check(node, entry, image)
    _ask(node, said=arguments.gone)
    _by_the_chain(node, binding)
    return boot.configure_again(layout)


def _by_lease(layout: Layout, node: NodeLayout) -> None:
    """Take the lease from whoever has it: the store fences the other machine."""
    settings = settings_of(node)
    lease = store_of(layout, node).read().lease
    blocks = rules.ahead(settings["block_time"] or BLOCK_TIME)
    write_atomic(node.takeover, "a person said so\n")
    upto = f", which may sign up to height {lease.hi}" if lease and lease.hi else ""
    print(f"{node.name} takes the lease from whoever has it{upto}; it signs about {blocks} blocks from now.")
    print("It is safe even if the other machine lives.  Watch it: goldnode status")


def _check(node: NodeLayout, entry: NodeEntry | None, image: ImageFacts) -> None:
    if entry is not None and entry.lease:
        raise SafetyError(
            f"{node.name} never had the lease that node.yaml names, so nothing fences the machine that it was on",
            hint=f"take lease: out of node.yaml, goldnode takeover {node.name}, and put it back once it signs",
        )
    signer_home.leave(node)
    if os.path.lexists(node.consensus_key) and image.network.single_validator:
        raise SafetyError(
            f"{image.network.name} has a single validator: no block comes without it, so no block tells that its "
            "machine is gone",
            hint=f"put {node.identity} back from a backup, or: goldnode handover {node.name} on the old machine",
        )


def _ask(node: NodeLayout, *, said: bool) -> None:
    print(f"goldnode: {node.name} belongs to another machine, or nothing says to which: {node.identity}")
    print("goldnode: if that machine ever starts again with this key, two machines sign; goldnode cannot prevent it.")
    if not said and (not sys.stdin.isatty() or input(QUESTION.format(name=node.name)).strip() != node.name):
        raise UsageError(
            "nothing was changed: nobody confirmed that the other machine is gone",
            hint=f"goldnode takeover {node.name} --gone, when it is gone for good",
        )


def _by_the_chain(node: NodeLayout, binding: str) -> None:
    """Mute the key first, then bind the node: if killed in between, it is refused as before, and muted."""
    if os.path.lexists(node.consensus_key):
        if not _stays(node, binding):
            node_files.set_aside(node.handover)
        begun = recovery.begin(node, elsewhere=True)
        print(f"{node.name} follows the chain without signing; as far as is known, its key signed up to {begun.known}.")
        print(f"It signs once {MARGIN} blocks in a row came without its signature, above all of them.  While another")
        print("machine signs with the key it waits, and says so.  The chain must continue without this validator.")
    _claim(node, binding)
    node.hold.unlink(missing_ok=True)
    node.paused.unlink(missing_ok=True)


def _claim(node: NodeLayout, binding: str) -> None:
    for path in identity.claim(node, binding, lambda: os.urandom(32)):
        print(f"goldnode: {node.name}: damaged, and set aside: {path}")
    print(f"goldnode: {node.name} belongs to this machine from now on")


def _is_ours(node: NodeLayout, binding: str) -> bool:
    try:
        own = identity.read(node)
    except SafetyError:
        return False
    return own is not None and own.binding == binding


def _stays(node: NodeLayout, binding: str) -> bool:
    """Whether no other machine's token says that the node is moving; this machine's own must be cancelled first."""
    try:
        token = handover.read(node)
    except SafetyError:
        return False
    return token is None or token.source == binding
