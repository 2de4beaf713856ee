"""The task that makes images."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task
from rich.console import Console

from goldnode.bake import cloud, golden
from goldnode.bake import platform as platforms
from goldnode.config import network as networks
from goldnode.config.daemon import DaemonKind
from goldnode.config.node_config import MeshKind
from goldnode.errors import UsageError
from goldnode.tasks import host
from goldnode.tasks.console import needing, progress, stderr, step_table
from goldnode.tasks.host import Need
from goldnode.vm.accel import AccelMode

MB = 1_000_000


@needing(Need.BAKE, Need.MACHINE)
@task(
    iterable=["set_"],
    help={
        "network": "which network (see ./invoke networks), or a network file of your own",
        "platform": "qemu (here), stock (here, the ordinary way), or a cloud: see docs/baking.md",
        "set_": "a cloud's setting, as aws_region=eu-west-1; may be repeated",
        "settings": "YAML or JSON file of a cloud's settings, as its credentials",
        "arch": "amd64 or arm64",
        "strict": "refuse to leave anything for the first boot",
        "accel": "auto (probe), kvm or tcg",
        "artifacts": "folder with files of the network, found by their hash; looked into first",
        "force": "bake even if nothing has changed",
        "json": "print the manifest as JSON at the end",
    },
)
def bake(
    _: Context,
    network: str = "localnet",
    platform: str = "qemu",
    set_: Sequence[str] | None = None,
    settings: str = "",
    arch: str = golden.Arch.AMD64,
    strict: bool = False,
    accel: str = AccelMode.AUTO,
    artifacts: str = "",
    force: bool = False,
    json: bool = False,
) -> None:
    """Bake a network's golden image: every role installed, none enabled, sealed and checked."""
    if artifacts and not Path(artifacts).is_dir():
        raise UsageError(f"--artifacts {artifacts} is not a folder", hint=f"mkdir -p {artifacts}")
    chosen = networks.load(network)
    host.require(needs_of(chosen))
    where = platforms.choose(platform)
    asked = platforms.settings(where, set_ or (), Path(settings) if settings else None)
    options = golden.BakeOptions(
        chosen,
        arch=arch,
        strict=strict,
        accel=AccelMode(accel),
        artifacts=Path(artifacts) if artifacts else None,
        force=force,
        platform=where,
    )
    if where.cloud:
        with progress() as watcher:
            receipt = cloud.bake(options, asked, watcher)
        print(json_text.dumps(receipt.document, indent=2) if json else f"{receipt.document['image']}  {receipt.path}")
        return
    with progress() as watcher:
        result = golden.bake(options, watcher)
    if json:
        print(json_text.dumps(result.manifest, indent=2))
        return
    _report(result)


def needs_of(network: networks.Network) -> list[Need]:
    """What this network's programs need to be built."""
    wanted = [Need.C_COMPILER, Need.RUST] if MeshKind.VPNCLOUD in network.meshes else []
    if network.daemon.kind is DaemonKind.JVM:
        return [*wanted, Need.JDK, Need.MAVEN]
    return [*wanted, Need.C_COMPILER] if network.daemon.source and network.daemon.source.cgo else wanted


def _report(result: golden.Result) -> None:
    image = result.manifest["image"]
    out = Console(highlight=False, soft_wrap=True)
    if not result.baked:
        out.print(f"unchanged: {result.image} already is what these inputs give (key {result.manifest['key'][:12]})")
        return
    stderr.print(step_table(result.manifest["seconds"]))
    stderr.print(f"accelerator: {result.manifest['accelerator']['name']} ({result.manifest['accelerator']['reason']})")
    out.print(f"{result.image}  {image['size'] / MB:.0f} MB  sha256 {image['sha256']}")
    for item in result.manifest["deferred"]:
        out.print(f"[bold yellow]DEFERRED[/] to first boot: {item['name']} from {item['url']} sha256 {item['sha256']}")
    for step in result.manifest.get("next_versions", ()):
        out.print(f"on the image for {step['plan']} at height {step['height']:,}: {step['name']} {step['version']}")
    for sentence in result.manifest.get("unpinned_steps", ()):
        out.print(
            f"[bold yellow]NOT ON THE IMAGE[/] for {sentence}; ./invoke network lock {result.manifest['network']}"
        )
