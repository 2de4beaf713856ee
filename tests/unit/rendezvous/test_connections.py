"""How connections are shared: between addresses, and with the files a process may open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goldnode.rendezvous.address import parse_proxies
from goldnode.rendezvous.connections import Connections, within_files
from goldnode.rendezvous.replays import Replays


class Fake:
    """A connection that remembers that it was dropped."""

    def __init__(self) -> None:
        self.dropped = False

    def drop(self) -> None:
        """Note it."""
        self.dropped = True


def test_share_of_one_address() -> None:
    """An address has its share and no more, an IPv6 client for its whole /64; a place that is left is free again."""
    connections, first = Connections(total=10, per_address=2), Fake()
    entered = [connections.enter("2001:db8::1", first), connections.enter("2001:db8::2", Fake()),
               connections.enter("2001:db8::3", Fake()), connections.enter("192.0.2.1", Fake())]  # fmt: skip
    connections.leave("2001:db8::1", first)

    assert [True, True, False, True] == entered
    assert connections.enter("2001:db8::9", Fake())


def test_proxies_speak_for_many() -> None:
    """A trusted proxy has no share of its own, and is not dropped for others."""
    connections = Connections(total=4, per_address=1, proxies=parse_proxies(["10.0.0.0/8"]))
    proxied = [Fake() for _ in range(4)]

    assert [True] * 4 == [connections.enter("10.0.0.1", one) for one in proxied]
    assert (False, False) == (connections.enter("192.0.2.1", Fake()), any(one.dropped for one in proxied))


def test_leaving_uninvited() -> None:
    """A connection that was never let in may leave."""
    connections = Connections(total=1, per_address=1)
    connections.leave("192.0.2.1", Fake())

    assert 0 == len(connections)


@given(st.lists(st.integers(min_value=1, max_value=6), max_size=200))
def test_who_has_least_gets_in(arrivals: list[int]) -> None:
    """However many crowd in, the total holds, and an address without a connection gets one while another has two."""
    connections = Connections(total=12, per_address=8)
    for number in arrivals:
        connections.enter(f"192.0.2.{number}", Fake())

        assert len(connections) <= 12

    assert connections.enter("198.51.100.1", Fake())


def test_oldest_of_the_heaviest_goes() -> None:
    """The place is taken from who has most, its oldest connection first."""
    connections, held = Connections(total=3, per_address=3), [Fake() for _ in range(3)]
    for one in held:
        connections.enter("192.0.2.1", one)
    entered = connections.enter("192.0.2.2", Fake())

    assert (True, [True, False, False]) == (entered, [one.dropped for one in held])


def test_within_files() -> None:
    """No more connections than files, and never none."""
    assert [10_000, 864, 1] == [within_files(10_000, files) for files in (20_000, 1024, 64)]


def test_replays_are_told_from_repeats() -> None:
    """The same request is a repeat for ten seconds and a replay from then on; what is too old is forgotten."""
    replays = Replays(capacity=2)
    seen = [replays.is_replay("a", now) for now in (100.0, 105.0, 110.0, 110.1, 500.0)]
    for other in "bc":
        replays.is_replay(other, 500.0)

    assert [False, False, False, True, True] == seen
    assert (False, 2) == (replays.is_replay("a", 501.0), len(replays))
