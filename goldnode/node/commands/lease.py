"""The signing lease: ``lease keep``, ``lease restored``; the signer's own start, and that of a sentry's etcd."""

from __future__ import annotations

import logging
import os
import secrets
import time
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from goldnode.errors import GoldnodeError, HostError, SafetyError
from goldnode.files import write_json
from goldnode.node import node_files, node_yaml, preflight
from goldnode.node.agent.lease_keeper import LeaseKeeper
from goldnode.node.agent.rpc import LoopbackRpc
from goldnode.node.commands.naming import choose
from goldnode.node.commands.nodes import one
from goldnode.node.keys import identity, keys, signer_home
from goldnode.node.keys import lease as rules
from goldnode.node.keys.signer_control import SignerControl
from goldnode.node.keys.stores import lease_server
from goldnode.node.keys.stores.open_store import open_store
from goldnode.node.keys.stores.store import LeaseStore
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan.inputs import read_image
from goldnode.node.stopping import stop_signal

log = logging.getLogger(__name__)
#: Seconds between rounds, and for a release at shutdown.
INTERVAL, RELEASE = 0.5, 20.0
#: Seconds between blocks, unless the network file says.
BLOCK_TIME = 6.0


def signer(layout: Layout, arguments: Namespace) -> None:
    """Become a node's signer, after the last checks."""
    node = layout.node(arguments.name)
    preflight.check_signer(node)
    chain = settings_of(node)["chain_id"]
    program = layout.library / "bin" / "goldnode-signer"
    argv = [str(program), "-daemon", str(node.daemon_socket), "-control", str(node.control_socket), "-chain-id", chain,
            "-key", str(node.consensus_key), "-state", str(node.signing_state)]  # fmt: skip
    os.execv(argv[0], argv)  # noqa: S606 - becomes the program


def keep(layout: Layout, arguments: Namespace) -> None:
    """Keep a node's lease until told to stop, then release it."""
    node, stop = layout.node(arguments.name), stop_signal()
    settings = settings_of(node)
    while not node.consensus_key.exists():
        if stop.wait(1):
            return
    keeper = LeaseKeeper(
        node=node,
        url=settings["store"],
        store=store_of(layout, node),
        signer=SignerControl(node.control_socket),
        rpc=LoopbackRpc(settings["rpc"]),
        ahead=rules.ahead(settings["block_time"] or BLOCK_TIME),
        automatic=settings["automatic"],
        known=signer_home.record(node, os.urandom),
        nonce=lambda: secrets.token_hex(16),
        clock=time.time,
    )
    said = ""
    while not stop.is_set():
        if (now := settings_of(node))["endpoints"] != settings["endpoints"]:
            keeper.store, settings = store_of(layout, node), now
        report = keeper.reconcile()
        write_json(node.lease_status, {**asdict(report), "time": time.time()}, 0o644)
        line = f"lease {report.state}" + (f": {report.reason}" if report.reason else "")
        if line != said:
            log.info("%s: %s", node.name, line)
            said = line
        stop.wait(INTERVAL)
    _release(keeper)


def form(layout: Layout, arguments: Namespace) -> None:
    """Before a sentry's etcd starts: check that it may."""
    entries = {each.name: each for each in node_yaml.in_force(layout, read_image(layout)).nodes}
    entry = entries[choose(sorted(entries), arguments.name)]
    node = layout.node(entry.name)
    own = identity.read(node)
    lease_server.form(node, own.key.node_id if own else "", entry.serve_lease)


def formed(layout: Layout, arguments: Namespace) -> None:
    """After its first start: record that its data is there, without which it never starts again."""
    node, end = layout.node(arguments.name), time.monotonic() + RELEASE
    while not lease_server.has_data(node) and time.monotonic() < end:
        time.sleep(INTERVAL)
    form(layout, arguments)


def restored(layout: Layout, arguments: Namespace) -> None:
    """Say that the lease's store was restored from a backup: it begins a new incarnation."""
    node = one(layout, arguments.name)
    store_of(layout, node).restored()
    print("The store has a new incarnation.  Validators sign again about a minute from now, each above its old grants.")


def _release(keeper: LeaseKeeper) -> None:
    """Publish what was signed last; without an answer in time, the next start waits until the old grant ends."""
    end = time.monotonic() + RELEASE
    while time.monotonic() < end:
        try:
            if keeper.release():
                log.info("%s: lease released", keeper.node.name)
                return
        except GoldnodeError as error:
            log.info("%s: %s", keeper.node.name, error.message)
        time.sleep(INTERVAL)


def store_of(layout: Layout, node: NodeLayout) -> LeaseStore:
    """The store of a node's lease.

    Raises:
        SafetyError: The node has no key, which names its record in the store.
    """
    key = keys.read_key(node)
    if key is None:
        raise SafetyError(f"{node.name} has no consensus key yet", hint="goldnode key import FILE")
    settings = settings_of(node)
    return open_store(
        settings["store"], key.address, layout.at, endpoints=settings["endpoints"], source=settings["source"]
    )


def settings_of(node: NodeLayout) -> dict[str, Any]:
    """A node's lease settings, as the plan wrote them.

    Raises:
        HostError: The node has no lease.
        SafetyError: Its file is damaged.
    """
    document = node_files.read_object(node.lease_settings, hint="goldnode configure")
    if document is None:
        raise HostError(f"{node.name} has no signing lease", hint="write lease: into node.yaml")
    return document
