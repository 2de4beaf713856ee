"""Orders on a tree: what is carried out once, what is refused, what is undone, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.rpc import Rpc
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.protocol.order import Order, OrderOutcome
from goldnode.protocol.wire import key_from_seed
from tests.support.agent_lab import UNIT, World
from tests.support.node_lab import Tree, seed
from tests.support.order_lab import ALICE, APP_TOML, Operator, daemon_starts, mutated

QUIET = [f"restart {UNIT}", f"stop {UNIT}"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine whose daemon is one of the Cosmos SDK."""
    made = Tree(tmp_path / "machine", "localwasm")
    made.write("/usr/lib/goldnode/defaults/app.toml", APP_TOML)
    return made


@pytest.fixture
def world(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> World:
    """A sentry that follows its chain."""
    made = World(tree, "sentry", monkeypatch)
    made.reconcile()
    daemon_starts(made)
    made.answers()
    made.reconcile()
    return made


def looks(world: World, count: int = 4, height: int = 10) -> list[str]:
    """Several looks at a daemon that goes on."""
    done: list[str] = []
    for number in range(count):
        world.answers(height + number)
        done += world.reconcile()
    return done


def reboot(world: World) -> None:
    """The machine's agent begins anew, with what is on the disk."""
    found, _ = world.tree.configure()
    rpc: Rpc = world.daemon
    world.agent = Agent(world.tree.layout, found, world.tree.system, lambda: world.now, lambda: 41.5, lambda _: rpc)
    found.memberships["n-1"].clock = lambda: world.now


def test_status_is_answered_to_whoever_asked(world: World) -> None:
    """The answer is sealed to the order's reply key and holds what `goldnode status --json` says."""
    operator = Operator(world)

    order = operator.give("status")
    done = world.reconcile()
    answer = operator.answer(order)

    assert answer
    assert (OrderOutcome.DONE, "following") == (answer.outcome, (answer.result or {})["state"])
    assert [] == [each for each in done if each in QUIET]


def test_the_record_names_the_incarnation(world: World) -> None:
    """Whoever reads the room learns which life of the node an order must name."""
    operator = Operator(world)
    facts = operator.member._own.facts

    assert facts
    assert operator.life == facts.orders


def test_a_restart_is_done_when_the_new_daemon_is_well(world: World) -> None:
    """First it is under way; once a daemon that started after the order is well, it is done, and it was one restart."""
    operator = Operator(world)
    order = operator.give("restart")
    first = world.reconcile()
    begun = operator.answer(order)
    waiting = looks(world)
    assert operator.answer(order) == begun
    daemon_starts(world)
    after = looks(world, height=20)
    answer = operator.answer(order)

    assert begun
    assert answer
    assert (OrderOutcome.WORKING, OrderOutcome.DONE) == (begun.outcome, answer.outcome)
    assert [f"restart {UNIT}"] == [each for each in first + waiting + after if each in QUIET]


@pytest.fixture
def signing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> World:
    """A validator that signs height 9."""
    made = World(tree, "validator", monkeypatch, min_sentries=0)
    made.reconcile()
    daemon_starts(made)
    made.answers(power=10)
    made.reconcile()
    return made


def test_a_validator_is_restarted_between_two_rounds(signing: World) -> None:
    """Its agent goes on with its rounds; the restart comes right after the next block, once, and ends the order."""
    operator = Operator(signing)
    order = operator.give("restart")
    rounds = [each for _ in range(3) for each in (*signing.reconcile(), *signing.rest(2.0)) if each in QUIET]
    restarted = signing.rest(2.0, height=10)
    daemon_starts(signing)
    signing.answers(11, power=10)
    later = [each for _ in range(3) for each in (*signing.reconcile(), *signing.rest(2.0)) if each in QUIET]

    assert ([], [f"restart {UNIT}"], []) == (rounds, restarted, later)
    assert outcome(operator, order) is OrderOutcome.DONE


@pytest.mark.parametrize(
    ("signed", "claimed", "goes_on"), [(10, False, True), (11, False, True), (9, False, False), (10, True, False)]
)
def test_a_validator_that_signed_the_last_block_goes_on(
    signing: World, signed: int, claimed: bool, goes_on: bool
) -> None:
    """Its next daemon need not look back, unless this machine did not sign that block, or somebody claims its key."""
    node = signing.tree.layout.node("n-1")
    Operator(signing).give("restart")
    signing.reconcile()
    assert [] == signing.rest(1.0)
    node.signing_state.write_text(json.dumps(to_document(SigningState(signed, 0, 3))))
    if claimed:
        signing.agent._supervisors["n-1"].alarms = frozenset({Alarm(AlarmKind.CLAIM, "a" * 40)})

    assert [f"restart {UNIT}"] == signing.rest(2.0, height=10)
    assert goes_on is node.continuation.exists()


def test_a_validator_with_a_lease_needs_no_word(signing: World) -> None:
    """Its store fences its key, and its daemon does not look back."""
    node, supervisor = signing.tree.layout.node("n-1"), signing.agent._supervisors["n-1"]
    supervisor.facts = replace(supervisor.facts, entry=replace(supervisor.facts.entry, lease="file:///lease"))
    Operator(signing).give("restart")
    signing.reconcile()
    assert [] == signing.rest(1.0)
    node.signing_state.write_text(json.dumps(to_document(SigningState(10, 0, 3))))

    assert [f"restart {UNIT}"] == signing.rest(2.0, height=10)
    assert not node.continuation.exists()


def test_a_validator_that_was_stopped_meanwhile_is_not_restarted(signing: World) -> None:
    """Whoever stops it while its restart waits for a block has the last word."""
    Operator(signing).give("restart")
    signing.reconcile()
    signing.tree.layout.node("n-1").hold.write_text("a person\n")

    assert [] == signing.rest(60.0, height=10)


def test_a_validator_that_was_started_meanwhile_is_not_restarted_again(signing: World) -> None:
    """It ended by itself, and the daemon that came after it has read the new settings already."""
    Operator(signing).give("config", {"set": {"gas-prices": "0.5stake"}})
    signing.reconcile()
    daemon_starts(signing)

    assert [] == signing.rest(60.0, height=10)


def test_hold_and_start(world: World) -> None:
    """Held, the node stays stopped; started by order, it runs again and the answer comes when it is well."""
    operator = Operator(world)
    held = operator.give("hold")
    assert f"stop {UNIT}" in world.reconcile()
    assert outcome(operator, held) is OrderOutcome.DONE
    assert f"start {UNIT}" not in world.reconcile()

    started = operator.give("start")
    world.reconcile()
    assert f"start {UNIT}" in [*world.reconcile(), *world.tree.system.done]
    looks(world)

    assert outcome(operator, started) is OrderOutcome.DONE


def outcome(operator: Operator, order: Order) -> OrderOutcome | None:
    """What came of an order; None while nobody said."""
    answer = operator.answer(order)
    return answer.outcome if answer else None


def config(world: World) -> str:
    """The daemon's app.toml."""
    return (world.tree.layout.node("n-1").home / "config" / "app.toml").read_text()


def test_a_setting_is_in_force_and_stays(world: World) -> None:
    """A gas price reaches the daemon's file, the daemon starts anew, and node.yaml has it for the next boot."""
    operator = Operator(world)
    order = operator.give("config", {"set": {"gas-prices": "0.5stake"}})
    assert f"restart {UNIT}" in world.reconcile()
    daemon_starts(world)
    looks(world)
    answer = operator.answer(order)

    assert answer
    assert OrderOutcome.DONE is answer.outcome, answer.said
    assert 'minimum-gas-prices = "0.5stake"' in config(world)
    assert "0.5stake" in world.tree.layout.applied.read_text()


def test_a_setting_that_makes_the_node_unwell_is_undone(world: World) -> None:
    """The daemon does not come back in time: the settings of before are in force again, and it says so."""
    operator = Operator(world)
    before, applied = config(world), world.tree.layout.applied.read_text()
    order = operator.give("config", {"set": {"gas-prices": "0.5stake"}, "within": 30})
    world.reconcile()
    assert config(world) != before
    world.daemon.status_ = None
    done = [each for _ in range(20) for each in world.reconcile()]
    answer = operator.answer(order)

    assert answer
    assert OrderOutcome.UNDONE is answer.outcome
    assert "the previous settings are in force again" in answer.said
    assert (before, applied) == (config(world), world.tree.layout.applied.read_text())
    assert f"restart {UNIT}" in done


def test_what_was_begun_is_undone_after_a_reboot_too(world: World) -> None:
    """The way back is on the disk: an agent that knows nothing of the order goes it."""
    operator = Operator(world)
    before = config(world)
    order = operator.give("config", {"set": {"gas-prices": "0.5stake"}, "within": 30})
    world.reconcile()
    world.daemon.status_ = None
    reboot(world)
    operator.member = world.agent.found.memberships["n-1"]
    for _ in range(20):
        world.reconcile()
    answer = operator.answer(order)

    assert answer
    assert (OrderOutcome.UNDONE, before) == (answer.outcome, config(world))


REFUSED: dict[str, tuple[str, Mapping[str, Any]]] = {
    "another life": ("wrong-life", {"life": "0" * 32}),
    "late": ("late", {"issued": 1_799_999_000_000, "until": 1_799_999_060_000}),
    "for ever": ("late", {"until": 1_900_000_000_000}),
    "from the future": ("early", {"issued": 1_800_009_000_000, "until": 1_800_009_060_000}),
    "a number that burns all others": ("early", {"number": 2**62}),
    "an unknown verb": ("no-verb", {"verb": "export-key"}),
    "unknown arguments": ("bad-arguments", {"arguments": {"force": True}}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(world: World, what: str) -> None:
    """The order is answered with why, and nothing of the machine is touched."""
    operator, (code, changes) = Operator(world), REFUSED[what]
    before = world.tree.files()

    order = operator.give(**{"verb": "restart", **changes})
    done = world.reconcile()
    answer = operator.answer(order)

    assert answer
    assert (OrderOutcome.REFUSED, code) == (answer.outcome, answer.code)
    assert [] == [each for each in done if each in QUIET]
    assert changed(before, world.tree.files()) <= {"orders.json", "status.json", "identity.json"}


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    """Names of files that differ."""
    return {Path(name).name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


BAD_SETTINGS = [
    {"set": {"gas-prices": ""}},
    {"set": {"gas-prices": "0.5 stake"}},
    {"set": {"pruning": "everything"}},
    {"set": {"pruning": "keep:5"}},
    {"set": {"peers": "seed.example.org"}},
    {"set": {"metrics": "everybody"}},
    {"set": {"priv_validator_key_file": "config/key.json"}},
    {"unset": ["consensus_key"]},
    {"set": {"metrics": 7}},
    {},
]


@pytest.mark.parametrize("arguments", BAD_SETTINGS, ids=json.dumps)
def test_a_setting_that_is_none_is_refused(world: World, arguments: Mapping[str, Any]) -> None:
    """Before anything is replaced, with the form that was expected."""
    operator, before = Operator(world), world.tree.files()

    order = operator.give("config", arguments)
    world.reconcile()
    answer = operator.answer(order)

    assert answer
    assert (OrderOutcome.REFUSED, "bad-arguments") == (answer.outcome, answer.code)
    assert changed(before, world.tree.files()) <= {"orders.json", "status.json", "identity.json"}


def test_an_operator_key_may_do_what_the_root_said(world: World) -> None:
    """What its grant names is done; what it does not name, and what comes after its end, is refused."""
    alice = Operator(world, ALICE, ("status",), days=1)
    answers = []
    for verb, days in (("status", 0), ("restart", 0), ("status", 2)):
        world.now += days * 86400
        order = alice.give(verb)
        world.reconcile()
        answer = alice.answer(order)
        assert answer
        answers.append((answer.outcome.value, answer.code))

    assert [("done", ""), ("refused", "not-allowed"), ("refused", "key-over")] == answers


def test_the_same_order_again_is_done_once_in_all_lives(world: World) -> None:
    """Shown again, it is not done again; after a reboot neither, nor is an older one."""
    operator = Operator(world)
    old = operator.seal(operator.order("hold"))
    held = operator.order("restart")
    operator.put(operator.seal(held))
    assert f"restart {UNIT}" in world.reconcile()
    daemon_starts(world)
    looks(world)

    reboot(world)
    operator.member = world.agent.found.memberships["n-1"]
    operator.put(operator.seal(held), old)
    done = looks(world)

    assert [] == [each for each in done if each in QUIET]


def test_forged_orders_are_dropped_unanswered(world: World) -> None:
    """Signed by a stranger, by a member, with another's grant, or for another node: nothing happens, nobody is told."""
    thief, operator = key_from_seed(seed("thief")), Operator(world)
    alice = Operator(world, ALICE)
    operator.put(operator.seal(operator.order("hold"), signer=thief))
    operator.put(
        operator.seal(operator.order("hold", grant=b"", signer=thief.public_key().public_bytes_raw()), signer=thief)
    )
    stolen = alice.order("restart", signer=thief.public_key().public_bytes_raw())
    operator.put(operator.seal(stolen, signer=thief))
    operator.put(operator.seal(operator.order("hold"), node="ab" * 20))
    done = world.reconcile()

    assert [] == [each for each in done if each in QUIET]
    assert operator.member.reply() is None


def test_orders_say_nothing_of_who_belongs(world: World) -> None:
    """A room with orders in it raises no alarm, and has no more members than before."""
    operator = Operator(world)
    operator.give("status")
    world.reconcile()

    assert ({}, set()) == (operator.member.members(), operator.member.alarms())


def test_damaged_records_change_nothing(world: World) -> None:
    """Whichever part of a record is another, and wherever it is cut: no order, no answer, nothing done."""
    operator = Operator(world)
    slot, data = operator.seal(operator.order("hold"))
    found = operator.put(*((slot, mutated(data, number)) for number in range(250)))
    done = world.reconcile()

    assert {slot} == set(found)
    assert [] == [each for each in done if each in QUIET]
    assert operator.member.reply() is None
