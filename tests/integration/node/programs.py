"""The programs that a miniature fleet's machines run, built from what is pinned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from goldnode.bake.programs import gomodule, signer, vpncloud
from goldnode.bake.programs.toolchain import go
from goldnode.config import network
from goldnode.config.choices import MeshKind
from goldnode.config.daemon import BuildSource
from goldnode.fleet.program import program
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT

#: WireGuard for kernels without it; the node's own `ip`, `wg` and configuration work with it unchanged.
WIREGUARD = BuildSource(
    module="golang.zx2c4.com/wireguard",
    version="v0.0.0-20260522210424-ecfc5a8d5446",
    sum="h1:cqHQ3AycTHvM2R7ikgyX57D+XvtcSnGylsLkOVhta/w=",
    package=".",
    toolchain="go1.25.5",
)


def programs(folder: Path, mesh: MeshKind = MeshKind.WIREGUARD, name: str = "localnet") -> Path:
    """A folder with the daemon and user-space WireGuard or VPNCloud, built from what is pinned, or from the cache."""
    daemon, arch = program(network.load(name), SILENT), architecture()
    folder.mkdir(exist_ok=True)
    (folder / signer.NAME).symlink_to(signer.build(arch, go=go(SILENT), progress=SILENT))
    (folder / daemon.network.daemon.name).symlink_to(daemon.binary)
    if mesh is MeshKind.VPNCLOUD:
        (folder / "vpncloud").symlink_to(vpncloud.build(arch, SILENT).binary)
    else:
        (folder / "wireguard").symlink_to(wireguard(name))
    return folder


def wireguard(name: str = "localnet") -> Path:
    """User-space WireGuard, built as the daemon of a network is."""
    named = replace(network.load(name).daemon, name="wireguard")
    return gomodule.build(named, WIREGUARD, architecture(), go=go(SILENT), progress=SILENT).binary
