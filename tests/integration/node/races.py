"""Machines that share one consensus key and race for it: real daemons, real signers, a real etcd, random faults."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.fleet import external_validators, genesis
from goldnode.fleet.genesis import Validator
from goldnode.fleet.plan import NETWORK, timing
from goldnode.node import configure, node_yaml
from goldnode.node.keys import archive
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.inputs import read_image
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.integration.node.fleet import WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.support import lease_stores
from tests.support.lease_stores import Etcd
from tests.support.node_lab import Cluster, seed
from tests.support.waiting import kill, until

KEY = Key(seed("shared"))
#: A validator beside them, with a key of its own and no lease.
PLAIN = Key(seed("plain"))
#: Seconds from block to block, and what the network file is made to say, which makes N ten blocks.
PACE, BLOCK_TIME = 1, 6.0
AHEAD = 10
#: Twice as fast; what the network file then says makes N sixty blocks.
QUICK = {"consensus.timeout_commit": "500ms"}
QUICK_BLOCK_TIME = 1.0
STORE = f"{NETWORK}.8"


@dataclass
class Race:
    """A chain, a sentry, and machines with one key.

    Attributes:
        fleet: All of them.
        machines: Those with the key.
        store: Their leases' store; None where they sign without one.
        dice: Decides what goes wrong in this race.
        done: What went wrong, in order.
    """

    fleet: Fleet
    machines: list[Host]
    store: Etcd | None
    dice: random.Random = field(default_factory=random.Random)
    done: list[str] = field(default_factory=list)
    backups: int = 0

    def signs(self) -> bool:
        """Whether the key signed the chain's latest block."""
        try:
            height = self.height()
            return height > 1 and KEY.address in self.fleet._rpc.signers(height)
        except HostError:
            return False

    def signed(self, first: int, last: int, key: Key = KEY) -> list[int]:
        """Heights whose commit has the key's signature."""
        return [each for each in range(first, last + 1) if key.address in self.fleet._rpc.signers(each + 1)]

    def signed_since(self, height: int) -> int:
        """The first height above this one that the key signed; 0 for none yet."""
        return next(iter(self.signed(height + 1, self.height() - 1)), 0)

    def missed(self, first: int, last: int, key: Key = KEY) -> list[int]:
        """Heights whose commit lacks the key's signature."""
        signed = self.signed(first, last, key)
        return [each for each in range(first, last + 1) if each not in signed]

    def holder_and_other(self) -> tuple[Host, Host]:
        """Which machine holds the lease, and one that does not."""
        found: list[Host] = []

        def held() -> bool:
            found[:] = [host for host in self.machines if self.lease(host).get("state") == "held"]
            return bool(found) and self.signs()

        assert until(held, 60), self.leases()
        return found[0], next(host for host in self.machines if host is not found[0])

    def type(self, host: Host, *words: str) -> str:
        """What a command of `goldnode` prints that a person types on a machine."""
        argv = [sys.executable, "-m", "goldnode.node", "--root", str(host.tree.layout.root), *words]
        return run(["ip", "netns", "exec", host.space, *argv], cwd=REPOSITORY, timeout=60).stdout

    def height(self) -> int:
        """The chain's height."""
        return self.fleet._rpc.height()

    def evidence(self) -> list[str]:
        """Every proof of two signatures for one height: in blocks, and in what the world's validators logged."""
        found = []
        for height in range(1, self.height() + 1):
            found += self.fleet.ask(f"block?height={height}")["block"]["evidence"]["evidence"]
        logs = [(self.fleet.folder / f"{who.name}.log").read_text(errors="replace") for who in WORLD]
        words = ("conflicting vote", "Conflicting votes", "ErrVoteConflictingVotes")
        found += [line for log in logs for line in log.splitlines() if any(word in line for word in words)]
        return [str(each)[:300] for each in found]

    def lease(self, host: Host) -> dict[str, object]:
        """What the lease keeper of a machine said last."""
        try:
            said: dict[str, object] = json.loads(host.tree.layout.node(host.name).lease_status.read_text())
        except (OSError, ValueError):
            return {}
        return said

    def leases(self) -> str:
        """What all of them say."""
        logs = [host.tree.layout.at(f"/var/log/goldnode-lease@{host.name}.service.log") for host in self.machines]
        texts = [log.read_text(errors="replace")[-1500:] for log in logs if log.exists()]
        nodes = [str(host.node().get("reason")) for host in self.machines]
        return "\n".join([*(str(self.lease(host)) for host in self.machines), *nodes, *texts])

    def strike(self, number: int) -> None:
        """One race: a fault that its seed decides, and its end."""
        self.dice = random.Random(number)  # noqa: S311
        faults = [self._kill, self._stop, self._cut, self._cut_peers, self._cut_store, self._reboot]
        if self.store:
            faults += [self._kill_part, self._restart_store, self._restore_store]
        self.dice.choice(faults)(self.dice.choice(self.machines))

    def _kill(self, host: Host) -> None:
        self._say("loses power", host)
        host.lose_power()
        self._pause(0, 20)
        host.boot()

    def _stop(self, host: Host) -> None:
        self._say("is stopped and goes on", host)
        pids = run(["ip", "netns", "pids", host.space]).stdout.split()
        kill(pids, signal.SIGSTOP)
        self._pause(5, 40)
        kill(pids, signal.SIGCONT)

    def _cut(self, host: Host) -> None:
        self._say("is cut from everybody", host)
        host.cut(off=True)
        self._pause(5, 30)
        host.cut(off=False)

    def _cut_store(self, host: Host) -> None:
        self._say("is cut from the store", host)
        run(["ip", "-n", host.space, "route", "replace", "blackhole", f"{STORE}/32"])
        self._pause(5, 30)
        run(["ip", "-n", host.space, "route", "del", "blackhole", f"{STORE}/32"], check=False)

    def _cut_peers(self, host: Host) -> None:
        """The sentry is out of reach, the store is not: the machine still holds the lease and sees no block."""
        self._say("is cut from its peers", host)
        sentries = [f"{each.address}/32" for each in self.fleet.hosts.values() if each not in self.machines]
        for sentry in sentries:
            run(["ip", "-n", host.space, "route", "replace", "blackhole", sentry])
        self._pause(5, 30)
        for sentry in sentries:
            run(["ip", "-n", host.space, "route", "del", "blackhole", sentry], check=False)

    def _reboot(self, host: Host) -> None:
        self._say("is rebooted", host)
        host.boot()
        self._pause(1, 10)

    def _kill_part(self, host: Host) -> None:
        """Kill one program of a machine: its keeper, its signer or its daemon."""
        word = self.dice.choice(["lease keep", "goldnode-signer", "cometbft"])
        self._say(f"loses its {word}", host)
        self.tell(host, word, signal.SIGKILL)
        self._pause(1, 10)

    def tell(self, host: Host, word: str, number: int) -> None:
        """Send a signal to the program of a machine that has a word in its command line."""
        for pid in run(["ip", "netns", "pids", host.space]).stdout.split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                if word in line:
                    kill([pid], number)

    def _restart_store(self, host: Host) -> None:
        assert self.store
        self._say("sees the store restarted", host)
        self.store.stop()
        self._pause(1, 15)
        self.store.start()

    def _restore_store(self, host: Host) -> None:
        """Back up, let some time pass, restore; then the one command of docs/lease.md."""
        assert self.store
        self.done.append("the store is restored from a backup")
        self.backups += 1
        self.store.backup(f"backup-{self.backups}")
        self._pause(1, 20)
        self.store.restore(f"backup-{self.backups}")

        argv = [sys.executable, "-m", "goldnode.node", "--root", str(host.tree.layout.root), "lease", "restored"]
        with self.fleet.inside(self.fleet.world, [*argv, host.name]) as process:
            assert 0 == process.wait(60)

    def _say(self, what: str, host: Host) -> None:
        self.done.append(f"{host.name} {what} at {self.height()}")

    def _pause(self, least: float, most: float) -> None:
        time.sleep(self.dice.uniform(least, most))


@contextlib.contextmanager
def race(
    machines: int, *, lease: bool = True, automatic: bool = True, apart: bool = False, plain: bool = False
) -> Iterator[Race]:
    """A running race: the key signs.

    Args:
        machines: How many have the key.
        lease: Whether they have a signing lease.
        automatic: Whether a silent machine's lease is taken by itself.
        apart: Whether each is in a cluster of its own, with a sentry, and so hears nothing of the others: members
            of one cluster refuse a key that another has, so this leaves nothing but the lease between them.
        plain: Whether a validator without a lease is beside them, in a chain twice as fast.
    """
    # Short: a unix socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="gnr") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        made = stack.enter_context(fleet(folder, programs(folder / "programs")))
        _genesis(made, plain=plain)
        store = None
        if lease:
            space = f"{made.prefix}-store"
            made.plug(space, STORE)
            within = ("ip", "netns", "exec", space)
            run([*within, "ip", "link", "set", "lo", "up"])
            store = stack.enter_context(lease_stores.etcd(folder / "etcd", STORE, within))
        more: dict[str, Any] = {"takeover": "automatic" if automatic else "manual"}
        more |= {"lease": store.url} if store else {}
        more["config"] = {"config.toml": timing(PACE) | (QUICK if plain else {})}
        homes = [Cluster(f"lab-{n}") if apart else made.cluster for n in range(1, machines + 1)]
        sentries = [
            made.add(f"s-{n}", "sentry", home.invite("sentry"), config=more["config"])
            for n, home in enumerate(homes if apart else homes[:1], 1)
        ]
        hosts = [
            made.add(f"v-{n}", "validator", home.invite("validator"), consensus_key="existing", **more)
            for n, home in enumerate(homes, 1)
        ]
        beside = []
        if plain:
            usual = {"consensus_key": "existing", "config": more["config"]}
            beside = [made.add("plain", "validator", homes[0].invite("validator"), **usual)]
        for host in (*hosts, *beside):
            layout = host.tree.layout
            network = json.loads((layout.library / "network.json").read_text())
            host.tree.write(
                "/usr/lib/goldnode/network.json",
                json.dumps({**network, "block_time": QUICK_BLOCK_TIME if plain else BLOCK_TIME}),
            )
            image = read_image(layout)
            configure.configure(layout, node_yaml.in_force(layout, image), image, host.tree.system)
            archive.bring_unused(layout.node(host.name), PLAIN if host in beside else KEY)
        running = Race(made, hosts, store)
        for host in (*sentries, *hosts, *beside):
            host.boot()
        assert until(lambda: all(sentry.node() for sentry in sentries), 90), sentries[0].console.read_text()
        made.outside(sentries)
        assert until(running.signs, 240), running.leases()
        yield running


def _genesis(made: Fleet, *, plain: bool) -> None:
    keys = [KEY, PLAIN] if plain else [KEY]
    validators = [Validator(who.name, who.key, 25 if plain else 15) for who in WORLD]
    validators += [Validator(f"shared-{number}", key, 8) for number, key in enumerate(keys)]
    document = genesis.genesis(made.program, validators, datetime.now(UTC))
    made.genesis = document.decode()
    for who in WORLD:
        external_validators.prepare(
            made.home(who), who, WORLD, made.program, document, PACE, {"config.toml": QUICK} if plain else None
        )
