"""Current Packer's plugins, each built from the Go module whose sum this repository names.

Debian's Packer 1.6.6 has every builder compiled in.  Since 1.10 Packer has none, and ``packer init``
fetches programs that its own file can name by version only: whoever owns a plugin's release page
would own the bake.  So nothing is fetched that way.  The plugin that a bake needs is built like a
daemon (``goldnode/bake/programs/gomodule.py``), put into the bake's own folder, and no other is seen.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from goldnode import paths
from goldnode.bake.programs import gomodule, toolchain
from goldnode.config.daemon import Daemon
from goldnode.errors import ArtifactError, HostError
from goldnode.progress import Progress
from goldnode.run import NOT_HERE, CommandError, run

#: What this repository names.
FILE = paths.REPOSITORY / "packer" / "plugins.json"
#: The first Packer without builders of its own.
WITHOUT_BUILDERS = (1, 10)
#: Where Packer looks for plugins.
FOLDER = "PACKER_PLUGIN_PATH"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin.

    Attributes:
        builders: The types of source it brings, as `amazon-ebs`.
        source: Packer's name for it, as `github.com/hashicorp/amazon`.
        module: The Go module it is built from.
        version: Without the ``v``.
        sum: The module's ``h1:`` sum; empty while nobody has pinned it.
        toolchain: The Go that builds it.
    """

    builders: tuple[str, ...]
    source: str
    module: str
    version: str
    sum: str
    toolchain: str

    @property
    def name(self) -> str:
        """Its program's name."""
        return self.module.rpartition("/")[2]


def known() -> tuple[Plugin, ...]:
    """Every plugin that a template of ours needs."""
    return tuple(Plugin(**{**each, "builders": tuple(each["builders"])}) for each in json.loads(FILE.read_text()))


def install(builder: str, folder: Path, progress: Progress) -> Path | None:
    """Put the plugin that brings a builder into a folder for Packer.

    Args:
        builder: A type of source, as `qemu`.
        folder: Where to; made when there is something to put.
        progress: Told of the build.

    Returns:
        The folder; None when the Packer on PATH has the builder itself.

    Raises:
        ArtifactError: The plugin is not pinned, cannot be obtained, or is not what its pin says.
        HostError: There is no Packer, or it refuses the plugin.
    """
    if not needs_plugins():
        return None
    plugin = next(each for each in known() if builder in each.builders)
    if not plugin.sum:
        raise ArtifactError(
            f"nobody has pinned Packer's plugin {plugin.source} {plugin.version}: Debian's Packer needs none, and a pin"
            f" is the Sum of its Go module, in {FILE.relative_to(paths.REPOSITORY)}",
            hint=f"go mod download -json {plugin.module}@v{plugin.version}",
        )
    program = build(plugin, progress)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run(["packer", "plugins", "install", "--path", program, plugin.source], env=environment(folder))
    except CommandError as error:
        raise HostError(f"Packer refuses its plugin {plugin.name} {plugin.version}: {error.message}") from error
    return folder


def environment(folder: Path) -> dict[str, str]:
    """What makes Packer see the plugins of a folder, and no others."""
    return {FOLDER: str(folder), "CHECKPOINT_DISABLE": "1"}


def needs_plugins() -> bool:
    """Whether the Packer on PATH is one without builders of its own.

    Raises:
        HostError: There is none.
    """
    try:
        said = run(["packer", "version"], env={"CHECKPOINT_DISABLE": "1"}).stdout
    except CommandError as error:
        raise HostError(f"packer does not say its version: {error.message}", hint=NOT_HERE) from error
    found = re.search(r"v(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= WITHOUT_BUILDERS


def build(plugin: Plugin, progress: Progress) -> Path:
    """The program, from the cache or freshly built.

    Raises:
        ArtifactError: The module cannot be obtained, or is not what its sum says.
        BakeError: It does not compile.
    """
    # Some modules call themselves a pre-release until their own release is built, and Packer installs no such one.
    released = f"-X {plugin.module}/version.VersionPrerelease="
    source = {"module": plugin.module, "version": f"v{plugin.version}", "sum": plugin.sum, "package": ".",
              "toolchain": plugin.toolchain, "ldflags": [released]}  # fmt: skip
    daemon = Daemon.from_document({"name": plugin.name, "version": plugin.version, "home": "", "source": source})
    assert daemon.source is not None  # noqa: S101 - it was given
    return gomodule.build(daemon, daemon.source, _arch(), go=toolchain.go(progress), progress=progress).binary


def _arch() -> str:
    """This machine's architecture, as Debian and Go call it."""
    return run(["dpkg", "--print-architecture"]).stdout.strip()
