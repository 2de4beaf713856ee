"""A real chain in one JVM: Mokamint's nodes mine together, and each has its own life.

``GOLDNODE_CHAIN_NODES`` and ``GOLDNODE_CHAIN_MINUTES`` say how many nodes the last test has and how long it lasts.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from tests.integration.jvm.hosting import until
from tests.integration.jvm.mokamint import Chain, mining

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]
NODES = int(os.environ.get("GOLDNODE_CHAIN_NODES", "10"))
MINUTES = float(os.environ.get("GOLDNODE_CHAIN_MINUTES", "30"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Three nodes that have a common chain."""
    with mining(tmp_path_factory.mktemp("chain"), 3, block=5) as running:
        running.grows(1)
        yield running


def stopped(chain: Chain, name: str) -> None:
    """Stop and start."""
    chain.host.control.act("stop", name)
    chain.grows(1, without=[name])
    chain.host.control.act("start", name)


def killed(chain: Chain, name: str) -> None:
    """End without a chance to close anything; the host starts it again."""
    with chain.other_file(name, chain.broken(name, "property.breaker.seconds=5")):
        chain.host.control.act("restart", name)
        before = chain.states()[name].restarts
    until(lambda: chain.states()[name].restarts > before, f"{name} killed", 120)


def crash_looped(chain: Chain, name: str) -> None:
    """End at every start, three times, and then run again."""
    before = chain.states()[name].restarts
    with chain.other_file(name, chain.broken(name) + "restart.seconds=0\n"):
        chain.host.control.act("restart", name)
        until(lambda: chain.states()[name].restarts >= before + 4, f"{name} crashed three times", 300)


def upgraded(chain: Chain, name: str) -> None:
    """Run another version of one jar from now on."""
    text = chain.file(name)
    jar = Path(text.partition("jars=")[2].partition("\n")[0].replace("\\:", ":").split(":")[-1])
    newer = chain.host.folder / f"{name}-{time.monotonic_ns()}.jar"
    shutil.copyfile(jar, newer)
    (chain.host.folder / "nodes" / f"{name}.properties").write_text(text.replace(str(jar), str(newer)))
    chain.host.control.act("restart", name)


EVENTS: tuple[Callable[[Chain, str], None], ...] = (stopped, killed, crash_looped, upgraded)


def test_all_nodes_mine_one_chain(chain: Chain) -> None:
    """Every node follows the same head, and the chain grows."""
    chain.grows(2)
    chain.agree()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_node_comes_back_to_the_chain(chain: Chain, event: Callable[[Chain, str], None]) -> None:
    """Whatever happens to a node, it catches up with what its siblings mined, and they were never restarted."""
    before = {name: status.restarts for name, status in chain.states().items() if name != "n1"}

    event(chain, "n1")
    chain.grows(1)
    chain.agree()

    assert before == {name: status.restarts for name, status in chain.states().items() if name != "n1"}


def test_many_nodes_follow_one_head_whatever_happens_to_each(tmp_path: Path) -> None:
    """Each node in turn is stopped, killed, crash-looped, upgraded: all follow one head, and siblings never notice."""
    with mining(tmp_path, NODES, block=20) as chain:
        chain.grows(1)
        end, happened = time.monotonic() + 60 * MINUTES, 0
        for number, event in enumerate(cycle(EVENTS)):
            if time.monotonic() > end:
                break
            name = chain.names[number % NODES]
            before = chain.states()
            event(chain, name)
            chain.grows(1, without=[name])
            after = chain.states()
            restarts = {
                other: (before[other].restarts, after[other].restarts) for other in chain.names if other != name
            }
            happened += 1

            assert {} == {other: pair for other, pair in restarts.items() if pair[0] != pair[1]}
            assert all(after[other].state == "running" for other in restarts)
            print(f"{event.__name__} {name}: heights {sorted(status.height for status in after.values())}", flush=True)
        chain.grows(1)
        chain.agree()
        print(f"{NODES} nodes, {happened} events, head {chain.states()['n0'].height}", flush=True)
