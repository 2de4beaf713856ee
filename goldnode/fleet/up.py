"""How a fleet begins: image, chain, namespaces, world, rendezvous, machines; and how it ends.

Whatever goes wrong before it stands, nothing of it is left running.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from goldnode.bake import golden
from goldnode.cluster import store
from goldnode.config import network as networks
from goldnode.errors import UsageError
from goldnode.files import write_atomic
from goldnode.fleet import external_validators, genesis, state
from goldnode.fleet.external_validators import Outsider
from goldnode.fleet.fleet import Fleet, share
from goldnode.fleet.genesis import Validator
from goldnode.fleet.namespace import Ground
from goldnode.fleet.plan import NETWORK, RENDEZVOUS, WORLD, Seat, Wish, pace_of, powers, seats
from goldnode.fleet.program import Program, program
from goldnode.fleet.state import State
from goldnode.node.keys.cometbft_keys import Key
from goldnode.progress import Progress
from goldnode.vm import accel

#: Seconds all machines together have until ready; four at once take about 150 without KVM.
PATIENCE = 900.0
LOOK = 1.0


def up(
    wish: Wish,
    folder: Path,
    progress: Progress,
    *,
    image: Path | None = None,
    acceleration: accel.Wish = accel.Wish.AUTO,
    planned: Sequence[Seat] = (),
) -> Fleet:
    """Start a fleet; it goes on when we end.

    Args:
        wish: What fleet.
        folder: Where it lives; what an earlier fleet left there is deleted.
        progress: Told how far it is.
        image: A sealed image of the network; None bakes it, which is instant when nothing changed.
        acceleration: `auto`, `kvm` or `tcg`.
        planned: The machines, where they are others than the wish makes.

    Raises:
        UsageError: A fleet runs there, or the wish makes no sense.
        HostError: This machine lacks something.
    """
    planned = tuple(planned) or seats(wish)
    ground = Ground(folder)
    if ground.stands():
        raise UsageError(f"a fleet runs in {folder}", hint="./invoke fleet down")
    network = networks.load(wish.network)
    daemon = program(network, progress)
    image = image or golden.bake(golden.Order(network.with_mesh(wish.mesh), accel=acceleration), progress).image
    chosen = accel.choose(acceleration)
    forget(folder)
    try:
        with progress.step("chain and namespaces"):
            keys = {name: Key(os.urandom(32)) for seat in planned for name in seat.validators}
            ground.make()
            _bridge(ground)
            share(image, folder / "image.qcow2")
            addresses = {name: key.address for name, key in keys.items()}
            pace = pace_of(planned, chosen.accelerator)
            fleet = Fleet(folder, State(wish, addresses, chosen.accelerator, chosen.cpu, pace))
            fleet.world_peers = _prepare_world(fleet, daemon, keys)
            for cluster in sorted({node.cluster for seat in planned for node in seat.nodes}):
                store.create(folder / "clusters", cluster, wish.network).meet_at([RENDEZVOUS])
            fleet.start_rendezvous()
        with progress.step("machines"):
            fleet.keep(replace(fleet.state, seats=planned))
            for seat in planned:
                fleet.furnish(seat, keys)
            for seat in planned:
                fleet.power_on(seat.name)
        with progress.step("power-on to ready") as step:
            # The chain begins when its machines are there: before, it would only run away from them.
            _wait_configured(fleet, PATIENCE)
            _start_world(fleet, daemon)
            wait_ready(fleet, PATIENCE, step.note)
    except BaseException:
        down(folder)
        raise
    return fleet


def _tell_nobody(_: str) -> None: ...


def wait_ready(fleet: Fleet, patience: float, note: Callable[[str], None] = _tell_nobody) -> tuple[str, ...]:
    """Wait until every node is ready, refuses, or its time is up.

    Args:
        fleet: The fleet.
        patience: Seconds since now.
        note: Told how many are ready, in words.

    Returns:
        Names of the nodes that are not ready.
    """
    end = time.monotonic() + patience
    while True:
        waiting = look(fleet)
        note(f"{sum(len(seat.nodes) for seat in fleet.state.seats) - len(waiting)} ready")
        seen, running = fleet.seen(), fleet.ground.programs()
        hopeless = {name for name in waiting if name in seen and seen[name].state == "refused"}
        hopeless |= {n.name for s in fleet.state.seats if running.get(s.name, 1) is not None for n in s.nodes}
        if not waiting - hopeless or time.monotonic() > end:
            return tuple(sorted(waiting))
        time.sleep(LOOK)


def look(fleet: Fleet) -> set[str]:
    """Note which nodes have become ready; the names of the others."""
    seen, now, ready = fleet.seen(), time.time(), dict(fleet.state.ready)
    waiting = set()
    for seat in fleet.state.seats:
        for node in seat.nodes:
            told = seen.get(node.name)
            if told is None or told.ready is None or seat.name not in fleet.state.powered_on:
                waiting.add(node.name)
            elif node.name not in ready:
                ready[node.name] = round(now - fleet.state.powered_on[seat.name], 1)
    if ready != fleet.state.ready:
        fleet.keep(replace(fleet.state, ready=ready))
    return waiting


def down(folder: Path) -> bool:
    """End a fleet: every process of it, at once; its files stay for whoever wants to read them.

    Returns:
        Whether one ran.
    """
    ground = Ground(folder)
    stood = ground.stands()
    ground.end()
    return stood


def forget(folder: Path) -> None:
    """Delete what an ended fleet left, if it was one.

    Raises:
        UsageError: Something else is in that folder.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / state.FILE).exists() and not (folder / "first.log").exists():
            raise UsageError(f"{folder} is not empty, and holds no fleet")
        shutil.rmtree(folder)


def _bridge(ground: Ground) -> None:
    ground.run(["ip", "link", "set", "lo", "up"])
    ground.run(["ip", "link", "add", "br0", "type", "bridge"])
    ground.run(["ip", "link", "set", "br0", "up"])
    for number in range(1, WORLD + 1):
        ground.run(["ip", "address", "add", f"{NETWORK}.{number}/24", "dev", "br0"])


def _prepare_world(fleet: Fleet, daemon: Program, keys: Mapping[str, Key]) -> tuple[str, ...]:
    """Write the genesis, and fill the homes of the three validators outside.

    Returns:
        How they are dialled.
    """
    outsiders = [Outsider(n, Key(os.urandom(32)), Key(os.urandom(32))) for n in range(1, WORLD + 1)]
    hidden, outside = powers(len(keys))
    validators = [Validator(each.name, each.key, outside) for each in outsiders]
    validators += [Validator(name, key, hidden) for name, key in keys.items()]
    document = genesis.genesis(daemon, validators, datetime.now(UTC))
    write_atomic(fleet.folder / "genesis.json", document)
    for each in outsiders:
        external_validators.prepare(
            fleet.folder / "world" / str(each.number), each, outsiders, daemon, document, fleet.state.pace
        )
    peers = tuple(each.peer for each in outsiders)
    write_atomic(fleet.folder / "world" / "peers", "\n".join(peers) + "\n")
    return peers


def _start_world(fleet: Fleet, daemon: Program) -> None:
    for number in range(1, WORLD + 1):
        home, log = fleet.folder / "world" / str(number), fleet.folder / "world" / f"{number}.log"
        fleet.ground.start(f"world-{number}", external_validators.arguments(daemon), cwd=home, log=log, env=daemon.env)


def _wait_configured(fleet: Fleet, patience: float) -> None:
    """Wait until every machine has said something of its nodes, or ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        seen, running = fleet.seen(), fleet.ground.programs()
        if all(running[seat.name] is not None or seat.nodes[0].name in seen for seat in fleet.state.seats):
            return
        time.sleep(LOOK)
