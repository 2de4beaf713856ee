"""RPC servers that lie, are elsewhere, stay silent or disagree: real servers, each on an address of its own."""

from __future__ import annotations

import functools
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from goldnode.config.catch_up import RpcServer
from goldnode.node import catch_up
from goldnode.node.agent import servers
from goldnode.node.agent.state_sync import Catcher
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.plan.inputs import NodeFacts, read_image
from tests.integration.node.test_snapshot import STATE, packed, published
from tests.support.node_lab import Cluster, Tree
from tests.support.release_host import serving

CHAIN, TIP = "localwasm-1", 5000
GOOD, BAD = "AB" * 32, "CD" * 32
#: Seconds that all servers together have for a question; a real node is more patient.
TIMEOUT = 1.0


class Server(ThreadingHTTPServer):
    """A server, and how it behaves."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, kind: str, port: int = 0) -> None:
        super().__init__((address, port), _Handler)
        self.kind = kind

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Who asks gives up; that is the test."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        kind = self.server.kind
        if kind == "silent":
            time.sleep(4 * TIMEOUT)
            return
        body = json.dumps({"result": self.answer(kind)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "slow":
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
            return
        self.wfile.write(b"<html>" if kind == "nonsense" else body)

    def answer(self, kind: str) -> Any:
        """As CometBFT would say it."""
        chain = "elsewhere-1" if kind == "elsewhere" else CHAIN
        if self.path.startswith("/status"):
            height = str(10**9 if kind == "ahead" else TIP)
            sync = {"latest_block_height": height, "earliest_block_height": "1"}
            return {"node_info": {"network": chain}, "sync_info": sync}
        header = {"chain_id": chain, "height": self.path.partition("=")[2]}
        commit = {"block_id": {"hash": BAD if kind == "liar" else GOOD}}
        return {"signed_header": {"header": header, "commit": commit}}

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def running(*kinds: str) -> Iterator[list[Server]]:
    """A server of each kind, on 127.0.0.1, 127.0.0.2 and so on."""
    with ExitStack() as stack:
        found = []
        for number, kind in enumerate(kinds, start=1):
            server = stack.enter_context(Server(f"127.0.0.{number}", kind))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(server.shutdown)
            found.append(server)
        yield found


def sentry(folder: Path, urls: list[str], **more: object) -> tuple[Tree, NodeFacts]:
    """A sentry without state that was told to ask these."""
    tree = Tree(folder / "machine", "localwasm")
    catch: dict[str, object] = {"state_sync": {"servers": urls}, **more}
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", catch_up=catch)
    machine, _ = tree.configure()
    return tree, machine.facts["s-1"]


def outcome(tree: Tree, facts: NodeFacts) -> CatchUpState:
    """RoomView as the agent does, a minute of the node's time each, until something is decided."""
    catcher = Catcher(
        read_image(tree.layout).network,
        tree.system,
        tips=functools.partial(servers.tips, timeout=TIMEOUT),
        headers=functools.partial(servers.headers, timeout=TIMEOUT),
    )
    for look in range(2000):
        catcher.before_start(facts, 60.0 * look)
        record = catch_up.read(facts.layout)
        if record.phase in (Phase.STATE_SYNC, Phase.GIVEN_UP, Phase.DONE):
            return record
        time.sleep(0.02)
    raise AssertionError(f"undecided: {catch_up.read(facts.layout)}")


@pytest.mark.parametrize("other", ["silent", "slow", "nonsense", "elsewhere", "ahead"])
def test_two_good_servers_suffice_whatever_a_third_does(tmp_path: Path, other: str) -> None:
    """It is silent or slow for ever, answers nonsense, is on another chain, or far ahead: the good two are trusted."""
    with running(other, "good", "good") as found:
        record = outcome(*sentry(tmp_path, [server.url for server in found]))

    assert record.trust
    assert (TIP - 1000, GOOD) == (record.trust.height, record.trust.hash)
    if other != "ahead":
        assert {server.url for server in found[1:]} == set(record.trust.servers)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("liar", "good"), "contradict each other about block"),
        (("liar", "good", "good"), "127.0.0.1 say CDCDCDCDCDCD…"),
        (("elsewhere", "good"), "127.0.0.1 is on elsewhere-1, not localwasm-1"),
        (("silent", "good"), "1 of two independent servers answer"),
        (("silent", "nonsense"), "0 of two independent servers answer"),
    ],
)
def test_without_two_that_agree_it_ends_with_one_sentence(tmp_path: Path, kinds: tuple[str, ...], said: str) -> None:
    """Three tries, then a person decides; nothing was started, and nothing is in the configuration."""
    with running(*kinds) as found:
        tree, facts = sentry(tmp_path, [server.url for server in found])
        record = outcome(tree, facts)

    assert (Phase.GIVEN_UP, 3, None) == (record.phase, record.tries, record.trust)
    assert said in record.reason
    assert "\n" not in record.reason
    assert not [each for each in tree.system.done if "goldnode-node@" in each]


def test_when_servers_lie_the_snapshot_is_the_other_way(tmp_path: Path) -> None:
    """Its hash is known, so it needs nobody's word."""
    with running("liar", "good") as found, serving() as host:
        what = published(host, packed(STATE))
        more = {"url": what.url, "sha256": what.sha256}
        tree, facts = sentry(tmp_path, [server.url for server in found], snapshot=more)
        record = outcome(tree, facts)

    assert Phase.DONE is record.phase
    assert STATE == {name: (facts.layout.home / name).read_bytes() for name in STATE}


def test_a_failed_sync_is_tried_again_elsewhere_then_given_up(tmp_path: Path) -> None:
    """What the daemon says of its failure is kept; its empty databases go, the keys beside them stay."""
    with running("good", "good", "good") as found:
        tree, facts = sentry(tmp_path, [server.url for server in found])
        node_key = hashlib.sha256(facts.layout.node_key.read_bytes()).digest()
        heights = []
        for _ in range(3):
            record = outcome(tree, facts)
            assert record.trust
            heights.append(record.trust.height)
            (facts.layout.home / "data" / "state.db").mkdir()
            catch_up.clear_databases(facts.layout)
            catch_up.write(facts.layout, record.failed("light block not found"))

    assert len(set(heights)) == 3
    assert node_key == hashlib.sha256(facts.layout.node_key.read_bytes()).digest()
    assert not catch_up.has_databases(facts.layout)


def test_a_server_that_nobody_runs_is_absent() -> None:
    """Refused connections cost no time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()

    assert [] == servers.tips([RpcServer(url)])
    assert time.monotonic() - began < servers.TIMEOUT
