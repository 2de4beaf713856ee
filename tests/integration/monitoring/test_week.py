"""A week of a real fleet with SSH shut, every step by an order, and no block that its validator did not sign."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from goldnode.fleet.plan import timing
from goldnode.node.keys.cometbft_keys import Key
from tests.integration.node.fleet import RENDEZVOUS, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, expect_blocks, write_genesis
from tests.integration.node.test_orders import settings_of, types
from tests.support.node_lab import seed
from tests.support.order_lab import operators_folder
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1500)]
KEY = Key(seed("hidden"))
#: Seconds between blocks: about what the Cosmos Hub has.  A daemon is back before the next one.
PACE = 6
#: CometBFT's flag of a signature that is for no block.
FOR_NO_BLOCK = 3


@dataclass(frozen=True)
class Week:
    """A validator that signs behind two sentries, and its operator."""

    made: Fleet
    validator: Host
    sentries: list[Host]

    @property
    def height(self) -> int:
        """The chain's."""
        return self.made._rpc.height()

    def order(self, line: str) -> str:
        """Give an order that is carried out; what was printed."""
        code, said = types(self.made, f"node {line} --cluster lab")
        assert 0 == code, said
        return said

    def missed(self, first: int) -> tuple[int, list[int]]:
        """How many blocks there were since a height, and those whose commit lacks the validator's signature.

        As slashing counts: a vote that came too late for the block, and so is for none, is a signature too.
        """
        blocks = range(first, self.height - 1)
        votes = {each: self._vote(each) for each in blocks}
        late = [each for each, flag in votes.items() if flag == FOR_NO_BLOCK]
        print(f"{len(blocks)} blocks, of them for no block: {late}")
        return len(blocks), [each for each, flag in votes.items() if not flag]

    def _vote(self, height: int) -> int:
        """CometBFT's flag of the validator's signature in a block's commit; 0 without one."""
        block = self.made.ask(f"block?height={height + 1}")["block"]
        given = {each["validator_address"]: each["block_id_flag"] for each in block["last_commit"]["signatures"]}
        return int(given.get(KEY.address, 0))


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    """A localwasm chain of an ordinary pace."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    with fleet(tmp_path_factory.mktemp("fleet"), tools, name="localwasm") as made:
        write_genesis(made, {KEY: 10}, pace=PACE)
        more: dict[str, Any] = {"config": {"config.toml": timing(PACE)}}
        validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2, **more)
        sentries = [made.add(name, "sentry", **more) for name in ("s-1", "s-2")]
        bring(validator, KEY)
        for host in (*sentries, validator):
            expect_blocks(host, PACE)
            host.boot()
        assert until(lambda: all(sentry.node() for sentry in sentries), 60)
        made.outside(sentries)
        operators_folder(made.folder / "clusters", RENDEZVOUS)
        assert until(lambda: all(host.node().get("healthy") for host in (validator, *sentries)), 240)
        yield Week(made, validator, sentries)


def test_a_gas_price_changes_on_every_node_without_a_missed_block(week: Week) -> None:
    """Each daemon is started anew to read it: the sentries' one by one, the validator's right after a block."""
    first, hosts = week.height, (*week.sentries, week.validator)
    starts = {host.name: host.starts() for host in hosts}

    for host in hosts:
        began = time.monotonic()
        week.order(f"{host.name} config set gas-prices=0.025stake --within 300")
        print(f"{host.name}: its gas price is in force after {time.monotonic() - began:.0f} s")
    time.sleep(3 * PACE)

    assert all('minimum-gas-prices = "0.025stake"' in settings_of(host) for host in hosts)
    assert {name: count + 1 for name, count in starts.items()} == {host.name: host.starts() for host in hosts}
    blocks, missed = week.missed(first)
    print(f"gas prices: {blocks} blocks, unsigned: {missed}")
    assert [] == missed


def test_all_sentries_roll_while_the_validator_signs_every_height(week: Week) -> None:
    """One order after the other, each when the sentry before is well again."""
    first = week.height
    starts = {host.name: host.starts() for host in week.sentries}

    week.order("roll")
    time.sleep(3 * PACE)

    assert {name: count + 1 for name, count in starts.items()} == {host.name: host.starts() for host in week.sentries}
    blocks, missed = week.missed(first)
    print(f"roll: {blocks} blocks, unsigned: {missed}")
    assert [] == missed


def test_a_validator_restarts_without_a_missed_block(week: Week) -> None:
    """Three times in a row."""
    first = week.height

    for _ in range(3):
        week.order("val-1 restart --within 300")
    time.sleep(3 * PACE)

    blocks, missed = week.missed(first)
    print(f"three restarts: {blocks} blocks, unsigned: {missed}")
    assert [] == missed
