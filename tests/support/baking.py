"""Helpers of the tests that bake: the user's own command, and what it must not leave behind."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode import paths
from goldnode.run import clean_env


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str


def invoke(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    checkout: Path = paths.REPOSITORY,
) -> Said:
    """Type ``./invoke WORDS`` and wait."""
    with start(*words, env=env, checkout=checkout) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
    return Said(process.returncode, stdout, stderr)


def start(
    *words: str | Path, env: Mapping[str, str] | None = None, checkout: Path = paths.REPOSITORY
) -> subprocess.Popen[str]:
    """Type ``./invoke WORDS`` in a checkout and go on."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("GOLDNODE_")}
    # A shell that starts its tests in the background has them ignore Ctrl-C, and children would inherit that.
    return subprocess.Popen(
        ["env", "--default-signal=INT", str(checkout / "invoke"), *map(str, words)],
        env={**clean_env(kept), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bake(network: str, **environment: str) -> dict[str, Any]:
    """Bake a network and return its manifest."""
    said = invoke("bake", "--network", network, "--json", env=environment)
    assert said.code == 0, said.stderr
    manifest: dict[str, Any] = json.loads(said.stdout)
    return manifest


def processes(mark: str) -> list[str]:
    """Command lines of living processes that mention ``mark``, as QEMU's do the folder it writes to."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if mark in line:
                found.append(line)
    return found
