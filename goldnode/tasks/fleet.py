"""Tasks about a fleet: a whole cluster of machines on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task
from rich import live as lives

from goldnode.config import choices
from goldnode.config import network as networks
from goldnode.errors import UsageError
from goldnode.fleet import fleet as fleets
from goldnode.fleet import heal as healing
from goldnode.fleet import move as moving
from goldnode.fleet import plan
from goldnode.fleet import status as states
from goldnode.fleet import up as story
from goldnode.paths import cache
from goldnode.progress import Progress
from goldnode.tasks import host
from goldnode.tasks.bake import needs_of
from goldnode.tasks.console import existing, one_of, progress
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output
from goldnode.vm.accel import AccelMode

FOLDER = "where the fleet lives (default: in the cache)"
#: Seconds between updates of `status --watch`.
EVERY = 2.0
#: Seconds of silence after which `heal` gives up a machine that answered before.
SILENCE = 20.0
#: Console lines that `fleet console` shows first.
TAIL = 60


@task(
    help={
        "network": "localnet or localwasm",
        "sentries": "how many sentries stand before the hidden validator",
        "mesh": "wireguard or vpncloud",
        "multi_node": "nodes of one further machine, all of them hidden validators; 0 for no such machine",
        "memory": "MiB of each machine (default: what a localnet node needs)",
        "ssh_key": "file with a public key that may log in to the sentries",
        "lease": "validators sign by a signing lease (etcd): `fleet heal` may replace them",
        "with_history": "the chain begins first and loses its first blocks: the machines must catch up (localwasm)",
        "open_validators": "let that key log in to the validators too, as to work on one",
        "monitor": "have Prometheus, Alertmanager and `./invoke watch` beside it; their pages are printed",
        "accel": "auto (probe), kvm or tcg",
        "image": "a sealed image of the network (default: bake it, which is instant when nothing changed)",
        "timeout": "seconds for the machines to boot, and again for their nodes to get ready (default: 900)",
        "folder": FOLDER,
    },
)
def up(
    _: Context,
    network: str = "localnet",
    sentries: int = 2,
    mesh: str = "wireguard",
    multi_node: int = 0,
    memory: int = 0,
    ssh_key: str = "",
    open_validators: bool = False,
    with_history: bool = False,
    lease: bool = False,
    monitor: bool = False,
    accel: str = AccelMode.AUTO,
    image: str = "",
    timeout: float = 0.0,
    folder: str = "",
) -> None:
    """Start a cluster here: a hidden validator behind sentries, and three external validators."""
    kind = one_of(choices.MeshKind, "--mesh", mesh)
    own = existing(image, "image", f"./invoke bake --network {network}").resolve() if image else None
    chosen = networks.load(network)
    key = _key(ssh_key) if ssh_key else ""
    if open_validators and not key:
        raise UsageError("--open-validators needs a key", hint="./invoke fleet up --ssh-key FILE.pub --open-validators")
    more = [need for need, wanted in ((Need.LEASE_STORE, lease), (Need.MONITORING, monitor)) if wanted]
    host.require([Need.MACHINE, Need.FLEET, *more])
    if not own:
        _prepare(chosen, kind)
    counts = int(multi_node), int(memory) or plan.MEMORY
    spec = plan.FleetSpec(network, int(sentries), kind, *counts, key, open_validators, with_history, lease, monitor)
    with progress() as told:
        patience = float(timeout) or story.TIMEOUT
        fleet = story.up(spec, _folder(folder), told, image=own, acceleration=AccelMode(accel), timeout=patience)
        silent = _first_signatures(fleet, told)
    _tell(fleet, silent)


@task(
    positional=["name"],
    help={
        "name": "a validator of the fleet",
        "image": "the sealed image it moves to",
        "identity": "your private key, of the fleet's --ssh-key",
        "folder": FOLDER,
    },
)
def move(_: Context, name: str, image: str, identity: str = "", folder: str = "") -> None:
    """Hand a validator over to a new machine from another image, on the same volume: the way an image is updated."""
    disk = existing(image, "image", "./invoke bake")
    fleet = fleets.Fleet.find(_folder(folder))
    with progress() as told:
        moving.move(fleet, _machine(fleet, name), disk, Path(identity) if identity else None, told, story.TIMEOUT)
        silent = _first_signatures(fleet, told)
    _tell(fleet, silent)


@task(help={"json": "print it as JSON", "watch": "repeat until Ctrl-C", "folder": FOLDER})
def status(_: Context, json: bool = False, watch: bool = False, folder: str = "") -> None:
    """Show every node: role, ID, height, peers, signing, seconds from power-on to ready."""
    fleet = fleets.Fleet.find(_folder(folder))
    if json:
        output.say_json(states.document(fleet, states.rows(fleet)))
        return
    if not watch:
        output.show(states.screen(fleet.state, states.rows(fleet)))
        return
    with lives.Live(output.Shown(states.screen(fleet.state, states.rows(fleet))), console=output.screen()) as live:
        while True:
            time.sleep(EVERY)
            # Its machines may be others by now.
            fleet = fleets.Fleet.find(fleet.folder)
            live.update(output.Shown(states.screen(fleet.state, states.rows(fleet))))


@task(
    help={
        "seconds": "how long (default: until Ctrl-C, or until the fleet is down)",
        "timeout": "seconds of silence after which a machine is given up",
        "folder": FOLDER,
    }
)
def heal(_: Context, seconds: float = 0.0, timeout: float = SILENCE, folder: str = "") -> None:
    """Replace every machine that does not answer with a new one, unasked, as a cloud's instance group does."""
    fleet = fleets.Fleet.find(_folder(folder))
    if not fleet.state.spec.lease:
        raise UsageError("this fleet's validators sign without a lease", hint="./invoke fleet up --lease")
    healer = healing.Healer(fleet, time.monotonic, float(timeout))
    begun = time.monotonic()
    output.say(f"watching {len(fleet.state.vms)} machines; Ctrl-C ends the watch, not the fleet")
    while fleet.namespace.stands() and not (seconds and time.monotonic() - begun > float(seconds)):
        healer.fleet, known = fleets.Fleet.find(fleet.folder), set(healer.answered)
        for each in healer.reconcile():
            output.say(f"{each.old} is given up, {each.why}: {each.new} takes its place")
        for name in sorted(healer.answered.keys() - known):
            output.say(f"{name} answers: from now on its silence counts")
        time.sleep(EVERY)


@task(help={"folder": FOLDER})
def down(_: Context, folder: str = "") -> None:
    """End the fleet, every process of it; its disks and logs stay until the next `up`."""
    where = _folder(folder)
    output.say(f"the fleet in {where} is down" if story.down(where) else f"no fleet is running in {where}")


@task(positional=["name"], help={"name": "a machine or a node of the fleet", "folder": FOLDER,
                                 "follow": "repeat until Ctrl-C"})  # fmt: skip
def console(_: Context, name: str, follow: bool = False, folder: str = "") -> None:
    """Show the last lines of a machine's serial console."""
    fleet = fleets.Fleet.find(_folder(folder))
    machine_name = _machine(fleet, name)
    text = fleet.console(machine_name)
    output.say("\n".join(text.splitlines()[-TAIL:]))
    shown = len(text)
    while follow:
        time.sleep(EVERY / 4)
        text = fleet.console(machine_name)
        output.say(text[shown:], end="")
        shown = len(text)


@task(positional=["name"], help={"name": "a machine of the fleet", "identity": "your private key", "folder": FOLDER})
def ssh(_: Context, name: str, identity: str = "", folder: str = "") -> None:
    """Log in to a machine as root, where `fleet up` was given your key."""
    fleet = fleets.Fleet.find(_folder(folder))
    vm = fleet.state.vm(_machine(fleet, name))
    if not fleet.state.spec.opens(vm.role):
        raise UsageError(f"{name} allows no login", hint="./invoke fleet up --ssh-key FILE.pub, and a sentry's name")
    argv = fleet.ssh(vm, Path(identity) if identity else None)
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes this terminal over


def _first_signatures(fleet: fleets.Fleet, told: Progress) -> tuple[str, ...]:
    with told.step("ready to first signature") as step:
        return story.wait_signing(fleet, story.SIGNING_TIMEOUT, step.note)


def _tell(fleet: fleets.Fleet, silent: Sequence[str]) -> None:
    """Show the fleet; fails when a node of it is not ready, or a validator was not seen to sign."""
    rows = states.rows(fleet)
    output.show(states.screen(fleet.state, rows))
    late = [row for row in rows if row.role != states.EXTERNAL_ROLE and row.own_ready is None]
    for row in late:
        output.say(f"not ready: {row.name}: {row.state}{f': {row.reason}' if row.reason else ''}")
        output.say(f"  try: ./invoke fleet console {row.name}")
    for name in silent:
        output.say(f"ready, but no block has its signature yet: {name}")
        output.say("  try: ./invoke fleet status --watch")
    for name, url in fleet.state.pages.items():
        output.say(f"{name}: {url}")
    output.say("it keeps running; to end it: ./invoke fleet down")
    if late or silent:
        raise Exit(code=1)


def _folder(folder: str) -> Path:
    return Path(folder) if folder else cache() / "fleet"


def _prepare(network: networks.Network, mesh: choices.MeshKind) -> None:
    """See to what the fleet's image needs to be baked, and say when it is another than the network's own."""
    baked = network.with_mesh(mesh)
    if baked is not network:
        output.say(
            f"{network.name} does not name {mesh} among its meshes: the fleet gets an image of its own that has it"
        )
    host.require([Need.BAKE, *needs_of(baked)])


def _key(file: str) -> str:
    return existing(file, "public key", "ssh-keygen -t ed25519").read_text().strip()


def _machine(fleet: fleets.Fleet, name: str) -> str:
    """The machine of a machine's or a node's name."""
    for vm in fleet.state.vms:
        if name in {vm.name, *(node.name for node in vm.nodes)}:
            return vm.name
    return fleet.state.vm(name).name


ns = Collection("fleet", up, status, down, heal, move, console, ssh)
