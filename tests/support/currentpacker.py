"""Current Packer beside Debian's 1.6.6, to prove that the templates serve both.

Its licence forbids nothing that is done here, but it is not free software, so it is never shipped:
it is built from its Go modules, each pinned by its sum, and kept in the cache.  Since 1.10 Packer
has no builders of its own and since 1.11 takes plugins only from a folder that `packer plugins
install` laid out, so one is laid out beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldnode import files, paths
from goldnode.bake.programs import gomodule, toolchain
from goldnode.config.daemon import Daemon
from goldnode.progress import Progress
from goldnode.run import run

ARCH = "amd64"
TOOLCHAIN = "go1.26.8"


@dataclass(frozen=True, slots=True)
class Program:
    """A Go program of HashiCorp's.

    Attributes:
        name: Of its binary and of its repository.
        version: Without the ``v``.
        sum: The module's ``h1:`` sum.
        plugin: Source address under which Packer knows it; empty for Packer itself.
    """

    name: str
    version: str
    sum: str
    plugin: str = ""

    @property
    def document(self) -> dict[str, object]:
        """It as the ``daemon`` of a network file, which is what ``gomodule`` builds."""
        source = {"module": f"github.com/hashicorp/{self.name}", "version": f"v{self.version}", "sum": self.sum,
                  "package": ".", "toolchain": TOOLCHAIN}  # fmt: skip
        return {"name": self.name, "version": self.version, "home": "", "source": source}


PACKER = Program("packer", "1.16.0", "h1:+e9/aNeyZuEGm9fGre3wfg2BNnj1AQj5HzboO4iEYuY=")
QEMU = Program(
    "packer-plugin-qemu", "1.0.9", "h1:1YKBBzBULYUBWtpAZJTbaLjjZPAdQ63okkpTqMBTnzM=", "github.com/hashicorp/qemu"
)


def folder(plugins: tuple[Program, ...], progress: Progress) -> Path:
    """A folder for the front of PATH, whose ``packer`` is current and has ``plugins``.

    Raises:
        ArtifactError: A module cannot be obtained, or is not what its sum says.
        BakeError: It does not compile.
    """
    binary = _built(PACKER, progress)
    home = paths.cache() / "packer" / "-".join([PACKER.version, *(f"{it.name}-{it.version}" for it in plugins)])
    with files.locked(home.with_name(f"{home.name}.lock")):
        if not (home / "packer").exists():
            env = {"PACKER_PLUGIN_PATH": str(home / "plugins"), "CHECKPOINT_DISABLE": "1"}
            for plugin in plugins:
                run([binary, "plugins", "install", "--path", _built(plugin, progress), plugin.plugin], env=env)
            # The variable goes with the program: whoever finds it on PATH needs to know nothing else.
            script = f'#!/bin/sh\nPACKER_PLUGIN_PATH="{home}/plugins" exec "{binary}" "$@"\n'
            files.write_atomic(home / "packer", script, 0o755)
    return home


def _built(program: Program, progress: Progress) -> Path:
    daemon = Daemon.from_document(program.document)
    assert daemon.source is not None
    return gomodule.build(daemon, daemon.source, ARCH, go=toolchain.go(progress), progress=progress).binary
