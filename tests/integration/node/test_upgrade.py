"""Upgrades in place: a vote on the chain, two builds of wasmd, and nobody typing."""

from __future__ import annotations

import functools
import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from goldnode.errors import HostError
from goldnode.node import rungs, upgrades
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.upgrade import program
from tests.integration.node.fleet import WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, write_genesis
from tests.integration.node.vote import Voters, quick
from tests.support import wasmd_next
from tests.support.node_lab import seed
from tests.support.waiting import until

#: wasmd is built twice first, which takes minutes where it has not been.
pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(2400)]
KEY = Key(seed("hidden"))
#: The height of the upgrade: by then the fleet signs, and the vote is over.
HEIGHT = 260
RUNG = {"name": wasmd_next.GOOD, "height": HEIGHT, "version": wasmd_next.VERSION, "pre_upgrade_copy": True}


def equip(host: Host, *, wrong: bool = False) -> None:
    """What a bake, or a fetch, leaves on a machine: the ladder, and the next version; with ``wrong``, a damaged one."""
    library, built = host.tree.layout.library, wasmd_next.build()
    path = library / "network.json"
    document: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"upgrades": [RUNG]}))
    goal = program(library, "wasmd", wasmd_next.VERSION)
    draft = library / "draft"
    (draft / "bin").mkdir(parents=True)
    (draft / "lib").mkdir()
    (draft / "bin" / "wasmd").symlink_to(built.binary)
    (draft / "lib" / "libwasmvm.so").symlink_to(built.libraries[0])
    goal.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    rungs.settle(draft, goal)
    if wrong:
        goal.unlink()
        goal.write_text("damaged")


def mend(host: Host) -> None:
    """The right version, fetched again."""
    shutil.rmtree(host.tree.layout.library / "daemons")
    equip(host)


def following(sentry: Host) -> bool:
    """Whether a sentry is at the tip."""
    return sentry.node().get("state") == "following"


def log(host: Host) -> str:
    """What its daemon logged."""
    return host.tree.layout.at(f"/var/log/goldnode-node@{host.name}.service.log").read_text(errors="replace")


def height(made: Fleet) -> int:
    """The chain's; 0 while the one who is asked switches."""
    try:
        return int(made.ask("status")["sync_info"]["latest_block_height"])
    except HostError:
        return 0


def made_at(made: Fleet, number: int) -> float:
    """When a block was made, in Unix seconds."""
    text = made.ask(f"block?height={number}")["block"]["header"]["time"]
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp() + float("0." + text[20:-1])


def test_everybody_passes_an_upgrade_with_nobody_typing(tmp_path: Path) -> None:
    """Validator and sentries halt, notice, keep a copy, switch and sign on; a damaged binary is said long before."""
    tools, built = programs(tmp_path / "programs", name="localwasm"), wasmd_next.build()
    folder = tmp_path / "fleet"
    folder.mkdir()
    with fleet(folder, tools, name="localwasm") as made:
        write_genesis(made, {KEY: 10}, quick=True, change=quick)
        validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2)
        sentries = [made.add(name, "sentry") for name in ("s-1", "s-2")]
        for host in (validator, *sentries):
            equip(host, wrong=host is sentries[1])
        bring(validator, KEY)
        for host in (*sentries, validator):
            host.boot()
        assert until(lambda: all(sentry.node() for sentry in sentries), 60)
        made.outside(sentries, built.binary)
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()

        told = [host.node()["upgrade"] for host in (validator, *sentries)]
        assert [wasmd_next.GOOD] * 3 == [each["name"] for each in told]
        assert ["verified", "verified", "WRONG HASH"] == [each["binary"] for each in told]
        assert told[0]["blocks"] > 50, "the test is too slow for its height"
        mend(sentries[1])
        Voters(made).upgrade(wasmd_next.GOOD, HEIGHT, ["hidden-0", *(who.name for who in WORLD)])
        assert until(lambda: sentries[1].node()["upgrade"]["binary"] == "verified", 60)
        assert height(made) < HEIGHT, "the vote came too late"

        assert until(lambda: height(made) > HEIGHT + 10, 300), log(validator)[-3000:]
        hosts = (validator, *sentries)
        for host in hosts:
            switched = functools.partial(lambda each: each.node().get("version") == wasmd_next.VERSION, host)
            assert until(switched, 60), host.console.read_text()
            node = host.tree.layout.node(host.name)
            assert upgrades.copy_of(node, wasmd_next.GOOD).is_dir()
            assert not (upgrades.copy_of(node, wasmd_next.GOOD) / "priv_validator_state.json").exists()
        assert until(lambda: KEY.address in made.signers(), 60), log(validator)[-3000:]
        assert until(lambda: following(sentries[0]) and following(sentries[1]), 60)
        halt = made_at(made, HEIGHT) - made_at(made, HEIGHT - 1)
        missed = [number for number in range(HEIGHT, HEIGHT + 8) if KEY.address not in made._rpc.signers(number + 1)]
        print(f"halt {halt:.1f} s, missed {missed}")
        assert halt < 60
