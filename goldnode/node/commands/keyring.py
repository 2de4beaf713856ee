"""Keys and moving a node: ``key show``, ``export``, ``backup``, ``import``, ``recover``, and ``handover``."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from pathlib import Path

from goldnode.discovery.member import Membership
from goldnode.errors import GoldnodeError, SafetyError, UsageError
from goldnode.files import write_atomic, write_json
from goldnode.node import cluster, switch
from goldnode.node.commands import boot
from goldnode.node.commands.nodes import one
from goldnode.node.keys import archive, bring, cometbft_keys, identity, keys, recovery, signer_home
from goldnode.node.keys import handover as moving
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.key_rules import MARGIN
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan import blocks
from goldnode.node.plan.inputs import read_image
from goldnode.node.system import machine
from goldnode.node.system.system import for_root
from goldnode.protocol import key_backup
from goldnode.protocol.wire import key_from_seed


def show(layout: Layout, arguments: Namespace) -> None:
    """Show which keys a node has, and what its consensus key signed last; never a secret."""
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
    _be_at_home(layout, node)
    target: Path = arguments.file
    if target.exists():
        raise UsageError(f"{target} exists", hint="name a new file")
    # Check that the folder is writable before the key leaves: an archive that cannot be written is a lost key.
    write_atomic(target, "", 0o600)
    try:
        write_json(target, archive.export(node, read_image(layout).network.chain_id, arguments.target), 0o600)
    except GoldnodeError:
        target.unlink()
        raise
    print(f"{target} holds the key and what it signed last: secret.  Bring it with: goldnode key import {target.name}")
    if not arguments.target:
        print(
            "Any node can import it, and goldnode cannot notice a second one that has no rendezvous: delete every copy."
        )
        print("To bind an archive to one node: --for NODE-ID (goldnode key show, on that node)")


def backup(layout: Layout, arguments: Namespace) -> None:
    """Write a sealed copy of a key, which keeps signing here by its lease; only the cluster's operator can open it."""
    node = one(layout, arguments.name)
    _be_at_home(layout, node)
    target: Path = arguments.file
    if target.exists():
        raise UsageError(f"{target} exists", hint="name a new file")
    if not key_backup.RECIPIENT.fullmatch(arguments.to):
        raise UsageError("--to names whom the backup is for: gnb1_ and 64 hex digits",
                         hint="on the operator's machine: ./invoke cluster backup-key NAME")  # fmt: skip
    made = archive.copy(node, read_image(layout).network.chain_id, signer_home.store(node), int(time.time()))
    write_atomic(target, key_backup.seal(made, arguments.to, os.urandom(32)), 0o600)
    print(
        f"{target} holds the consensus key {made.address}, sealed; {node.name} goes on signing.  Once is enough: what"
    )
    print(f"was signed stands in {made.lease}.  Copy it off this machine, and try it: ./invoke cluster restore-drill")


def import_(layout: Layout, arguments: Namespace) -> None:
    """Import a key: an archive, a priv_validator_key.json with its state, or one that never signed."""
    node = one(layout, arguments.name)
    _be_stopped(layout, node)
    own = _be_at_home(layout, node)
    file: Path = arguments.file
    text = boot.text_of(file)
    if bring.is_bare_key(text):
        key = cometbft_keys.parse(text, str(file), hint="name CometBFT's priv_validator_key.json")
        state = bring.find_state(file, arguments.state, never_used=arguments.never_used)
        used = True
    elif arguments.never_used or arguments.state:
        raise UsageError(f"{file} is an archive, which has its state with it", hint=f"goldnode key import {file}")
    else:
        node_id = own.key.node_id if own else ""
        chain_id, lease = read_image(layout).network.chain_id, signer_home.store(node)
        key, state, used = archive.parse(text, str(file), chain_id, node_id, lease=lease)
    _be_the_only_one(layout, node, key.address)
    seen = _seen(node, key.address, state.height if state else 0)
    if state is None:
        archive.bring_unused(node, key, seen_height=seen.height)
    else:
        archive.bring(node, key, state, used=used, seen_height=seen.height)
        print(f"the key signed up to {state}, and signs nothing at or below that")
    if seen.rival:
        print(f"{seen.rival} says that it has this key too: while it does, this node does not start")
    system = for_root(layout.root)
    if node.signer.is_dir():
        signer_home.record(node, os.urandom)
        for path in (node.consensus_key, node.signing_state):
            system.own(path, node.signer_user, node.signer_user)
    else:
        for path, user in ((node.consensus_key, "root"), (node.signing_state, node.user)):
            system.own(path, user, node.user)
    print(f"{node.name} has the consensus key {key.address}; remove {arguments.file}, then: goldnode start {node.name}")


def recover(layout: Layout, arguments: Namespace) -> int:
    """Recover a lost signing state: wait until the chain is past all that can have been signed, then sign again."""
    node = one(layout, arguments.name)
    _be_stopped(layout, node)
    _be_at_home(layout, node)
    if node.signer.is_dir():
        raise SafetyError(
            f"{node.name} signs by a lease, which says what was granted; its state is not made from the chain",
            hint="restore priv_validator_state.json from a backup, or: goldnode takeover on another machine",
        )
    image, key = read_image(layout), keys.read_key(node)
    if image.network.single_validator:
        raise SafetyError(
            f"{image.network.name} has a single validator: no block comes without it, so nothing tells what it signed",
            hint="restore priv_validator_state.json from a backup",
        )
    seen = _seen(node, key.address if key else "", 0)
    if seen.rival:
        raise SafetyError(f"{seen.rival} has the same consensus key", hint="goldnode key export FILE there, first")
    begun = recovery.begin(node, seen_height=seen.height)
    for_root(layout.root).own(node.signing_state, node.user, node.user)
    print(f"{node.name} signed up to height {begun.known}, as far as is known here, and perhaps some blocks more.")
    print("It starts now and follows the chain without signing.  Once it has seen the chain at its tip, and "
          f"{MARGIN} blocks")  # fmt: skip
    print(
        "after that, everything that it can have signed is in the past: it restarts by itself, and signs from there on."
    )
    print(
        "This assumes that no copy of this key signs anywhere else, and that the chain continues without this validator"
    )
    print("(it has less than a third of the power).  Where that is not so: goldnode stop --hold, and ask for help.")
    node.hold.unlink(missing_ok=True)
    node.paused.unlink(missing_ok=True)
    return boot.configure_again(layout)


def handover(layout: Layout, arguments: Namespace) -> None:
    """Stop a node for good and mark its volume, so that exactly one new machine takes it over."""
    node = one(layout, arguments.name)
    binding = machine.read(layout).binding
    if arguments.cancel:
        moving.cancel(node, binding)
        print(f"{node.name} stays here: goldnode start {node.name}")
        return
    _be_at_home(layout, node)
    token = switch.hand_over(node, for_root(layout.root), binding)
    print(f"{node.name} is stopped{f' at {token.state}' if token.state else ''}, and its volume may move.")
    print("Detach it, attach it to the new machine, and launch that with the same name and data: in node.yaml.")


def _be_stopped(layout: Layout, node: NodeLayout) -> None:
    if for_root(layout.root).units(node.unit)[node.unit].active:
        raise SafetyError(f"{node.name} runs", hint=f"goldnode stop --hold {node.name}")


def _be_at_home(layout: Layout, node: NodeLayout) -> identity.NodeIdentity | None:
    """Check that this is the node's own machine: a copy may do nothing with the original's key.

    Raises:
        SafetyError: The node belongs to another machine.
    """
    own = identity.read(node)
    if own is not None and own.binding != machine.read(layout).binding:
        raise SafetyError(
            f"this disk is a copy, or was moved: {node.name} belongs to another machine, whose key may be signing",
            hint=f"on the machine it belongs to: goldnode handover {node.name}",
        )
    return own


def _be_the_only_one(layout: Layout, node: NodeLayout, address: str) -> None:
    """Check that no sibling has the key: otherwise both would be refused at the next boot."""
    for sibling in (layout.node(name) for name in blocks.known(layout) if name != node.name):
        record = keys.read_record(sibling)
        if record and record.address == address and not record.exported:
            raise SafetyError(
                f"{sibling.name} of this machine has the consensus key {address}: together they would sign twice",
                hint=f"goldnode key export FILE {sibling.name}",
            )


def _seen(node: NodeLayout, address: str, height: int) -> Judgement:
    """What the cluster knows about a key; irrelevant for a node that signs by a lease."""
    if node.signer.is_dir():
        return Judgement()
    own = identity.read(node)
    if own is None or not Membership.joined(node.member):
        return Judgement()
    membership = Membership(node.member, key_from_seed(own.key.seed))
    return cluster.judge(cluster.members(membership), address, height, membership.clock())
