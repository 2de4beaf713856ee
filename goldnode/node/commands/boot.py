"""From node.yaml to a role: ``configure``, ``check``, ``apply``, ``fetch``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from goldnode.config import node_config
from goldnode.config.node_config import MeshKind, NodeConfig
from goldnode.errors import HostError, InputError, SafetyError
from goldnode.fetch.artifact import ArtifactStore
from goldnode.files import write_atomic
from goldnode.node import configure as story
from goldnode.node import deferred, node_yaml, rungs, user_data
from goldnode.node.commands import hosted
from goldnode.node.keys import keys
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.phases import Phases
from goldnode.node.plan import blocks, fit
from goldnode.node.plan.inputs import interface, read_image
from goldnode.node.plan.mesh import TABLE
from goldnode.node.plan.plan import AGENT
from goldnode.node.system import disks, machine, volume
from goldnode.node.system.live import LiveSystem
from goldnode.node.system.system import System, for_root
from goldnode.progress import SILENT

NO_ROLE = """\
goldnode: this machine has no role: there is no /etc/goldnode/node.yaml, and nothing listens.
goldnode: to give it one, launch it again with this user-data, or write the file and run `goldnode configure`:
goldnode:
goldnode:   #cloud-config
goldnode:   write_files:
goldnode:     - path: /etc/goldnode/node.yaml
goldnode:       permissions: "0600"
goldnode:       content: |
goldnode:         version: 1
goldnode:         role: sentry                # or validator, multi-node, rendezvous
goldnode:         name: sentry-1
goldnode:         join: gn1_...               # ./invoke cluster invite --role sentry
goldnode:         rendezvous: [http://ADDRESS:8700]"""

REBIND = """\
goldnode: is it the same machine all the same (a migration, a new seed CD), and the only one with this disk?
goldnode: then: goldnode rebind"""


def configure(layout: Layout, _: Namespace) -> int:
    """Turn the machine into what node.yaml says; without one, say how to give it a role."""
    for line in user_data.recover(layout):
        print(f"goldnode: {line}")
    if not layout.node_yaml.exists():
        print(NO_ROLE)
        for line in user_data.warnings(layout):
            print(f"goldnode: {line}")
        return 0
    system = for_root(layout.root)
    phases = Phases()
    with phases.phase("read the image and node.yaml"):
        image = read_image(layout)
        config = node_yaml.in_force(layout, image)
    if isinstance(system, LiveSystem):
        with phases.phase("data volume"):
            disks.grow_root()
            volume.ensure(layout, config.data, disks.LiveDisks(layout.nodes))
    found, changes = story.configure(layout, config, image, system, phases=phases)
    for name, facts in found.facts.items():
        print(f"goldnode: {facts.role.name} {name}: configured, node id {facts.node_id}")
    for name in found.hosted:
        print(f"goldnode: {name}: configured, in the JVM of this machine")
    for name, error in found.failures.items():
        print(f"goldnode: {name}: REFUSED: {error}")
        if error.hint:
            print(f"goldnode: try: {error.hint}")
    if found.failures and (said := machine.changes(layout)):
        print(f"goldnode: compared with the machine that was configured, {said}")
        print(REBIND)
    print(f"goldnode: {len(changes.files)} files changed, {machine.seconds_since_power_on():.1f} s after power-on")
    return next((error.exit_code for error in found.failures.values()), 0)


def check(layout: Layout, arguments: Namespace) -> None:
    """Say everything that is wrong with a node.yaml, or what it makes of a machine."""
    config = node_config.parse(text_of(arguments.file), str(arguments.file))
    if (layout.library / "network.json").exists():
        fit.check(config, read_image(layout), layout)
    for node in config.nodes:
        print(f"{node.name}: {node.role}, mesh {config.mesh}, data on {config.data}")


def apply(layout: Layout, arguments: Namespace) -> int:
    """Give a running machine another node.yaml.

    Raises:
        SafetyError: A node with a consensus key would change its role or disappear.
    """
    text = text_of(arguments.file)
    config = node_config.parse(text, str(arguments.file))
    before = node_config.parse(layout.applied.read_text()) if layout.applied.exists() else None
    return put(layout, text, _leaving(layout, before, config) if before else ())


def put(layout: Layout, text: str, leaving: Sequence[str] = ()) -> int:
    """Put a node.yaml in force; nodes that stay do not notice.

    Args:
        layout: The machine's paths.
        text: The new node.yaml.
        leaving: Nodes that it no longer has: they are stopped, and keep their folders.

    Returns:
        The exit code of ``configure``.

    Raises:
        InputError: It does not fit this image; nothing was touched.
    """
    image = read_image(layout)
    fit.check(node_config.parse(text), image, layout)
    system, given = for_root(layout.root), blocks.known(layout)
    for name in leaving if image.network.daemon.jvm is None else ():
        retire(layout.node(name), given.get(name), system)
    write_atomic(layout.node_yaml, text, 0o600)
    layout.applied.unlink(missing_ok=True)
    result = configure(layout, Namespace())
    if image.network.daemon.jvm:
        hosted.follow(layout)
    _restart_agent(system)
    return result


def retire(node: NodeLayout, block: int | None, system: System) -> None:
    """Stop a node that leaves this machine; whoever starts it now is told that it is none of its nodes."""
    system.stop(node.unit)
    keys.note_progress(node)
    for path in (node.launch, node.failure, node.paused, *(node.mesh_config(kind) for kind in MeshKind)):
        path.unlink(missing_ok=True)
    if block is not None:
        system.lower_mesh(node.name, interface(block), TABLE + block)


def fetch(layout: Layout, arguments: Namespace) -> None:
    """Fetch what the bake deferred and the versions to come, each verified before it gets its name."""
    file: Path | None = getattr(arguments, "network", None)
    image = rungs.announce(layout, text_of(file), str(file)) if file else read_image(layout)
    store = ArtifactStore(layout.state / "artifacts")
    for path in deferred.fetch(layout, store, SILENT):
        print(f"goldnode: fetched and verified {path}")
    deferred.check_daemon(image.daemon, image.network.daemon)
    deferred.make_defaults(image.daemon, image.network, layout.library / "defaults")
    for line in rungs.fetch(image, store, SILENT):
        print(f"goldnode: {line}")
    if file:
        _restart_agent(for_root(layout.root))


def _leaving(layout: Layout, before: NodeConfig, after: NodeConfig) -> list[str]:
    kept = {entry.name: entry.role for entry in after.nodes}
    for entry in before.nodes:
        if layout.node(entry.name).key_record.exists() and kept.get(entry.name) != entry.role:
            raise SafetyError(
                f"{entry.name} has a consensus key; it cannot become something else, or nothing, on this machine",
                hint=f"goldnode handover {entry.name}, and launch a new machine for the new role",
            )
    return [entry.name for entry in before.nodes if entry.name not in kept]


def _restart_agent(system: System) -> None:
    if system.units(AGENT)[AGENT].active:
        system.restart(AGENT)


def text_of(path: Path) -> str:
    """The text of a file that a person named.

    Raises:
        HostError: It does not exist.
        InputError: It cannot be read.
    """
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise HostError(f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
