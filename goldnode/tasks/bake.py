"""The task that makes images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from goldnode.bake import cloud, freshness, golden
from goldnode.bake import platform as platforms
from goldnode.bake import snapshot as snapshots
from goldnode.config import choices
from goldnode.config import daemon as daemons
from goldnode.config import network as networks
from goldnode.errors import UsageError
from goldnode.tasks import host
from goldnode.tasks.console import one_of, progress, step_table
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output
from goldnode.vm.accel import AccelMode

MB = 1_000_000


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
        "artifacts": "folder with files of the network, found by their hash; searched first",
        "force": "bake even if nothing has changed",
        "base_days": "how many days old the base's Debian packages may be; older ones are fetched anew",
        "snapshot": "state of Debian: auto (the newest of a snapshot service, where one answers), off, or a date",
        "json": "print the manifest as JSON at the end",
    },
)
def bake(
    _: Context,
    network: str = "localnet",
    platform: str = "qemu",
    set_: Sequence[str] | None = None,
    settings: str = "",
    arch: str = "amd64",
    strict: bool = False,
    accel: str = AccelMode.AUTO,
    artifacts: str = "",
    force: bool = False,
    base_days: int = freshness.FRESH.days,
    snapshot: str = freshness.Wanted.AUTO.value,
    json: bool = False,
) -> None:
    """Bake a network's golden image: every role installed, none enabled, sealed and checked."""
    if artifacts and not Path(artifacts).is_dir():
        raise UsageError(f"--artifacts {artifacts} is not a folder", hint=f"mkdir -p {artifacts}")
    chosen = networks.load(network)
    architecture = one_of(golden.Arch, "--arch", arch)
    where = platforms.choose(platform)
    asked = platforms.settings(where, set_ or (), Path(settings) if settings else None)
    options = golden.BakeOptions(
        chosen,
        arch=architecture,
        strict=strict,
        accel=AccelMode(accel),
        artifacts=Path(artifacts) if artifacts else None,
        force=force,
        platform=where,
        fresh=timedelta(days=base_days),
        snapshot=snapshot if snapshot in {*freshness.Wanted} else snapshots.stamp_of(snapshot),
    )
    host.require([Need.BAKE, Need.MACHINE, *needs_of(chosen)])
    if where.cloud:
        with progress() as watcher:
            receipt = cloud.bake(options, asked, watcher)
        if json:
            output.say_json(receipt.document)
        else:
            output.say(f"{receipt.document['image']}  {receipt.path}")
        return
    with progress() as watcher:
        result = golden.bake(options, watcher)
    if json:
        output.say_json(result.manifest)
        return
    _report(result)


def needs_of(network: networks.Network) -> list[Need]:
    """What this network's programs need to be built."""
    wanted = [Need.C_COMPILER, Need.RUST] if choices.MeshKind.VPNCLOUD in network.meshes else []
    if network.daemon.kind is daemons.DaemonKind.JVM:
        return [*wanted, Need.JDK, Need.MAVEN]
    return [*wanted, Need.C_COMPILER] if network.daemon.source and network.daemon.source.cgo else wanted


def _report(result: golden.BakeResult) -> None:
    image = result.manifest["image"]
    if not result.baked:
        output.say(f"unchanged: {result.image} already is what these inputs give (key {result.manifest['key'][:12]})")
        return
    output.show(step_table(result.manifest["seconds"]), stderr=True)
    output.tell(f"accelerator: {result.manifest['accelerator']['name']} ({result.manifest['accelerator']['reason']})")
    base = result.manifest["base"]
    of = freshness.packages_of(base)
    old = freshness.age(of, datetime.now(UTC)) if of else "of unknown age"
    origin = f"snapshot {base['snapshot']}" if "snapshot" in base else "from the mirror"
    output.tell(f"base: Debian {base['suite']} of {base['date']}, {old}, {origin}")
    output.say(f"{result.image}  {image['size'] / MB:.0f} MB  sha256 {image['sha256']}")
    for item in result.manifest["deferred"]:
        output.say(f"DEFERRED to first boot: {item['name']} from {item['url']} sha256 {item['sha256']}")
    for step in result.manifest.get("next_versions", ()):
        output.say(f"on the image for {step['plan']} at height {step['height']:,}: {step['name']} {step['version']}")
    for sentence in result.manifest.get("unpinned_steps", ()):
        output.say(f"NOT ON THE IMAGE for {sentence}; ./invoke network lock {result.manifest['network']}")
