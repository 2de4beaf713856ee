"""Moves a node of the fleet to a machine of another image, as an operator would by docs/operations.md.

The volume goes along; the old machine never starts again.
"""

from __future__ import annotations

from pathlib import Path

from goldnode.errors import SafetyError, UsageError
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import VmSpec
from goldnode.fleet.up import wait_ready
from goldnode.progress import Progress
from goldnode.run import CommandError, run

#: Seconds that `goldnode handover` may take to stop the daemon and write everything down.
STOPPING = 180.0


def move(fleet: Fleet, name: str, image: Path, identity: Path | None, progress: Progress, timeout: float) -> VmSpec:
    """Hand over a machine's nodes to a new machine, and wait until they are ready there.

    Args:
        fleet: The fleet, made with a key that may log in to validators.
        name: The machine.
        image: A sealed image of the same network.
        identity: The private key; None for what ssh finds by itself.
        progress: Receives progress.
        timeout: Seconds for the new machine to get ready.

    Raises:
        UsageError: The machine allows no login, or has no volume.
        SafetyError: A node was not handed over, and the old machine stays; ``goldnode handover --cancel NAME`` there
        takes back the nodes that were handed over before.
    """
    old = fleet.state.vm(name)
    if not old.validators:
        raise UsageError(f"{name} has no volume to move", hint="sentries are not moved: docs/operations.md")
    if not fleet.state.spec.opens(old.role):
        raise UsageError(f"{name} allows no login", hint="./invoke fleet up --ssh-key FILE.pub --open-validators")
    with progress.step(f"hand {name} over"):
        for node in old.nodes:
            try:
                run(fleet.ssh(old, identity, "goldnode", "handover", node.name), timeout=STOPPING)
            except CommandError as error:
                why = error.stderr.strip() or error.message
                raise SafetyError(
                    f"{node.name} was not handed over: {why}", hint=f"./invoke fleet console {name}"
                ) from error
    with progress.step("new machine"):
        new = fleet.succeed(name, image)
        fleet.power_on(new.name)
    with progress.step("power-on to ready") as step:
        wait_ready(fleet, timeout, step.note)
    return new
