"""How a fleet starts (image, chain, namespaces, external validators, rendezvous, machines) and how it ends.

Whatever goes wrong before it is up, nothing is left running.
"""

from __future__ import annotations

import contextlib
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
from goldnode.config.daemon import Family
from goldnode.errors import HostError, UsageError
from goldnode.files import write_atomic
from goldnode.fleet import external_validators, genesis, history, monitoring, state
from goldnode.fleet.external_validators import ExternalValidator
from goldnode.fleet.fleet import Fleet, share
from goldnode.fleet.genesis import Validator
from goldnode.fleet.namespace import Namespace
from goldnode.fleet.plan import EXTERNAL, NETWORK, RENDEZVOUS, FleetSpec, VmSpec, pace_of, powers, vms
from goldnode.fleet.program import Program, program
from goldnode.fleet.state import FleetState
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan import daemon_config
from goldnode.progress import Progress
from goldnode.vm import accel

#: Seconds for all machines together to get ready; four at once take about 150 without KVM.
TIMEOUT = 900.0
#: Seconds a validator that is ready has until the chain has its signature; it takes some blocks, of seconds each.
SIGNING_TIMEOUT = 300.0
#: Additional settings of an external validator, given itself and its socket.
More = Callable[[ExternalValidator, str], daemon_config.Settings]
POLL = 1.0


def up(
    spec: FleetSpec,
    folder: Path,
    progress: Progress,
    *,
    image: Path | None = None,
    acceleration: accel.AccelMode = accel.AccelMode.AUTO,
    planned: Sequence[VmSpec] = (),
    timeout: float = TIMEOUT,
) -> Fleet:
    """Start a fleet; it keeps running when we end.

    Args:
        spec: The fleet to start.
        folder: Its folder; what an earlier fleet left there is deleted.
        progress: Receives progress.
        image: A sealed image of the network; None bakes it, which is instant if nothing has changed.
        acceleration: `auto`, `kvm` or `tcg`.
        planned: The machines, if they differ from those of the spec.
        timeout: Seconds for the machines to boot, and again for their nodes to get ready.

    Raises:
        UsageError: A fleet is running there, or the spec is invalid.
        HostError: This machine lacks something.
    """
    planned = tuple(planned) or vms(spec)
    namespace = Namespace(folder)
    if namespace.stands():
        raise UsageError(f"a fleet is running in {folder}", hint="./invoke fleet down")
    network = networks.load(spec.network)
    daemon = program(network, progress)
    if spec.history and network.daemon.family is not Family.COSMOS_SDK:
        raise UsageError(
            f"{spec.network} takes no snapshots of its state, so nobody could catch up with its history",
            hint="./invoke fleet up --network localwasm --with-history",
        )
    image = image or golden.bake(golden.BakeOptions(network.with_mesh(spec.mesh), accel=acceleration), progress).image
    chosen = accel.choose(acceleration)
    forget(folder)
    try:
        with progress.step("chain and namespaces"):
            keys = {name: Key(os.urandom(32)) for vm in planned for name in vm.validators}
            addresses = {name: key.address for name, key in keys.items()}
            pace = pace_of(planned, chosen.accelerator, replaced=spec.lease)
            fleet = Fleet(folder, FleetState(spec, addresses, chosen.accelerator, chosen.cpu, pace))
            prepare_outside(fleet, daemon, keys, history.settings if spec.history else None)
            share(image, folder / "image.qcow2")
            for cluster in sorted({node.cluster for vm in planned for node in vm.nodes}):
                store.create(folder / "clusters", cluster, spec.network).meet_at([RENDEZVOUS])
            fleet.start_rendezvous()
            if spec.lease:
                fleet.start_store()
        if spec.history:
            with progress.step("history for the chain") as step:
                start_external(fleet, daemon)
                history.wait(fleet.external(), timeout, step.note)
                rest(fleet)
                start_external(fleet, daemon)
        with progress.step("machines"):
            fleet.keep(replace(fleet.state, vms=planned))
            for vm in planned:
                fleet.furnish(vm, keys)
            for vm in planned:
                fleet.power_on(vm.name)
            if spec.monitor:
                monitoring.start(fleet)
        with progress.step("power-on to ready") as step:
            # The chain starts once its machines are there: earlier, it would only run ahead of them.
            _wait_configured(fleet, timeout)
            if not spec.history:
                start_external(fleet, daemon)
            wait_ready(fleet, timeout, step.note)
    except BaseException:
        down(folder)
        raise
    return fleet


def _tell_nobody(_: str) -> None: ...


def wait_ready(fleet: Fleet, timeout: float, note: Callable[[str], None] = _tell_nobody) -> tuple[str, ...]:
    """Wait until every node is ready or refuses, or the time is up.

    Args:
        fleet: The fleet.
        timeout: Seconds from now.
        note: Receives the number that is ready, in words.

    Returns:
        Names of the nodes that are not ready.
    """
    end = time.monotonic() + timeout
    while True:
        waiting = observe(fleet)
        note(f"{sum(len(vm.nodes) for vm in fleet.state.vms) - len(waiting)} ready")
        seen, running = fleet.seen(), fleet.namespace.programs()
        hopeless = {name for name in waiting if name in seen and seen[name].state == "refused"}
        hopeless |= {n.name for s in fleet.state.vms if running.get(s.name, 1) is not None for n in s.nodes}
        if not waiting - hopeless or time.monotonic() > end:
            return tuple(sorted(waiting))
        time.sleep(POLL)


def wait_signing(fleet: Fleet, timeout: float, note: Callable[[str], None] = _tell_nobody) -> tuple[str, ...]:
    """Wait until every validator that is ready has signed a block, as the external validators have it.

    A node is ready when its daemon answers: between that and a first signature it still syncs.

    Args:
        fleet: The fleet.
        timeout: Seconds since now.
        note: Told how many sign, in words.

    Returns:
        Names of the validators that are ready and were not seen to sign.
    """
    end, silent = time.monotonic() + timeout, set(fleet.state.validators) & set(fleet.state.ready)
    begun = len(silent)
    while silent:
        with contextlib.suppress(HostError):
            signers = fleet.external().signers()
            silent = {name for name in silent if fleet.state.validators[name] not in signers}
        note(f"{begun - len(silent)} signing")
        if silent and time.monotonic() > end:
            break
        time.sleep(POLL)
    return tuple(sorted(silent))


def observe(fleet: Fleet) -> set[str]:
    """Record which nodes have become ready; returns the names of the others."""
    seen, now, known, ready = fleet.seen(), time.time(), fleet.state, dict[str, float]()
    waiting = set()
    for vm in known.vms:
        for node in vm.nodes:
            told = seen.get(node.name)
            if told is None or told.ready is None or vm.name not in known.powered_on:
                waiting.add(node.name)
            elif node.name not in known.ready:
                ready[node.name] = round(now - known.powered_on[vm.name], 1)
    if ready:
        fleet.change(lambda state: state.seen_ready(ready, known.powered_on))
    return waiting


def down(folder: Path) -> bool:
    """End a fleet: kill all its processes at once; its files stay.

    Returns:
        Whether one was running.
    """
    namespace = Namespace(folder)
    stood = namespace.stands()
    namespace.end()
    return stood


def forget(folder: Path) -> None:
    """Delete the files of a fleet that has ended.

    Raises:
        UsageError: The folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / state.FILE).exists() and not (folder / "first.log").exists():
            raise UsageError(f"{folder} is not empty and does not hold a fleet")
        shutil.rmtree(folder)


def _bridge(namespace: Namespace) -> None:
    namespace.run(["ip", "link", "set", "lo", "up"])
    namespace.run(["ip", "link", "add", "br0", "type", "bridge"])
    namespace.run(["ip", "link", "set", "br0", "up"])
    for number in range(1, EXTERNAL + 1):
        namespace.run(["ip", "address", "add", f"{NETWORK}.{number}/24", "dev", "br0"])


def prepare_outside(fleet: Fleet, daemon: Program, keys: Mapping[str, Key], more: More | None = None) -> None:
    """Make everything outside the machines: a network, a genesis, the homes of three validators; start none of them.

    Args:
        fleet: The fleet; gets the external validators' peer addresses.
        daemon: The program they run.
        keys: The fleet's own validators, which the chain starts with too.
        more: Additional settings of an external validator.
    """
    fleet.namespace.make()
    _bridge(fleet.namespace)
    externals = [ExternalValidator(n, Key(os.urandom(32)), Key(os.urandom(32))) for n in range(1, EXTERNAL + 1)]
    hidden, outside = powers(len(keys))
    validators = [Validator(each.name, each.key, outside) for each in externals]
    validators += [Validator(name, key, hidden) for name, key in keys.items()]
    past = fleet.state.spec.history
    document = genesis.genesis(daemon, validators, datetime.now(UTC), history.shorten if past else None)
    write_atomic(fleet.folder / "genesis.json", document)
    for each in externals:
        home, told = fleet.folder / "external" / str(each.number), more(each, external_validators.RPC) if more else None
        external_validators.prepare(home, each, externals, daemon, document, fleet.state.pace, told)
    fleet.external_peers = tuple(each.peer for each in externals)
    write_atomic(fleet.folder / "external" / "peers", "\n".join(fleet.external_peers) + "\n")


def start_external(fleet: Fleet, daemon: Program) -> None:
    """Start the external validators."""
    for number in range(1, EXTERNAL + 1):
        home, log = fleet.folder / "external" / str(number), fleet.folder / "external" / f"{number}.log"
        fleet.namespace.start(
            f"external-{number}", external_validators.arguments(daemon), cwd=home, log=log, env=daemon.environment(home)
        )


def rest(fleet: Fleet) -> None:
    """Stop the external validators, which made a history quickly; restarted, they run at the fleet's pace."""
    for number in range(1, EXTERNAL + 1):
        fleet.namespace.stop(f"external-{number}")
        home = fleet.folder / "external" / str(number)
        (home / external_validators.RPC).unlink(missing_ok=True)
        history.slow_down(home / "config" / "config.toml", fleet.state.pace)


def _wait_configured(fleet: Fleet, timeout: float) -> None:
    """Wait until every machine has said something about its nodes, or ended."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        seen, running = fleet.seen(), fleet.namespace.programs()
        if all(running[vm.name] is not None or vm.nodes[0].name in seen for vm in fleet.state.vms):
            return
        time.sleep(POLL)
