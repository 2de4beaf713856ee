"""Whom a state sync trusts, and which way a node without state goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.catch_up import RpcServer
from goldnode.node.plan.catch_up import (
    REPLAYED,
    TRIES,
    Distrust,
    Header,
    Pace,
    Tip,
    Trust,
    Way,
    aim,
    decide,
    independent,
    progress,
    way_of_a_validator,
)

CHAIN = "chain-1"
A, B, C = (RpcServer(f"https://{name}.example", name) for name in "abc")
TWIN = RpcServer("https://other.a.example", "A")
GOOD, BAD = "AB" * 32, "CD" * 32


def tip(server: RpcServer, height: int = 5000, chain: str = CHAIN, earliest: int = 1) -> Tip:
    """What a server says of itself."""
    return Tip(server, chain, height, earliest)


def header(server: RpcServer, said: str = GOOD, height: int = 4000, chain: str = CHAIN) -> Header:
    """What a server says of a block."""
    return Header(server, chain, height, said)


def judged(*headers: Header, attempt: int = 0) -> Trust | Distrust:
    """The verdict on what servers said."""
    return decide(headers, CHAIN, 4000, "168h", attempt=attempt, tip=5000)


def reason(verdict: Trust | Distrust | int) -> str:
    """Why nobody is trusted."""
    assert isinstance(verdict, Distrust)
    return verdict.reason


def test_two_independent_servers_that_agree_are_trusted() -> None:
    """Height, hash and both servers go into the configuration."""
    assert Trust(4000, GOOD, (A.url, B.url), "168h", 5000) == judged(header(A), header(B, GOOD.lower()))


@pytest.mark.parametrize("other", [A, TWIN, RpcServer("https://a.example:8443/rpc", "z")])
def test_one_witness_twice_is_one_witness(other: RpcServer) -> None:
    """The same host, and another host of the same provider, prove nothing new."""
    assert not independent(A, other)
    assert "no two independent servers" in reason(judged(header(A), header(other)))


def test_one_contradiction_is_enough() -> None:
    """Two that agree are not believed while a third says otherwise; both camps are named."""
    said = reason(judged(header(A), header(B), header(C, BAD)))

    assert "a.example, b.example say ABAB" in said
    assert "c.example say CDCD" in said


def test_a_server_on_another_chain_is_no_witness() -> None:
    """Its header counts for nothing, its tip neither, and it is named."""
    assert "no two" in reason(judged(header(A), header(B, chain="chain-2")))
    assert "b.example is on chain-2, not chain-1" in reason(aim([tip(A), tip(B, chain="chain-2")], CHAIN, 0))


def test_an_invented_tip_moves_nothing() -> None:
    """The height that is asked for follows from what two witnesses reached."""
    assert 4000 == aim([tip(A), tip(B), tip(C, 9_000_000)], CHAIN, 0)


def test_a_block_that_the_servers_still_have_is_asked_for() -> None:
    """Sentries that are young themselves have no block a thousand below the tip."""
    assert 4950 == aim([tip(A, earliest=4900), tip(B, earliest=4800)], CHAIN, 0)


def test_each_try_asks_for_another_height_and_pair() -> None:
    """Three tries, three heights, three pairs."""
    headers = (header(A), header(B), header(C))
    verdicts = [judged(*headers, attempt=attempt) for attempt in range(TRIES)]

    assert TRIES == len({aim([tip(A), tip(B)], CHAIN, attempt) for attempt in range(TRIES)})
    assert TRIES == len({verdict.servers for verdict in verdicts if isinstance(verdict, Trust)})


SERVERS = st.builds(
    RpcServer, st.sampled_from([f"https://{host}" for host in ("a", "b", "c", "d")]), st.sampled_from(["", "p", "q"])
)
HEADERS = st.builds(
    Header, SERVERS, st.sampled_from([CHAIN, "x"]), st.sampled_from([4000, 1]), st.sampled_from([GOOD, BAD, ""])
)


@given(st.lists(HEADERS, max_size=6), st.integers(0, 5))
def test_trust_always_has_two_witnesses_and_no_contradiction(headers: list[Header], attempt: int) -> None:
    """Whatever servers say: who is trusted said the same of this chain's block, is independent, and is unopposed."""
    verdict = decide(headers, CHAIN, 4000, "168h", attempt=attempt, tip=5000)
    if isinstance(verdict, Distrust):
        return
    valid = [each for each in headers if (each.chain_id, each.height) == (CHAIN, 4000) and each.hash]

    assert {verdict.hash} == {each.hash for each in valid}
    one, other = ([each.server for each in valid if each.server.url == url] for url in verdict.servers)
    assert any(independent(a, b) for a in one for b in other)


@pytest.mark.parametrize(
    ("tips", "expected"),
    [
        ([], Way.WAIT),
        ([tip(A, 0)], Way.WAIT),
        ([tip(A, 0), tip(B, 0)], Way.REPLAY),
        ([tip(A, 50), tip(B, 50)], Way.REPLAY),
        ([tip(A, 50), tip(B, 50, earliest=30)], Way.REPLAY),
        ([tip(A, 50, earliest=30), tip(B, 50, earliest=20)], Way.STATE_SYNC),
        ([tip(A, REPLAYED + 1)], Way.STATE_SYNC),
    ],
)
def test_a_validator_replays_a_young_chain(tips: list[Tip], expected: Way) -> None:
    """It syncs where the first blocks are gone or many; a chain that has not begun may need it for its first."""
    assert expected == way_of_a_validator(tips, CHAIN, 2)


def test_the_present_pace_is_that_of_the_last_minutes() -> None:
    """Blocks ten seconds apart, then none: known until two minutes have passed; a clock set back begins anew."""
    pace = Pace().noting(1000.0, 995.0, 7)
    assert 0.0 == pace.interval

    pace = pace.noting(1031.0, 1025.0, 10)

    assert 10.0 == pace.interval == pace.noting(1119.0, 1025.0, 10).interval
    assert 0.0 == pace.noting(1120.0, 1025.0, 10).interval == pace.noting(999.0, 1025.0, 10).interval


def test_progress_tells_blocks_and_time() -> None:
    """The time left follows from how much faster than the chain the node is."""
    pace = Pace().noting(1000.0, 0.0, 1).noting(1010.0, 100.0, 18)

    assert "catching up: about 100 blocks behind" == progress(600.0, 6.0, Pace())
    assert "catching up: about 3,400 blocks behind, 2 min" == progress(20400.0, 6.0, pace)
    assert "catching up: about 100 blocks behind" == progress(600.0, 6.0, Pace(((0.0, 0.0, 1), (10.0, 5.0, 2))))
