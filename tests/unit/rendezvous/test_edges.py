"""What stands before and around the rooms: rates, addresses, queries, problem documents, metrics."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.errors import ExchangeError, UsageError
from goldnode.protocol import limits
from goldnode.protocol.codes import STATUS, Code
from goldnode.protocol.wire import refuse
from goldnode.rendezvous.address import bucket, client_address, parse_proxies
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.guard import LightEvent
from goldnode.rendezvous.limiter import Limiter, Rate
from goldnode.rendezvous.metrics import Metrics
from goldnode.rendezvous.problem import SENTENCES, RefusalError, problem
from goldnode.rendezvous.request import LEFT, ListQuery, parse_list_query, read_head

PROXIES = parse_proxies(["10.0.0.0/8", "2001:db8:1::/48"])


def test_burst_then_rate() -> None:
    """A full bucket gives its burst at once, then one token each time one came back."""
    limiter = Limiter(Rate(per_second=2, burst=3))
    at_once = [limiter.take("a", 100.0) for _ in range(4)]

    assert [0.0, 0.0, 0.0, 0.5] == at_once
    assert (0.0, 0.0) == (limiter.take("b", 100.0), limiter.take("a", 100.5))
    assert limiter.take("a", 100.6) == pytest.approx(0.4)


def test_clock_set_back() -> None:
    """A clock that is set back neither fills nor empties a bucket."""
    limiter = Limiter(Rate(per_second=1, burst=2))

    assert [0.0, 0.0, 1.0] == [limiter.take("a", now) for now in (100.0, 50.0, 50.0)]


def test_memory_of_buckets() -> None:
    """Of too many buckets, the one unused for longest is forgotten."""
    limiter = Limiter(Rate(per_second=0.001, burst=1), capacity=2)
    for key in ("a", "b", "a", "c"):
        limiter.take(key, 0.0)

    assert (True, True, True, False) == (len(limiter) == 2, limiter.take("a", 0.0) > 0, limiter.take("c", 0.0) > 0,
                                         limiter.take("b", 0.0) > 0)  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, rubbish"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["2001:DB8:2::1"], "2001:db8:2::1"),
        ("2001:db8:1::5", ["198.51.100.1"], "198.51.100.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_client_address(peer: str, forwarded: list[str], expected: str) -> None:
    """X-Forwarded-For counts only from a proxy that was named, and from the right."""
    assert expected == client_address(peer, forwarded, PROXIES)


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.7", "192.0.2.7"), ("2001:db8::1:2:3:4", "2001:db8::/64"), ("unix", "unix")]
)
def test_bucket(address: str, expected: str) -> None:
    """An IPv6 client has its whole /64 to come from."""
    assert expected == bucket(address)


def test_proxies_refused() -> None:
    """A proxy that is no CIDR is refused with an example."""
    with pytest.raises(UsageError, match="--trusted-proxy"):
        parse_proxies(["10.0.0.1/8"])


def test_list_query() -> None:
    """All parameters are optional."""
    root = "ab" * 32

    assert ListQuery() == parse_list_query("")
    assert ListQuery("x.1", 55, root) == parse_list_query(f"wait=55&policy={root}&after=x.1")


@pytest.mark.parametrize(
    "query",
    ["wait=56", "wait=-1", "wait=1.5", "wait=", "wait=1&wait=1", "other=1", "after", "&", "policy=xyz",
     "after=1&wait=1&policy=&x=1", "after=" + "x" * 65],
)  # fmt: skip
def test_list_query_refused(query: str) -> None:
    """Anything else is malformed."""
    with pytest.raises(ExchangeError) as refused:
        parse_list_query(query)

    assert "malformed" == refused.value.code


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        ("life.7", 7),
        ("life.0", 0),
        ("other.7", None),
        ("life.x", None),
        ("life", None),
        ("", None),
        ("life." + "9" * 19, None),
    ],
)
def test_cursor(cursor: str, expected: int | None) -> None:
    """Only a cursor of this life of the store has a revision."""
    assert expected == ListQuery(cursor).revision("life")


@given(st.text(max_size=80))
def test_any_query(query: str) -> None:
    """Whatever stands in a query gives a query within the limits or a refusal."""
    parsed = ListQuery()
    with contextlib.suppress(ExchangeError):
        parsed = parse_list_query(query)

    assert 0 <= parsed.wait <= limits.WAIT_MAX
    assert len(parsed.after) <= limits.CURSOR_CHARS


def test_head_keeps_what_was_signed() -> None:
    """The target is path and query exactly as sent."""
    scope = {
        "method": "GET",
        "raw_path": b"/v1/%41",
        "query_string": b"after=%2e",
        "headers": [(b"x", b"1"), (b"x", b"2")],
        LEFT: LightEvent(is_set=False).end,
    }

    assert "/v1/%41?after=%2e" == read_head(scope, "192.0.2.1").target


def test_every_code_has_its_sentences() -> None:
    """No code goes out without a title, and a fix that says what to do."""
    assert set(STATUS) == set(SENTENCES) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_problem(code: Code) -> None:
    """A refusal is a problem document with code, status, detail, fix and the server's time."""
    reply = problem(RefusalError("the detail", code, retry=1.2, seq=9, allow="GET"), 1234)
    document = json.loads(reply.body)
    headers = dict(reply.all_headers())

    assert (STATUS[code], b"application/problem+json") == (reply.status, reply.content_type)
    assert {"type": f"urn:goldnode:{code}", "title": SENTENCES[code][0], "status": STATUS[code], "code": code.value,
            "detail": "the detail", "fix": SENTENCES[code][1], "time": 1234, "seq": 9} == document  # fmt: skip
    assert (b"2", b"GET") == (headers[b"retry-after"], headers[b"allow"])


def test_problem_prefers_the_hint() -> None:
    """A check that knows better what to do is heard."""
    document = json.loads(problem(refuse("no", hint="do this"), 0).body)

    assert ("do this", False) == (document["fix"], "seq" in document)


def test_raised_limits_are_said() -> None:
    """Exactly the limits that are not the protocol's are announced, and all are in the caps."""
    config = Config(address_rate=100, new_rooms=0.5)

    assert (
        "100 requests/s per address (protocol: 15)",
        "0.5 new rooms/h per address (protocol: 10)",
    ) == config.raised()
    assert () == Config().raised()
    assert (100, 400, 30) == tuple(config.limits()[name] for name in ("ADDRESS_RATE", "ADDRESS_BURST", "ROOM_RATE"))
    assert limits.ADDRESS_BURST == Config().rates()[0].burst


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rates_refused(rate: float) -> None:
    """A rate that lets nobody in is a mistake on the command line, not a configuration."""
    with pytest.raises(UsageError, match="above 0"):
        Config(room_rate=rate)


def test_metrics() -> None:
    """Counters and gauges come in Prometheus's text format."""
    metrics = Metrics(notified=3)
    metrics.requests["list", "ok"] += 2
    text = metrics.render({"watchers": 5})

    assert 'goldnode_rendezvous_requests_total{call="list",outcome="ok"} 2\n' in text
    assert text.endswith(
        "goldnode_rendezvous_notified_total 3\n"
        "# TYPE goldnode_rendezvous_watchers gauge\ngoldnode_rendezvous_watchers 5\n"
    )
