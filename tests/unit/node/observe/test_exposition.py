"""Pages of several programs as one: nothing that a program says may spoil the page, or speak for another."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from goldnode.node.agent import metrics_page
from goldnode.node.observe import exposition
from goldnode.node.observe.exposition import MetricFamily

DAEMON = """\
# HELP cometbft_p2p_peers Number of peers.
# TYPE cometbft_p2p_peers gauge
cometbft_p2p_peers{chain_id="a"} 2
# HELP rpc_seconds How long.
# TYPE rpc_seconds histogram
rpc_seconds_bucket{le="+Inf"} 5
rpc_seconds_sum 1.5e-05
rpc_seconds_count 5
go_goroutines 12
"""


def test_two_daemons_become_one_page() -> None:
    """Each sample has its node's labels, each metric is announced once, and its samples stand together."""
    page = exposition.merge(exposition.read(DAEMON, {"node": name}) for name in ("a", "b"))

    assert [
        "# HELP cometbft_p2p_peers Number of peers.",
        "# TYPE cometbft_p2p_peers gauge",
        'cometbft_p2p_peers{node="a",chain_id="a"} 2',
        'cometbft_p2p_peers{node="b",chain_id="a"} 2',
    ] == page.splitlines()[:4]
    assert ['go_goroutines{node="a"} 12', 'go_goroutines{node="b"} 12'] == page.splitlines()[-2:]
    assert 1 == page.count("# TYPE rpc_seconds histogram")


def test_a_label_of_ours_is_not_overwritten() -> None:
    """What a daemon calls `node` is kept under another name: a label that stands twice would spoil the page."""
    found = exposition.read('x{node="mine",a="b"} 1\n', {"node": "val-1"})

    assert ['x{node="val-1",exported_node="mine",a="b"} 1'] == found["x"].samples


def test_a_daemon_speaks_for_itself_only() -> None:
    """Neither the agent's metrics nor the machine's are taken from a daemon's page."""
    said = 'goldnode_healthy{node="val-1"} 1\nnode_load1 0\nmine 1\n'

    found = metrics_page.own_families(exposition.read(said, {}), metrics_page.PageSource(1))

    assert ["mine"] == list(found)


@given(st.text(alphabet=string.printable + "é\0", max_size=200))
def test_whatever_a_program_says_the_page_holds(text: str) -> None:
    """Every line that is left is a comment or a sample, whatever comes in, and reading it again changes nothing."""
    ours = {"goldnode_x": MetricFamily("Ours", "gauge", ["goldnode_x 1"])}

    page = exposition.merge([ours, exposition.read(DAEMON + text, {"node": "n"})])

    assert "goldnode_x 1" in page.splitlines()
    again = exposition.merge([exposition.read(page, {})])
    assert page == again
