"""From node.yaml to a role: ``configure``, ``check``, ``apply``.  Every boot waits for what this imports."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from goldnode.config import node_config
from goldnode.config.choices import MeshKind
from goldnode.config.node_config import NodeConfig
from goldnode.errors import HostError, InputError, SafetyError
from goldnode.node import configure as story
from goldnode.node import in_force, node_yaml, user_data
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.keys import keys
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.phases import SILENT as SILENT_PHASES
from goldnode.node.phases import Phases, wait_for
from goldnode.node.plan import blocks, fit
from goldnode.node.plan.inputs import interface, read_image
from goldnode.node.plan.mesh import TABLE
from goldnode.node.plan.node_plan import check_overrides
from goldnode.node.plan.plan import AGENT, has_agent
from goldnode.node.system import disks, machine, volume
from goldnode.node.system.apply import Changes
from goldnode.node.system.live import LiveSystem
from goldnode.node.system.system import System, for_root

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


def configure(layout: Layout, arguments: Namespace) -> int:
    """Bring the machine to what node.yaml says; without a node.yaml, say how to give it a role.

    All that this needs is loaded by now: at a boot that takes as long as the work, and is done while cloud-init asks
    for user-data.
    """
    wait_for(arguments.after)
    return configure_now(layout)


def configure_now(layout: Layout) -> int:
    """`configure`, without waiting for anything."""
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
    _have_volume(layout, config, system, phases)
    if has_agent(config, image):
        system.start(AGENT)  # it is loaded while this goes on, and waits
    found, changes = story.configure(layout, config, image, system, phases=phases)
    story.hand_over(layout, found)
    _tell(layout, found, changes)
    return next((error.exit_code for error in found.failures.values()), 0)


def configure_again(layout: Layout) -> int:
    """Configure after a person has repaired a refused node, and let the agent look after it again."""
    result = configure_now(layout)
    restart_agent(for_root(layout.root))
    return result


def _have_volume(layout: Layout, config: NodeConfig, system: System, phases: Phases) -> None:
    if isinstance(system, LiveSystem):
        with phases.phase("data volume"):
            disks.grow_root()
            volume.ensure(layout, config.data, disks.LiveDisks(layout.nodes))


def _tell(layout: Layout, found: ConfiguredMachine, changes: Changes) -> None:
    for notice in found.notices:
        print(f"goldnode: {notice}")
    for name, facts in found.facts.items():
        print(f"goldnode: {facts.role.name} {name}: configured, node id {facts.node_id}")
        if facts.announced:
            print(f"goldnode: {name}: announces {facts.announced}")
    for warning in story.warnings(found):
        print(f"goldnode: warning: {warning}")
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


def check(layout: Layout, arguments: Namespace) -> None:
    """List everything that is wrong with a node.yaml, or else what it would make of a machine."""
    config = node_config.parse(text_of(arguments.file), str(arguments.file))
    if (layout.library / "network.json").exists():
        image = read_image(layout)
        fit.check(config, image, layout)
        for entry in config.nodes:
            check_overrides(entry, image.roles[entry.role], image)
    for node in config.nodes:
        print(f"{node.name}: {node.role}, mesh {config.mesh}, data on {config.data}")


def apply(layout: Layout, arguments: Namespace) -> int:
    """Give a running machine another node.yaml.

    Raises:
        SafetyError: A node with a consensus key would change its role or disappear.
    """
    text = text_of(arguments.file)
    config = node_config.parse(text, str(arguments.file))
    try:
        before = node_config.parse(node_yaml.text_in_force(layout))
    except InputError:
        # The node.yaml in force may be what apply has to repair.
        before = None
    return put(layout, text, config, _leaving(layout, before, config) if before else ())


def put(layout: Layout, text: str, config: NodeConfig, leaving: Sequence[str] = ()) -> int:
    """Put a node.yaml in force, whole or not at all; nodes that stay do not notice.

    Args:
        layout: The machine's paths.
        text: The new node.yaml.
        config: The same, parsed.
        leaving: Nodes that are no longer in it: they are stopped, and keep their folders.

    Returns:
        The exit code: 0, or that of a node that was and still is refused.

    Raises:
        GoldnodeError: It does not fit this image, or one of its nodes may not run; nothing has changed.
    """
    image, system = read_image(layout), for_root(layout.root)
    fit.check(config, image, layout)
    _have_volume(layout, config, system, SILENT_PHASES)
    given = blocks.known(layout)
    found = in_force.prove(layout, text, image, system)

    def retire_leaving() -> None:
        for name in leaving if image.network.daemon.jvm is None else ():
            retire(layout.node(name), given.get(name), system)

    changes = in_force.replace(layout, text, found, system, retire_leaving)
    _tell(layout, found, changes)
    if image.network.daemon.jvm:
        from goldnode.node.commands import hosted  # noqa: PLC0415 - HTTP, only for machines with a JVM

        hosted.follow(layout)
    restart_agent(system)
    return next((error.exit_code for error in found.failures.values()), 0)


def retire(node: NodeLayout, block: int | None, system: System) -> None:
    """Stop a node that leaves this machine; starting it afterwards fails, as for an unknown node."""
    system.stop(node.unit)
    keys.note_progress(node)
    for path in (node.launch, node.failure, node.paused, *(node.mesh_config(kind) for kind in MeshKind)):
        path.unlink(missing_ok=True)
    if block is not None:
        system.lower_mesh(node.name, interface(block), TABLE + block)


def _leaving(layout: Layout, before: NodeConfig, after: NodeConfig) -> list[str]:
    kept = {entry.name: entry.role for entry in after.nodes}
    for entry in before.nodes:
        if layout.node(entry.name).key_record.exists() and kept.get(entry.name) != entry.role:
            raise SafetyError(
                f"{entry.name} has a consensus key; it cannot become something else, or nothing, on this machine",
                hint=f"goldnode handover {entry.name}, and launch a new machine for the new role",
            )
    return [entry.name for entry in before.nodes if entry.name not in kept]


def restart_agent(system: System) -> None:
    """Restart the agent, if it is running."""
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
