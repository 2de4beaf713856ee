"""The node's few doors to the outside: a real daemon's RPC, and the metrics page over HTTP."""

from __future__ import annotations

import socket
import struct
import threading
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import tomlkit

from goldnode.bake.vm.ssh_wait import free_port
from goldnode.errors import HostError
from goldnode.node.agent import metrics, metrics_page
from goldnode.node.agent.health import NodeState, probe
from goldnode.node.agent.rpc import LoopbackRpc
from goldnode.node.observe import exposition
from goldnode.run import run, spawn
from tests.integration.node.programs import programs
from tests.support.waiting import until


@pytest.fixture(scope="module")
def rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackRpc]:
    """A chain of one real validator on loopback."""
    program = programs(tmp_path_factory.mktemp("programs")) / "cometbft"
    home, port = tmp_path_factory.mktemp("home"), free_port()
    run([program, "init", "--home", home])
    path = home / "config" / "config.toml"
    document = tomlkit.parse(path.read_text())
    for table, key, value in (
        ("rpc", "laddr", f"tcp://127.0.0.1:{port}"),
        ("rpc", "unsafe", True),
        ("rpc", "pprof_laddr", ""),
        ("p2p", "laddr", f"tcp://127.0.0.1:{free_port()}"),
    ):
        document[table][key] = value
    path.write_text(tomlkit.dumps(document))
    assert tomllib.loads(path.read_text())["rpc"]["unsafe"]
    with spawn([program, "node", "--proxy_app=kvstore", "--home", home]):
        found = LoopbackRpc(port)
        assert until(lambda: _height(found) >= 2, 60)
        yield found


def _height(rpc: LoopbackRpc) -> int:
    try:
        return rpc.status().height
    except HostError:
        return 0


def test_a_real_daemon_is_read(rpc: LoopbackRpc) -> None:
    """Status, peers and signatures come from the daemon as this program needs them."""
    status = rpc.status()

    assert (40, 40, 10, False) == (len(status.node_id), len(status.address), status.power, status.catching_up)
    assert frozenset() == rpc.peers()
    assert frozenset({status.address}) == rpc.signed(status.height - 1)


def test_a_real_validator_is_signing(rpc: LoopbackRpc) -> None:
    """Health of a validator that makes blocks is `signing`, by its own signature and the block's age."""
    now = rpc.status().block_time

    assert NodeState.SIGNING is probe(rpc, now=now + 1, signs=True, wanted=(), block_time=1.0).state
    assert NodeState.STALLED is probe(rpc, now=now + 1000, signs=True, wanted=(), block_time=1.0).state


def test_a_peer_can_be_dialled(rpc: LoopbackRpc) -> None:
    """The daemon takes a list of peers, and refuses one that is malformed."""
    rpc.dial((f"{'a' * 40}@127.0.0.1:{free_port()}",))

    with pytest.raises(HostError, match="dial_peers strangely"):
        rpc.dial(("nonsense",))


def test_silence_is_an_error_of_this_machine() -> None:
    """Where nobody listens, that is said."""
    with pytest.raises(HostError, match="does not answer"):
        LoopbackRpc(free_port()).status()


@pytest.mark.parametrize("address", ["127.0.0.1", "::"])
def test_the_metrics_page_is_served(address: str) -> None:
    """One page at /metrics, as Prometheus wants it; nothing else."""
    own = metrics.families([], {}, metrics.MachineView(1.0), 9.0)
    with metrics_page.serving(address, 0, lambda: exposition.merge([own])) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert "text/plain; version=0.0.4" in answer.headers["content-type"]
            assert b"goldnode_uptime_seconds 1\n" in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


def test_a_reader_who_goes_away_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    """Prometheus gives up, a browser's tab is closed: no traceback on a node's console or in somebody's terminal."""
    asked, closed, before = threading.Event(), threading.Event(), set(threading.enumerate())

    def page() -> str:
        asked.set()
        assert closed.wait(30)
        return "goldnode_uptime_seconds 1\n" * 1_000_000

    with metrics_page.serving("127.0.0.1", 0, page) as port:
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reader.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert asked.wait(30)
        own = [each for each in threading.enumerate() if "process_request" in each.name and each not in before]
        closed.set()
        assert own
        assert until(lambda: not any(each.is_alive() for each in own), 30)
    assert capfd.readouterr().err == ""
