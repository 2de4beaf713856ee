"""Nodes of a JVM network: ``start``, ``stop``, ``restart`` and ``logs`` there, and ``goldnode jvm``."""

from __future__ import annotations

import os
from argparse import Namespace

from goldnode.errors import HostError, UsageError
from goldnode.node import node_yaml
from goldnode.node.agent.hosted import inside
from goldnode.node.commands.naming import choose
from goldnode.node.jvm import canary, jvm_setup
from goldnode.node.jvm.jvm_host import SOCKET, HostedStatus, JvmHost
from goldnode.node.jvm.jvm_setup import JvmPaths
from goldnode.node.layout import Layout
from goldnode.node.plan import blocks
from goldnode.node.plan.inputs import read_image


def jvm(layout: Layout, arguments: Namespace) -> int:
    """Do what ``action`` says; status exits with 1 if a node is not ready.

    Raises:
        UsageError: A node must be named.
    """
    if arguments.action == "prepare":
        prepare(layout)
        return 0
    if arguments.action == "status":
        return status(_host(layout))
    if arguments.name is None:
        raise UsageError(f"name the node to {arguments.action}", hint="goldnode jvm status")
    if arguments.action == "canary":
        return _canary(layout, arguments)
    words = (arguments.name, arguments.level) if arguments.action == "log" else (arguments.name,)
    if None in words:
        raise UsageError("name the level", hint=f"goldnode jvm log {arguments.name} debug")
    print(_host(layout).act(arguments.action, " ".join(words)))
    return 0


def _canary(layout: Layout, arguments: Namespace) -> int:
    """Give one node another version of one jar, or the image's again, and start it with that."""
    name, paths = choose(names(layout), arguments.name), _paths(layout)
    if read_image(layout).network.daemon.jvm is None or inside(read_image(layout).network, name) != name:
        raise UsageError(f"{name} is no node with classes of its own", hint="goldnode jvm status")
    folder = paths.canaries / name
    if arguments.end:
        canary.end(folder)
    elif None in (arguments.replace, arguments.by, arguments.sha256):
        raise UsageError(
            "name the jar, the one to use instead, and its hash",
            hint=f"goldnode jvm canary {name} --replace core-1.0.jar --by core-1.1.jar --sha256 HEX",
        )
    else:
        jars = sorted(paths.jars.glob("*.jar"))
        canary.begin(folder, arguments.replace, arguments.by, arguments.sha256, jars)
    prepare(layout)
    print(_host(layout).act("restart", name))
    return 0


def names(layout: Layout) -> list[str]:
    """The nodes of this machine's JVM; none if the image's network runs daemons."""
    image = read_image(layout)
    if image.network.daemon.jvm is None or not layout.node_yaml.exists():
        return []
    return [entry.name for entry in node_yaml.in_force(layout, image).nodes]


def acts(layout: Layout, verb: str, arguments: Namespace) -> bool:
    """Start, stop or restart a node of the JVM; returns False if this machine's nodes are daemons.

    Raises:
        UsageError: There is no such node, or it is to stay stopped across reboots.
        HostError: The JVM host does not answer.
    """
    known = names(layout)
    if not known:
        return False
    name = choose(known, arguments.name)
    if verb == "stop" and arguments.hold:
        raise UsageError(
            f"{name} runs in a JVM, where no node stays stopped across reboots", hint=f"goldnode remove {name}"
        )
    print(_host(layout).act(verb, inside(read_image(layout).network, name)))
    return True


def shows_log(layout: Layout, arguments: Namespace) -> None:
    """Become ``tail`` on a hosted node's log; returns if this machine's nodes are daemons."""
    known = names(layout)
    if known:
        name = inside(read_image(layout).network, choose(known, arguments.name))
        log = str(_paths(layout).state / f"{name}.log")
        follow = ["-F"] if arguments.follow else []
        os.execvp("tail", ["tail", "-n", "100", *follow, log])  # noqa: S606 - becomes the program


def prepare(layout: Layout) -> None:
    """Write every node's file and make its database, as node.yaml and the image say."""
    image = read_image(layout)
    config = node_yaml.in_force(layout, image)
    jvm_setup.setup(
        image.network,
        config,
        blocks.settle(layout, (entry.name for entry in config.nodes)),
        _paths(layout),
        server=jvm_setup.start_postgres,
        psql=jvm_setup.as_postgres,
        give=jvm_setup.give_to_service,
        share=jvm_setup.share_with_service,
    )


def follow(layout: Layout) -> None:
    """Give a running JVM the nodes that node.yaml names now; siblings never notice.

    A JVM that is not running reads its files when it starts.
    """
    network, known, host = read_image(layout).network, names(layout), _host(layout)
    try:
        present = {each.name for each in host.status()}
    except HostError:
        return
    wanted = {inside(network, name) for name in known}
    for name in sorted(present - wanted):
        print(host.act("remove", name))
    prepare(layout)
    for name in sorted(wanted - present):
        print(host.act("add", name))


def status(host: JvmHost) -> int:
    """Print a line per node and one for the JVM."""
    nodes = host.status()
    for node in nodes:
        print(f"{node.name}: {node.state}, {'ready' if node.ready else 'not ready'}, {node.restarts} restarts, "
              f"{node.threads} threads{_used(node)}{f': {node.reason}' if node.reason else ''}")  # fmt: skip
    figures = host.figures()
    print(f"JVM: heap {figures['heap_bytes'] >> 20} MiB, metaspace {figures['metaspace_bytes'] >> 20} MiB, "
          f"{figures['threads']} threads")  # fmt: skip
    return 0 if all(node.ready for node in nodes) else 1


def _used(node: HostedStatus) -> str:
    """What a node that runs has used, and what it tells of its chain."""
    used = f", CPU {node.cpu_millis / 1000:.0f} s, allocated {node.allocated >> 20} MiB" if node.threads else ""
    height = f", height {node.height}" if node.height >= 0 else ""
    return used + height + (f", {node.peers} peers" if node.peers >= 0 else "")


def _host(layout: Layout) -> JvmHost:
    return JvmHost(layout.at(str(SOCKET)))


def _paths(layout: Layout) -> JvmPaths:
    paths = JvmPaths()
    return JvmPaths(
        *(layout.at(str(path)) for path in (paths.state, paths.runtime, paths.jars, paths.secrets, paths.canaries))
    )
