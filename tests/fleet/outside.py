"""Strangers: whoever scans, and whoever asks a sentry for the addresses it knows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence

from goldnode.config import network as networks
from goldnode.fleet import external_validators
from goldnode.fleet.external_validators import RPC, ExternalValidator
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import EXTERNAL_P2P, NETWORK, VmSpec
from goldnode.fleet.program import Program, program
from goldnode.fleet.rpc import ExternalRpc
from goldnode.node.keys.cometbft_keys import Key
from goldnode.progress import SILENT
from tests.support.waiting import until

#: Ports at a time, and seconds given to each: a firewall that drops says nothing.
AT_ONCE, TIMEOUT = 1024, 1.0
SCAN = f"""
import asyncio, sys
gate = asyncio.Semaphore({AT_ONCE})
async def knock(port):
    async with gate:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), {TIMEOUT})
        except (OSError, asyncio.TimeoutError):
            return
        print(port)
        writer.close()
async def main():
    first, last = map(int, sys.argv[2:])
    await asyncio.gather(*map(knock, range(first, last + 1)))
asyncio.run(main())
"""


def scan(fleet: Fleet, address: str, ranges: Iterable[tuple[int, int]]) -> list[int]:
    """TCP ports of a machine that answer from outside."""
    found = []
    for first, last in ranges:
        argv = [sys.executable, "-I", "-c", SCAN, address, str(first), str(last)]
        found += [int(port) for port in fleet.namespace.run(argv, timeout=300).stdout.split()]
    return sorted(found)


class Stranger:
    """A node of the network whom nobody knows: it dials the sentries, and asks them for peers.

    Args:
        fleet: Whose sentries.
        number: The last part of its address.
    """

    def __init__(self, fleet: Fleet, number: int = 9) -> None:
        self.fleet, self.who = fleet, ExternalValidator(number, Key(os.urandom(32)), Key(os.urandom(32)))
        self.home = fleet.folder / "external" / str(number)

    def start(self, sentries: Sequence[VmSpec]) -> None:
        """Come into the world with nothing but the sentries' public addresses."""
        seen = self.fleet.seen()
        daemon = self.daemon()
        external_validators.prepare(
            self.home, self.who, [], daemon, (self.fleet.folder / "genesis.json").read_bytes(), self.fleet.state.pace
        )
        config = self.home / "config" / "config.toml"
        dialled = ",".join(f"{seen[vm.name].node_id}@{vm.address}:{EXTERNAL_P2P}" for vm in sentries)
        config.write_text(config.read_text().replace('persistent_peers = ""', f'persistent_peers = "{dialled}"'))
        self.fleet.namespace.run(["ip", "address", "add", f"{NETWORK}.{self.who.number}/24", "dev", "br0"], check=False)
        log = self.home.parent / f"{self.who.number}.log"
        self.fleet.namespace.start(
            self.who.name,
            external_validators.arguments(daemon),
            cwd=self.home,
            log=log,
            env=daemon.environment(self.home),
        )
        assert until((self.home / RPC).is_socket, 60), log.read_text()[-3000:]

    def stop(self) -> None:
        """Go away."""
        self.fleet.namespace.stop(self.who.name)

    def daemon(self) -> Program:
        """What it runs."""
        return program(networks.load(self.fleet.state.spec.network), SILENT)

    @property
    def rpc(self) -> ExternalRpc:
        """Its RPC."""
        return ExternalRpc(self.home / RPC)

    def known(self) -> set[str]:
        """IDs in its address book."""
        book = self.home / "config" / "addrbook.json"
        if not book.exists():
            return set()
        return {entry["addr"]["id"] for entry in json.loads(book.read_text())["addrs"]}
