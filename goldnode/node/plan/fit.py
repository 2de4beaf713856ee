"""Checks that a valid node.yaml fits its image."""

from __future__ import annotations

from collections.abc import Iterator

from goldnode.config.daemon import JvmMode
from goldnode.config.node_config import NodeConfig
from goldnode.config.role import RoleKind
from goldnode.errors import Fault, InputError
from goldnode.files import sha256_file
from goldnode.node.layout import Layout
from goldnode.node.plan import log_shipping, setting_check
from goldnode.node.plan.inputs import ImageFacts
from goldnode.node.plan.plan import UPGRADER

#: What keeps signing leases on a sentry; Debian's.
ETCD = "/usr/bin/etcd"


def check(config: NodeConfig, image: ImageFacts, layout: Layout) -> None:
    """Check a valid node.yaml against its image.

    Raises:
        InputError: It asks for something that this image lacks; every fault is listed.
    """
    file, faults = "node.yaml", []

    def misfit(path: str, value: str, reason: str, fix: str) -> None:
        faults.append(Fault(file, 0, path, value, reason, fix))

    known = sorted(name for name, role in image.roles.items() if role.kind is not RoleKind.BASE)
    for role in sorted({config.role, *(entry.role for entry in config.nodes)} - set(known)):
        misfit("role", role, "this image has no such role", f"write one of {', '.join(known)}")
    runs = [entry for entry in config.nodes if entry.role in known and image.roles[entry.role].kind is RoleKind.NODE]
    if runs and image.network.private:
        if not config.genesis_sha256:
            misfit(
                "genesis.sha256", "", f"the network {image.network.name} is private", "write the genesis file's sha256"
            )
        elif not image.genesis.exists():
            misfit("genesis", "", "there is no /etc/goldnode/genesis.json", "write it by user-data, beside node.yaml")
        elif sha256_file(image.genesis) != config.genesis_sha256:
            misfit(
                "genesis.sha256", config.genesis_sha256[:12], "is not the sha256 of genesis.json", "write the right one"
            )
    if config.mesh not in image.network.meshes:
        misfit("mesh", config.mesh, f"this image has no {config.mesh}",
              "write mesh: wireguard, or bake with it among the meshes: of the network file")  # fmt: skip
    if image.deferred and not config.deferred and any(image.roles[entry.role].consensus_key for entry in runs):
        misfit("deferred", "refuse", "this image fetches its daemon at boot, which a validator refuses",
              "write deferred: allow, or use an image that has everything")  # fmt: skip
    faults += _misfits(config, image, layout)
    faults += [fault for entry in runs for fault in setting_check.check(entry, image.defaults)]
    if faults:
        raise InputError("node.yaml does not fit this image:", hint="goldnode check FILE", faults=faults)


def _misfits(config: NodeConfig, image: ImageFacts, layout: Layout) -> Iterator[Fault]:
    """Settings of node.yaml that this kind of image does not support."""
    name, jvm = image.network.name, image.network.daemon.jvm
    kinds = {entry.role: image.roles[entry.role].kind for entry in config.nodes if entry.role in image.roles}
    for role, kind in kinds.items():
        if jvm and kind is RoleKind.NODE:
            yield Fault("node.yaml", 0, "role", role, f"the nodes of {name} run in a JVM", "write role: hosted")
        if not jvm and kind is RoleKind.HOSTED:
            yield Fault("node.yaml", 0, "role", role, f"the nodes of {name} are daemons", "write validator or sentry")
    if jvm and jvm.mode is JvmMode.NATIVE:
        for entry in config.nodes:
            if entry.arguments or entry.properties or entry.log:
                yield Fault("node.yaml", 0, "nodes", entry.name, f"one program hosts all nodes of {name}: none has "
                            "arguments, properties or log of its own", "remove them")  # fmt: skip
    if any(entry.lease for entry in config.nodes) and not (layout.library / "bin" / "goldnode-signer").exists():
        yield Fault("node.yaml", 0, "lease", "", "this image was baked without goldnode-signer",
                    "use an image that was baked where the Go module proxy answers")  # fmt: skip
    if any(entry.serve_lease for entry in config.nodes) and not layout.at(ETCD).exists():
        yield Fault("node.yaml", 0, "serve_lease", "", "this image has no etcd",
                    "bake with etcd-server among the packages: of the network file")  # fmt: skip
    if RoleKind.HOSTED in kinds.values() and config.data != "root":
        yield Fault("node.yaml", 0, "data", config.data, "nodes of a JVM keep their data on the root disk", "remove it")
    if config.logs and not layout.at(log_shipping.PROGRAM).exists():
        yield Fault("node.yaml", 0, "logs", config.logs.host, "this image has nothing that sends logs",
                    f"remove it, or bake with {log_shipping.PACKAGE} among the network file's packages:")  # fmt: skip
    if config.unattended_upgrades and not layout.at(UPGRADER).exists():
        yield Fault("node.yaml", 0, "unattended_upgrades", "true", "this image is replaced, not patched in place",
                    "remove it, or bake with unattended-upgrades among the packages: of the network file")  # fmt: skip
