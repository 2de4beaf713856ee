"""A running fleet: switch its machines on and off, unplug them, look at them and at the external validators."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.bake import manifest
from goldnode.cluster import govern, user_data
from goldnode.cluster.key_restore import open_backup
from goldnode.cluster.store import Cluster
from goldnode.errors import UsageError
from goldnode.files import write_atomic
from goldnode.fleet import console as consoles
from goldnode.fleet import history, state
from goldnode.fleet.external_validators import RPC
from goldnode.fleet.namespace import Namespace
from goldnode.fleet.plan import EXTERNAL, NETWORK, RENDEZVOUS, STORE, Node, VmSpec, extra, own_extra, successor
from goldnode.fleet.rpc import ExternalRpc
from goldnode.fleet.state import FleetState
from goldnode.node.keys import archive, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import Layout
from goldnode.node.system.volume import LABEL
from goldnode.paths import REPOSITORY
from goldnode.protocol import key_backup
from goldnode.protocol.invite import write_invite
from goldnode.protocol.key_backup import KeyBackup
from goldnode.run import run
from goldnode.vm import machine, monitor
from goldnode.vm.accel import Acceleration, Accelerator

#: The volume with a machine's keys and chain, in its folder.
VOLUME = "keys.qcow2"
#: Sparse: the chain lives there too.
VOLUME_SIZE = "2G"
#: Seconds an invite of the fleet can be used.
INVITE = 24 * 3600


@dataclass(slots=True)
class Fleet:
    """A fleet in a folder.

    Attributes:
        folder: All its files.
        state: What was known about it when it was read, or changed last.
        external_peers: Peer addresses of the external validators.
    """

    folder: Path
    state: FleetState
    external_peers: tuple[str, ...] = ()

    @classmethod
    def find(cls, folder: Path) -> Fleet:
        """The fleet in a folder.

        Raises:
            UsageError: There is none, or it is not running.
        """
        found = cls(folder, state.read(folder), tuple((folder / "external" / "peers").read_text().split()))
        if not found.namespace.stands():
            raise UsageError(f"the fleet in {folder} is not running", hint="./invoke fleet up")
        return found

    @property
    def namespace(self) -> Namespace:
        """The namespaces it runs in."""
        return Namespace(self.folder)

    def at(self, vm: VmSpec) -> Path:
        """A machine's folder."""
        return self.folder / "machines" / vm.name

    def keep(self, made: FleetState) -> None:
        """Save the state of a fleet that no other command knows yet."""
        self.state = made
        state.write(self.folder, made)

    def change(self, changed: Callable[[FleetState], FleetState]) -> None:
        """Change its state and save it, with what other commands have changed meanwhile."""
        self.state = state.change(self.folder, changed)

    def furnish(self, vm: VmSpec, keys: Mapping[str, Key], more: Mapping[str, Any] | None = None) -> None:
        """Make a machine: a disk, user-data on a CD, a volume with its keys, a network cable; it is off.

        Args:
            vm: The machine.
            keys: Consensus keys, by node; only those of this machine's nodes go to it.
            more: Additional keys of its node.yaml.
        """
        invites = {node.name: self.invite(node) for node in vm.nodes}
        self._make(vm, self.folder / "image.qcow2", self.user_data(vm, invites, more))
        if vm.validators:
            make_volume(self.at(vm) / VOLUME, lambda layout: bring_keys(layout, {n: keys[n] for n in vm.validators}))
        for node in vm.nodes:
            if self.state.spec.lease and node.role == "validator":
                self._back_up(node, keys[node.name])

    def succeed(self, name: str, image: Path) -> VmSpec:
        """Replace a machine by one of another image, with the volume and without an invite; it is off.

        Args:
            name: The machine whose nodes move; it is switched off for good.
            image: What the new one boots from.
        """
        old = self.state.vm(name)
        self.destroy(name)
        vm = successor(old, (*self.state.vms, old))
        own = self.folder / f"image-{vm.name}.qcow2"
        share(image, own)
        self._make(vm, own, self.user_data(vm, {}))
        (self.at(old) / VOLUME).rename(self.at(vm) / VOLUME)
        self.change(lambda known: known.having(vm))
        return vm

    def replace_machine(self, name: str) -> VmSpec:
        """Put a new machine in one's place, from the image and the backup of its key, and switch it on.

        The old one is not asked and not switched off: it may be gone, or not, or come back.  Only the signing lease
        makes that harmless.

        Args:
            name: The machine that is given up.

        Raises:
            UsageError: Its nodes sign without a lease.
        """
        old = self.state.vm(name)
        if old.validators and not self.state.spec.lease:
            raise UsageError(f"{name} signs without a lease: two machines with its key would both sign",
                             hint="./invoke fleet up --lease")  # fmt: skip
        vm = successor(old, self.state.vms)
        invites = {node.name: self.invite(node) for node in vm.nodes}
        self._make(vm, self.folder / "image.qcow2", self.user_data(vm, invites))
        if vm.validators:
            backups = [self._opened(node) for node in vm.nodes]
            make_volume(self.at(vm) / VOLUME, lambda layout: restore_keys(layout, backups))
        self.change(lambda known: known.without(name).having(vm))
        self.power_on(vm.name)
        return vm

    def _back_up(self, node: Node, key: Key) -> None:
        """Seal a key to the cluster's operator, as `goldnode key backup` does."""
        cluster = self._cluster(node)
        state = signing_state.to_document(signing_state.UNUSED)
        lease = f"etcd://{STORE}/fleet"
        chain = cluster.settings.chain_id
        backup = KeyBackup(chain, node.name, key.address, lease, int(time.time()), key.validator_document(), state)
        sealed = key_backup.seal(backup, key_backup.recipient(cluster.backup_seed), os.urandom(32))
        write_atomic(self.folder / "backups" / f"{node.name}.sealed", sealed, 0o600)

    def _opened(self, node: Node) -> KeyBackup:
        return open_backup(self._cluster(node), self.folder / "backups" / f"{node.name}.sealed")

    def _cluster(self, node: Node) -> Cluster:
        return Cluster(self.folder / "clusters" / node.cluster)

    def _make(self, vm: VmSpec, image: Path, text: str) -> None:
        """Make a machine's disk, CD and network cable."""
        folder = self.at(vm)
        folder.mkdir(parents=True)
        machine.overlay(image, folder / "disk.qcow2")
        user_data.write(folder / "user-data", text)
        machine.seed_iso(folder / "seed.iso", text, instance=vm.name, network_config=vm.network_config)
        self.namespace.run(["ip", "tuntap", "add", "dev", vm.tap, "mode", "tap"])
        self.namespace.run(["ip", "link", "set", vm.tap, "master", "br0", "up"])

    def user_data(self, vm: VmSpec, invites: Mapping[str, str], more: Mapping[str, Any] | None = None) -> str:
        """User-data of a machine, with an invite for each node that has not joined yet."""
        spec = self.state.spec
        return user_data.render(
            user_data.UserData(
                cluster=vm.nodes[0].cluster,
                network=spec.network,
                role=vm.role,
                nodes=[
                    user_data.NodeSpec(n.name, n.role, invites.get(n.name, ""), own_extra(vm, n, self.external_peers))
                    for n in vm.nodes
                ],
                rendezvous=[RENDEZVOUS],
                genesis=(self.folder / "genesis.json").read_bytes(),
                ssh_keys=[spec.ssh_key] if spec.opens(vm.role) else [],
                extra={**self._extra(vm), **(more or {})},
            )
        )

    def _extra(self, vm: VmSpec) -> dict[str, Any]:
        """Additional keys of its node.yaml."""
        usual = extra(vm, self.state.spec, self.external_peers, self.state.pace)
        if not self.state.spec.history or vm.role != "sentry":
            return usual
        more = history.of_a_sentry([f"{NETWORK}.{number}" for number in range(1, EXTERNAL + 1)])
        return {**usual, **more, "config": {**usual["config"], **more["config"]}}

    def invite(self, node: Node) -> str:
        """An invite for one node of that role, into its cluster."""
        return write_invite(
            govern.invite(self._cluster(node), govern.InviteSpec(node.role, 1, int(time.time()) + INVITE))
        )

    def power_on(self, name: str) -> None:
        """Switch a machine on.

        Raises:
            HostError: It is on already.
        """
        vm = self.state.vm(name)
        qemu = machine.QemuSpec(
            Path("disk.qcow2"),
            seed=Path("seed.iso"),
            nics=(machine.Nic(f"tap,ifname={vm.tap},script=no,downscript=no", vm.mac),),
            volumes=(Path(VOLUME),) if vm.validators else (),
            cpus=1,
            memory=self.state.spec.memory + 64 * (len(vm.nodes) - 1),
            console=Path("console.log"),
            identity=vm.identity,
            extra=monitor.ARGUMENTS,
        )
        acceleration = Acceleration(Accelerator(self.state.accelerator), self.state.cpu, "")
        argv = machine.command(qemu, acceleration)
        self.namespace.start(name, argv, cwd=self.at(vm), log=self.at(vm) / "qemu.log")
        self.change(lambda known: known.on(name, time.time()))

    def power_off(self, name: str) -> None:
        """Cut a machine's power."""
        self.namespace.stop(self.state.vm(name).name)
        self.change(lambda known: known.off(name))

    def reset(self, name: str) -> None:
        """Press a machine's reset button; its console log continues."""
        monitor.tell(self.at(self.state.vm(name)), "system_reset")
        self.change(lambda known: known.on(name, time.time()))

    def destroy(self, name: str) -> None:
        """Switch a machine off for good; its disk stays in the folder, unused."""
        vm = self.state.vm(name)
        self.power_off(name)
        self.namespace.run(["ip", "link", "delete", vm.tap])
        self.change(lambda known: known.without(name))

    def ssh(self, vm: VmSpec, identity: Path | None, *command: str) -> list[str]:
        """The command line that logs in to a machine, from inside its network.

        Args:
            vm: A machine that allows login with the fleet's key.
            identity: The private key; None for what ssh finds by itself.
            command: What to run there; none for a shell.
        """
        own = ["-i", str(identity), "-o", "IdentitiesOnly=yes"] if identity else []
        # A machine of the fleet lives for minutes on a network of its own: its host key is new every time.
        trust = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return [*self.namespace.enter(), "ssh", *own, *trust, f"root@{vm.address}", *command]

    def start_rendezvous(self) -> None:
        """Start a rendezvous at the usual address."""
        argv = ["-m", "goldnode.rendezvous", "--listen", f"{NETWORK}.1:8700"]
        argv += ["--database", str((self.folder / "rendezvous.sqlite").resolve())]
        log = self.folder / "rendezvous.log"
        self.namespace.start("rendezvous", [sys.executable, *argv], cwd=REPOSITORY, log=log)

    def start_store(self) -> None:
        """Have an etcd for signing leases; nobody but the fleet is on its network."""
        own, peer = f"http://{STORE}", "http://127.0.0.1:2380"
        argv = ["etcd", "--name", "one", "--data-dir", str((self.folder / "etcd").resolve()),
                "--listen-client-urls", own, "--advertise-client-urls", own, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"]  # fmt: skip
        self.namespace.start("etcd", argv, cwd=self.folder, log=self.folder / "etcd.log")

    def console(self, name: str) -> str:
        """A machine's console log."""
        return machine.read_console(self.at(self.state.vm(name)) / "console.log")

    def seen(self) -> dict[str, consoles.ConsoleView]:
        """Every node as the consoles describe it; a node that has not said anything yet is absent."""
        found: dict[str, consoles.ConsoleView] = {}
        for vm in self.state.vms:
            text = self.console(vm.name)
            told = consoles.read(text)
            if not told and (why := consoles.fault(text)):
                told = {node.name: consoles.ConsoleView(node.name, node.role, "", "refused", why) for node in vm.nodes}
            found |= told
        return found

    def external(self, number: int = 1) -> ExternalRpc:
        """One of the external validators."""
        return ExternalRpc(self.folder / "external" / str(number) / RPC)

    def externals(self) -> tuple[ExternalRpc, ...]:
        """All of them."""
        return tuple(self.external(number) for number in range(1, EXTERNAL + 1))


def share(image: Path, target: Path) -> None:
    """The image under a name of the fleet's own: a later bake must not replace it under running disks.

    Its manifest goes along, where there is one: it says what the machines run.
    """
    try:
        os.link(image, target)
    except OSError:
        shutil.copyfile(image, target)
    if (told := manifest.beside(image)).exists():
        shutil.copyfile(told, manifest.beside(target))


def bring_keys(layout: Layout, keys: Mapping[str, Key]) -> None:
    """Put keys that never signed where their nodes look for them, each with its signing state and a record of that."""
    for node, key in keys.items():
        archive.bring_unused(layout.node(node), key)


def restore_keys(layout: Layout, backups: Sequence[KeyBackup]) -> None:
    """Put keys from their backups where their nodes look for them; only a signing lease knows what they signed since.

    Raises:
        SafetyError: A backup's key or state cannot be read.
    """
    for backup in backups:
        archive.restore(layout.node(backup.node), backup)


def make_volume(target: Path, bring: Callable[[Layout], None]) -> Path:
    """Write a volume that brings consensus keys.

    User-data must not carry a key, and a key must be in the genesis before its machine exists: so the
    fleet does what an operator does with a cloud volume, by the node's own code.

    Args:
        target: The qcow2 file.
        bring: Puts the keys into a machine's folders.
    """
    with tempfile.TemporaryDirectory(prefix="goldnode-volume-", dir=target.parent) as name:
        layout = Layout(Path(name))
        bring(layout)
        raw = Path(name) / "volume.raw"
        # Whoever runs this, the files belong to root there.
        as_root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
        run([*as_root, "mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-m", "0", "-d", layout.nodes, raw, VOLUME_SIZE])
        run(["qemu-img", "convert", "-O", "qcow2", raw, target])
    return target
