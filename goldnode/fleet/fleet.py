"""A fleet that stands: switch its machines on and off, cut their cables, look at them and at the world."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from goldnode.cluster import govern, user_data
from goldnode.cluster.store import Cluster
from goldnode.errors import UsageError
from goldnode.fleet import console as consoles
from goldnode.fleet import monitor, state, volume
from goldnode.fleet.external_validators import RPC
from goldnode.fleet.namespace import Ground
from goldnode.fleet.plan import NETWORK, RENDEZVOUS, WORLD, Node, Seat, another_sentry, extra, own_extra, successor
from goldnode.fleet.rpc import WorldRpc
from goldnode.fleet.state import State
from goldnode.node.keys.cometbft_keys import Key
from goldnode.paths import REPOSITORY
from goldnode.protocol.invite import write_invite
from goldnode.vm import machine
from goldnode.vm.accel import Acceleration, Accelerator

#: The volume with a machine's keys and chain, in its folder.
VOLUME = "keys.qcow2"
#: Seconds an invite of the fleet can be used.
INVITE = 24 * 3600


@dataclass(slots=True)
class Fleet:
    """A fleet in a folder.

    Attributes:
        folder: Everything of it.
        state: What it knows of itself; kept on disk by whoever changes it.
        world_peers: How the world's validators are dialled.
    """

    folder: Path
    state: State
    world_peers: tuple[str, ...] = ()

    @classmethod
    def find(cls, folder: Path) -> Fleet:
        """The fleet in a folder.

        Raises:
            UsageError: There is none, or it does not run.
        """
        found = cls(folder, state.read(folder), tuple((folder / "world" / "peers").read_text().split()))
        if not found.ground.stands():
            raise UsageError(f"the fleet in {folder} does not run", hint="./invoke fleet up")
        return found

    @property
    def ground(self) -> Ground:
        """Where it stands."""
        return Ground(self.folder)

    def at(self, seat: Seat) -> Path:
        """A machine's folder."""
        return self.folder / "machines" / seat.name

    def keep(self, changed: State) -> None:
        """Remember a change."""
        self.state = changed
        state.write(self.folder, changed)

    def furnish(self, seat: Seat, keys: Mapping[str, Key]) -> None:
        """Make a machine: disk, user-data on a CD, a volume with its keys, a cable. It is off.

        Args:
            seat: The machine.
            keys: Consensus keys, by node; only those of this machine's nodes go to it.
        """
        invites = {node.name: self.invite(node) for node in seat.nodes}
        self._make(seat, self.folder / "image.qcow2", self.user_data(seat, invites))
        if seat.validators:
            volume.make(self.at(seat) / VOLUME, {name: keys[name] for name in seat.validators})

    def succeed(self, name: str, image: Path) -> Seat:
        """Put a machine of another image, with the volume and without an invite, in one's place; it is off.

        Args:
            name: The machine whose nodes move; it is switched off for good.
            image: What the new one boots from.
        """
        old = self.state.seat(name)
        self.destroy(name)
        seat = successor(old, (*self.state.seats, old))
        own = self.folder / f"image-{seat.name}.qcow2"
        share(image, own)
        self._make(seat, own, self.user_data(seat, {}))
        (self.at(old) / VOLUME).rename(self.at(seat) / VOLUME)
        self.keep(replace(self.state, seats=(*self.state.seats, seat)))
        return seat

    def _make(self, seat: Seat, image: Path, text: str) -> None:
        """Disk, CD and cable of a machine."""
        place = self.at(seat)
        place.mkdir(parents=True)
        machine.overlay(image, place / "disk.qcow2")
        user_data.write(place / "user-data", text)
        machine.seed_iso(place / "seed.iso", text, instance=seat.name, network_config=seat.network_config)
        self.ground.run(["ip", "tuntap", "add", "dev", seat.tap, "mode", "tap"])
        self.ground.run(["ip", "link", "set", seat.tap, "master", "br0", "up"])

    def user_data(self, seat: Seat, invites: Mapping[str, str]) -> str:
        """User-data of a machine, with an invite for each node that has not joined yet."""
        wish = self.state.wish
        return user_data.render(
            user_data.Machine(
                cluster=seat.nodes[0].cluster,
                network=wish.network,
                role=seat.role,
                nodes=[
                    user_data.Node(n.name, n.role, invites.get(n.name, ""), own_extra(seat, n, self.world_peers))
                    for n in seat.nodes
                ],
                rendezvous=[RENDEZVOUS],
                genesis=(self.folder / "genesis.json").read_bytes(),
                ssh_keys=[wish.ssh_key] if wish.opens(seat.role) else [],
                extra=extra(seat, wish, self.world_peers, self.state.pace),
            )
        )

    def invite(self, node: Node) -> str:
        """An invite for one node of that role, into its cluster."""
        cluster = Cluster(self.folder / "clusters" / node.cluster)
        return write_invite(govern.invite(cluster, govern.Wish(node.role, 1, int(time.time()) + INVITE)))

    def power_on(self, name: str) -> None:
        """Switch a machine on.

        Raises:
            HostError: It is on.
        """
        seat = self.state.seat(name)
        spec = machine.Spec(
            Path("disk.qcow2"),
            seed=Path("seed.iso"),
            nics=(machine.Nic(f"tap,ifname={seat.tap},script=no,downscript=no", seat.mac),),
            volumes=(Path(VOLUME),) if seat.validators else (),
            cpus=1,
            memory=self.state.wish.memory + 64 * (len(seat.nodes) - 1),
            console=Path("console.log"),
            identity=seat.identity,
            extra=monitor.ARGUMENTS,
        )
        acceleration = Acceleration(Accelerator(self.state.accelerator), self.state.cpu, "")
        argv = machine.command(spec, acceleration)
        self.ground.start(name, argv, cwd=self.at(seat), log=self.at(seat) / "qemu.log")
        self.keep(self.state.on(name, time.time()))

    def power_off(self, name: str) -> None:
        """Cut a machine's power."""
        self.ground.stop(self.state.seat(name).name)
        self.keep(self.state.off(name))

    def reset(self, name: str) -> None:
        """Press a machine's reset button; its console goes on."""
        monitor.tell(self.at(self.state.seat(name)), "system_reset")
        self.keep(self.state.on(name, time.time()))

    def cut(self, name: str, *, off: bool) -> None:
        """Pull a machine's network cable, or put it back."""
        monitor.tell(self.at(self.state.seat(name)), "set_link", name="net0", up=not off)

    def destroy(self, name: str) -> None:
        """Switch a machine off for good; its disk stays in the folder, and nobody uses it again."""
        seat = self.state.seat(name)
        self.power_off(name)
        self.ground.run(["ip", "link", "delete", seat.tap])
        self.keep(replace(self.state, seats=tuple(each for each in self.state.seats if each.name != name)))

    def add_sentry(self) -> Seat:
        """Make a further sentry; it is off."""
        used = [Seat(path.name, "sentry", 0, ()) for path in (self.folder / "machines").glob("sentry-*")]
        seat = another_sentry((*self.state.seats, *used))
        self.furnish(seat, {})
        self.keep(replace(self.state, seats=(*self.state.seats, seat)))
        return seat

    def ssh(self, seat: Seat, identity: Path | None, *command: str) -> list[str]:
        """The command line that logs in to a machine, from where its network is.

        Args:
            seat: A machine that the fleet's key opens.
            identity: The private key; None for what ssh finds by itself.
            command: What to run there; none for a shell.
        """
        own = ["-i", str(identity), "-o", "IdentitiesOnly=yes"] if identity else []
        # A machine of the fleet lives for minutes on a network nobody else is on: its host key is news every time.
        trust = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        enter = ["nsenter", "--target", str(self.ground.pid()), "--user", "--preserve-credentials", "--net", "--"]
        return [*enter, "ssh", *own, *trust, f"root@{seat.address}", *command]

    def start_rendezvous(self) -> None:
        """Have a meeting place at the usual address."""
        argv = ["-m", "goldnode.rendezvous", "--listen", f"{NETWORK}.1:8700"]
        argv += ["--database", str((self.folder / "rendezvous.sqlite").resolve())]
        log = self.folder / "rendezvous.log"
        self.ground.start("rendezvous", [sys.executable, *argv], cwd=REPOSITORY, log=log)

    def console(self, name: str) -> str:
        """What a machine said on its console."""
        return machine.read_console(self.at(self.state.seat(name)) / "console.log")

    def seen(self) -> dict[str, consoles.Seen]:
        """What the consoles tell of every node; a node that said nothing yet is absent."""
        found: dict[str, consoles.Seen] = {}
        for seat in self.state.seats:
            text = self.console(seat.name)
            told = consoles.read(text)
            if not told and (why := consoles.fault(text)):
                told = {node.name: consoles.Seen(node.name, node.role, "", "refused", why) for node in seat.nodes}
            found |= told
        return found

    def world(self, number: int = 1) -> WorldRpc:
        """One of the world's validators."""
        return WorldRpc(self.folder / "world" / str(number) / RPC)

    def worlds(self) -> tuple[WorldRpc, ...]:
        """All of them."""
        return tuple(self.world(number) for number in range(1, WORLD + 1))


def share(image: Path, target: Path) -> None:
    """The image under a name of the fleet's: a later bake must not change the ground under running disks."""
    try:
        os.link(image, target)
    except OSError:
        shutil.copyfile(image, target)
