"""How long members take to learn each other: three from nothing, and all of them after a wipe."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.exchange_node import made_up_facts
from benchmarks.server import Server, server
from goldnode.bake import zipapp
from goldnode.bake.content import START
from goldnode.discovery.client import Endpoint
from goldnode.discovery.exchange import Exchange
from goldnode.discovery.member import Membership
from goldnode.errors import ExchangeError
from goldnode.paths import REPOSITORY
from goldnode.protocol import limits
from goldnode.protocol.invite import Invite, mint, write_invite
from goldnode.protocol.seal import room_key
from goldnode.protocol.wire import key_from_seed
from goldnode.run import run, spawn

NODES = 3
#: Seconds after which a measurement is given up.
TIMEOUT = 120.0


def _invite(nodes: int, cluster_key: bytes) -> Invite:
    root: Ed25519PrivateKey = key_from_seed(os.urandom(32))
    return mint(root, role="sentry", epoch=1, cluster_key=cluster_key, not_after=int(time.time()) + 3600,
                random=os.urandom, max_nodes=nodes)  # fmt: skip


def write_program(path: Path) -> None:
    """Write the program of a node of the measurement, compiled for this Python as a bake compiles a node's own.

    Raises:
        CommandError: It does not compile.
    """
    modules = zipapp.reached_from(["goldnode.node", "benchmarks.exchange_node"])
    path.write_bytes(zipapp.pack(START.format(module="benchmarks.exchange_node"), modules))
    run([sys.executable, "-I", REPOSITORY / "packer/scripts/precompile.py", path], timeout=TIMEOUT)


def three_nodes(program: Path, url: str, *, started: bool) -> float:
    """Let three nodes, each a process of its own, learn both others.

    Args:
        program: Written by `write_program`.
        url: The rendezvous.
        started: Whether the processes run already when the clock starts, as an agent does.

    Returns:
        Seconds until the last of them knows both others.
    """
    line = write_invite(_invite(NODES, os.urandom(32))).encode() + b"\n"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        begin = time.perf_counter()
        nodes = [stack.enter_context(_node(program, url, Path(folder, str(number)))) for number in range(NODES)]
        for node in nodes:
            _tell(node, line)
        if started:
            for node in nodes:
                _expect(node, b"up\n")
            begin = time.perf_counter()
        for node in nodes:
            _tell(node, b"go\n")
        for node in nodes:
            _expect(node, b"done\n", skip=b"up\n")
        return time.perf_counter() - begin


def refill(members: int = limits.MEMBERS) -> float:
    """Wipe the server under a full cluster.

    Returns:
        Seconds from the empty server's first breath until it holds every member's record again.
    """
    logging.getLogger("goldnode.discovery.exchange").setLevel(
        logging.ERROR
    )  # that the server went away is what we do to it
    cluster_key = os.urandom(32)
    invite = _invite(members, cluster_key)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        with server(Path(folder, "before.sqlite")) as first:
            for number in range(members):
                member = Membership.join(Path(folder, str(number)), key_from_seed(os.urandom(32)), invite)
                member.publish(made_up_facts(number))
                stack.enter_context(Exchange(member, [first.url]))
            _until_full(first, cluster_key, members)
        with server(Path(folder, "after.sqlite"), listen=first.url.removeprefix("http://")) as second:
            return _until_full(second, cluster_key, members)


def _until_full(at: Server, cluster_key: bytes, members: int) -> float:
    endpoint, key = Endpoint(at.url), room_key(cluster_key)
    begin = time.perf_counter()
    with contextlib.closing(endpoint):
        while len(endpoint.list(key, int(time.time() * 1000), after="", wait=0, policy="").items) < members:
            if time.perf_counter() - begin > TIMEOUT + limits.TOUCH_INTERVAL:
                raise ExchangeError(f"{members} members did not fill {at.url} in time", code="unexpected")
            time.sleep(0.02)
    return time.perf_counter() - begin


@contextlib.contextmanager
def _node(program: Path, url: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-I", str(program), url, str(state), str(NODES - 1)]
    with spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - asked for pipes
        with process.stdout, process.stdin:
            yield process


def _tell(node: subprocess.Popen[bytes], line: bytes) -> None:
    assert node.stdin is not None  # noqa: S101 - asked for a pipe
    node.stdin.write(line)
    node.stdin.flush()


def _expect(node: subprocess.Popen[bytes], line: bytes, skip: bytes = b"") -> None:
    assert node.stdout is not None  # noqa: S101 - asked for a pipe
    found = node.stdout.readline()
    if skip and found == skip:
        found = node.stdout.readline()
    if found != line:
        raise ExchangeError(f"a node of the measurement said {found!r}, not {line!r}", code="unexpected")
