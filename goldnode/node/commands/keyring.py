"""Keys and moving: ``key show``, ``key export``, ``key import``, ``handover``."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from goldnode.discovery.member import Membership
from goldnode.errors import GoldnodeError, HostError, SafetyError, UsageError
from goldnode.files import write_atomic, write_json
from goldnode.node import cluster
from goldnode.node.commands.nodes import one
from goldnode.node.keys import archive, cometbft_keys, identity, keys, signer_home
from goldnode.node.keys import handover as moving
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan import blocks
from goldnode.node.plan.inputs import read_image
from goldnode.node.system import machine
from goldnode.node.system.system import for_root
from goldnode.protocol.wire import key_from_seed


def show(layout: Layout, arguments: Namespace) -> None:
    """Tell which keys a node has, and what its consensus key signed last; never a secret."""
    node = one(layout, arguments.name)
    own, key, record, state = identity.read(node), keys.read_key(node), keys.read_record(node), keys.read_state(node)
    print(f"node id            {own.key.node_id if own else 'none yet'}")
    print(f"consensus address  {key.address if key else 'no key here'}")
    print(f"signing state      {state or 'none'}")
    if record:
        print(f"known to have      {f'signed up to {record.state}' if record.used else 'never signed'}")
        print(f"exported           {'yes: it does not sign here' if record.exported else 'no'}")


def export(layout: Layout, arguments: Namespace) -> None:
    """Write key and signing state into one file; from then on the key does not sign here."""
    node = one(layout, arguments.name)
    _be_stopped(layout, node)
    target: Path = arguments.file
    if target.exists():
        raise UsageError(f"{target} exists", hint="name a new file")
    # The folder must take the file before the key leaves: an archive that cannot be written is a lost key.
    write_atomic(target, "", 0o600)
    try:
        write_json(target, archive.export(node, read_image(layout).network.chain_id), 0o600)
    except GoldnodeError:
        target.unlink()
        raise
    print(f"{target} holds the key and what it signed last: secret.  Bring it with: goldnode key import {target.name}")


def import_(layout: Layout, arguments: Namespace) -> None:
    """Bring a key: an archive, or with --never-used a bare priv_validator_key.json that never signed."""
    node = one(layout, arguments.name)
    _be_stopped(layout, node)
    try:
        text = arguments.file.read_text()
    except OSError as error:
        raise HostError(f"{arguments.file} cannot be read: {error}") from error
    if arguments.never_used:
        key = cometbft_keys.parse(text, str(arguments.file))
        _be_the_only_one(layout, node, key.address)
        archive.bring_unused(node, key, seen_height=_seen(node, key.address))
    else:
        key, state, used = archive.parse(text, str(arguments.file), read_image(layout).network.chain_id)
        _be_the_only_one(layout, node, key.address)
        archive.bring(node, key, state, used=used, seen_height=_seen(node, key.address))
    system = for_root(layout.root)
    if node.signer.is_dir():
        signer_home.record(node, os.urandom)
        for path in (node.consensus_key, node.signing_state):
            system.own(path, node.signer_user, node.signer_user)
    else:
        for path, user in ((node.consensus_key, "root"), (node.signing_state, node.user)):
            system.own(path, user, node.user)
    print(f"{node.name} has the consensus key {key.address}; remove {arguments.file}, then: goldnode start {node.name}")


def handover(layout: Layout, arguments: Namespace) -> None:
    """Stop a node for good and mark its volume, so that exactly one new machine takes it over."""
    node = one(layout, arguments.name)
    binding = machine.read(layout).binding
    if arguments.cancel:
        moving.cancel(node, binding)
        print(f"{node.name} stays here: goldnode start {node.name}")
        return
    write_atomic(node.hold, "handed over\n")
    system = for_root(layout.root)
    system.stop(node.unit)
    if node.signer.is_dir():
        # Releases the lease: the machine that comes signs at once, from the height after.
        system.stop(node.lease_unit)
        system.stop(node.signer_unit)
    token = moving.offer(node, binding)
    print(f"{node.name} is stopped{f' at {token.state}' if token.state else ''}, and its volume may move.")
    print("Detach it, attach it to the new machine, and launch that with the same name and data: in node.yaml.")


def _be_stopped(layout: Layout, node: NodeLayout) -> None:
    if for_root(layout.root).units(node.unit)[node.unit].active:
        raise SafetyError(f"{node.name} runs", hint=f"goldnode stop --hold {node.name}")


def _be_the_only_one(layout: Layout, node: NodeLayout, address: str) -> None:
    """Before a key comes: once two nodes had it, both would be refused at the next boot."""
    for sibling in (layout.node(name) for name in blocks.known(layout) if name != node.name):
        record = keys.read_record(sibling)
        if record and record.address == address and not record.exported:
            raise SafetyError(
                f"{sibling.name} of this machine has the consensus key {address}: together they would sign twice",
                hint=f"goldnode key export FILE {sibling.name}",
            )


def _seen(node: NodeLayout, address: str) -> int:
    """The height at which the cluster saw a key last; of no account to a node that signs by a lease."""
    if node.signer.is_dir():
        return 0
    own = identity.read(node)
    if own is None or not Membership.joined(node.member):
        return 0
    return cluster.seen_height(cluster.members(Membership(node.member, key_from_seed(own.key.seed))), address)
