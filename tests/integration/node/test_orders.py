"""Orders from the operator's command line to a real daemon, over a real rendezvous that can read none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from goldnode.run import run
from tests.integration.node.fleet import RENDEZVOUS, WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import write_genesis
from tests.support.order_lab import operators_folder
from tests.support.waiting import until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Host]]:
    """A sentry that follows the world's chain."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    with fleet(tmp_path_factory.mktemp("fleet"), tools, name="localwasm") as made:
        write_genesis(made, {})
        made.outside([])
        sentry = made.add("s-1", "sentry", peers=[who.peer for who in WORLD])
        sentry.boot()
        assert until(lambda: sentry.node().get("state") == "following", 120), sentry.console.read_text()
        operators_folder(made.folder / "clusters", RENDEZVOUS)
        yield made, sentry


def types(made: Fleet, line: str) -> tuple[int, str]:
    """Type `./invoke LINE` on a computer of the world; exit code, and what was printed."""
    words = ["ip", "netns", "exec", made.world, "env", f"GOLDNODE_CLUSTERS={made.folder / 'clusters'}", "./invoke"]
    done = run([*words, *line.split()], check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


def settings_of(host: Host) -> str:
    """The daemon's app.toml."""
    return (host.tree.layout.node(host.name).home / "config" / "app.toml").read_text()


def test_a_week_without_a_shell(running: tuple[Fleet, Host]) -> None:
    """Status, log, restart, hold, start and a gas price, each by one command, each answered by the node itself."""
    made, sentry = running
    code, said = types(made, "node s-1 status --json")
    assert 0 == code, said
    assert "following" == json.loads(said[said.index("{") : said.rindex("}") + 1])["result"]["state"]
    code, said = types(made, "node s-1 logs --since 1h")
    assert (0, True) == (code, "executed block" in said or "committed state" in said), said
    starts = sentry.starts()

    assert 0 == types(made, "node s-1 restart")[0], sentry.console.read_text()
    assert starts + 1 == sentry.starts()
    assert 0 == types(made, "node s-1 hold")[0]
    assert until(lambda: sentry.node()["paused"], 10)
    assert 0 == types(made, "node s-1 start")[0], sentry.console.read_text()
    code, said = types(made, "node s-1 config set gas-prices=0.125stake pruning=keep:500")
    assert 0 == code, said
    assert 'minimum-gas-prices = "0.125stake"' in settings_of(sentry)
    code, said = types(made, "node s-1 config unset gas-prices pruning")
    assert 0 == code, said
    assert "0.125stake" not in settings_of(sentry)


def test_what_makes_the_daemon_unwell_is_undone(running: tuple[Fleet, Host]) -> None:
    """One denomination twice passes every check but the daemon's own: the node goes back by itself, and says so."""
    made, sentry = running
    before = settings_of(sentry)

    code, said = types(made, "node s-1 config set gas-prices=many --within 10")
    assert 2 == code, said
    code, said = types(made, "node s-1 config set gas-prices=0.1stake,0.2stake --within 15")

    assert (4, True) == (code, "the previous settings are in force again" in said), said
    assert before == settings_of(sentry)
    assert until(lambda: sentry.node().get("state") == "following", 60)


def test_an_operator_key_has_limits(running: tuple[Fleet, Host]) -> None:
    """It asks for the status, may not restart, and the sentence names what it may; nothing is restarted."""
    made, sentry = running
    key = made.folder / "alice.operator"
    code, said = types(made, f"cluster operator lab --verb status --verb logs --days 30 --out {key}")
    assert 0 == code, said
    starts = sentry.starts()

    assert 0 == types(made, f"node s-1 status --operator {key}")[0]
    code, said = types(made, f"node s-1 restart --operator {key}")

    assert (9, True, starts) == (code, "may order logs, status" in said, sentry.starts()), said
    assert 0o600 == key.stat().st_mode & 0o777


def test_the_rendezvous_learns_nothing_of_orders(running: tuple[Fleet, Host]) -> None:
    """Verb, node and answer appear nowhere in what it keeps."""
    made, sentry = running
    assert 0 == types(made, "node s-1 restart")[0]
    node_id = sentry.node()["node_id"]
    kept = b"".join(path.read_bytes() for path in made.folder.glob("rendezvous.*"))

    assert kept
    assert [] == [word for word in (b"restart", b"following", node_id.encode(), bytes.fromhex(node_id)) if word in kept]
