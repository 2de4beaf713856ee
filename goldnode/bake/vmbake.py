"""One run of Packer: from the base and a payload to a sealed disk, or to an image in a cloud."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode import files, paths
from goldnode.bake import plugins
from goldnode.bake.base import Base
from goldnode.bake.build_dir import short_name
from goldnode.bake.packer import Event, Packer
from goldnode.config.network import Network
from goldnode.errors import BakeError
from goldnode.progress import Progress
from goldnode.vm.accel import Acceleration

#: What provision.sh and clean.sh print before a step, and before a fault.
STEP, FAULT = re.compile(r"goldnode-step: (.+)"), re.compile(r"goldnode-fault: (.+)")
#: What Packer says, and which of our steps that begins.
SAID = {
    "Waiting for SSH": "boot",
    "Gracefully halting": "shut down",
    "Copying hard drive": "copy the disk",
    "Uploading": "upload the payload",
    "Converting hard drive": "compress (zlib, by Packer)",
}
#: The values of a bake's variables; a cloud's hold its credentials, so they are never stored.
VARIABLES = "bake.pkrvars.json"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What Packer produced.

    Attributes:
        disk: The sealed disk: an uncompressed overlay over the base, or the final disk already.
        builder_key: Public key that Packer logged in with; no trace of it may be on the disk.
        compressed: Whether Packer has compressed it.
        layers: How many overlays lie over the base's disk.
    """

    disk: Path
    builder_key: str
    compressed: bool = False
    layers: int = 1


class PackerEvents:
    """Turns Packer's events into steps: each lasts until the next begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._open = ExitStack()
        self.faults: list[str] = []
        self.artifacts: list[str] = []

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        if event.kind == "artifact" and event.data[1:2] == ("id",):
            self.artifacts.append(event.text)
        for line in event.text.splitlines():
            if found := STEP.search(line):
                self.begin(found[1].strip())
            elif fault := FAULT.search(line):
                self.faults.append(fault[1].strip())
            else:
                for words, title in SAID.items():
                    if words in line:
                        self.begin(title)

    def begin(self, title: str) -> None:
        """End the current step and begin another."""
        self._open.close()
        self._open.enter_context(self._progress.step(title))

    def close(self) -> None:
        """End the last step."""
        self._open.close()


def common(base: Base, payload: Path, build_dir: Path, acceleration: Acceleration) -> dict[str, Any]:
    """The variables common to all QEMU sources."""
    return {
        "payload": str(payload),
        "disk": str(base.disk),
        "output": str(build_dir / "packer"),
        "console": str(build_dir / "console.log"),
        "accelerator": str(acceleration.accelerator),
        "cpu": acceleration.cpu,
    }


def build(
    source: str,
    variables: Mapping[str, Any],
    build_dir: Path,
    progress: Progress,
    *,
    network: Network,
    env: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Run Packer on one source in ``packer/``.

    Args:
        source: As ``qemu.golden``.
        variables: What it takes besides the network's name and version.
        build_dir: Folder of this bake; Packer's log stays in it.
        progress: Told what Packer and the scripts do.
        network: The network to bake.
        env: More environment for Packer, as a cloud's credentials.

    Returns:
        The ids of the results, as the cloud names them.

    Raises:
        BakeError: It failed; the logs are kept under ``out/failed/``.
    """
    values = build_dir / VARIABLES
    files.write_atomic(
        values,
        json.dumps({"source": source, "network": network.name, "version": network.daemon.version, **variables}),
        0o600,
    )
    own = plugins.install(source.partition(".")[0], build_dir / "plugins", progress)
    events = PackerEvents(progress)
    with short_name(build_dir) as temporary, closing(events):
        seen = {"TMPDIR": str(temporary), **(env or {}), **(plugins.environment(own) if own else {})}
        packer = Packer("packer", log=build_dir / "packer.log", listen=events, env=seen)
        events.begin("start Packer")
        code, said, errors = packer.build(str(paths.REPOSITORY / "packer"), var_file=str(values), color="false")
    if code or not events.artifacts:
        # When its inner process is killed, Packer's outer process exits with 0.
        said_last = said.splitlines()[-5:] if code else ["Packer ended before there was an image"]
        raise _failed(network, build_dir, events.faults or _killed(code) or _telling(errors) or said_last)
    return tuple(events.artifacts)


def _killed(code: int) -> list[str]:
    """A fault if Packer (128 + signal) or its guard (-signal) was killed."""
    names = {int(number): number.name for number in signal.Signals}
    name = names.get(-code if code < 0 else code - 128)
    return [f"Packer was ended by {name}"] if name else []


def _telling(errors: str) -> list[str]:
    """The last informative errors: Packer wraps each in lines that only repeat that there was one."""
    empty = ("Some builds didn't complete", "Script exited with non-zero", "Deleting output", "-->")
    return [line for line in errors.splitlines() if not any(words in line for words in empty)][-3:]


def _failed(network: Network, build_dir: Path, why: list[str]) -> BakeError:
    """Keep what a person needs to find the cause, and say where it is."""
    kept = paths.out() / "failed" / f"{network.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.mkdir(parents=True, exist_ok=True)
    for name in ("console.log", "packer.log"):
        if (build_dir / name).exists():
            shutil.copy(build_dir / name, kept / name)
    reason = "; ".join(line.strip() for line in why if line.strip())
    return BakeError(f"the bake of {network.name} failed: {reason}", hint=f"less {kept}/console.log {kept}/packer.log")
