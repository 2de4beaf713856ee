"""Upgrades in place: a vote on the chain, two builds of wasmd, and nobody typing."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from goldnode.errors import HostError
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.upgrade import program
from goldnode.node.versions import rungs, upgrades
from tests.integration.node.fleet import WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, write_genesis
from tests.integration.node.vote import Voters, quick
from tests.support import wasmd_next
from tests.support.node_lab import Person, seed
from tests.support.waiting import until

#: wasmd is built twice first, which takes minutes where it has not been.
pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(2400)]
KEY = Key(seed("hidden"))
#: The heights of the upgrades: a hundred blocks before the first, the fleet signs and tells of it; either vote is over.
HEIGHT, BROKEN_HEIGHT = 340, 260
#: Seconds in which the chain gets there on a machine with other work.
LONG = 900
#: What a release that nobody tested says at its first block.
FAILS = "this release was never tested"


def equip(host: Host, *, wrong: bool = False, plan: str = wasmd_next.GOOD) -> None:
    """What a bake, or a fetch, leaves on a machine: the ladder, and the next version; with ``wrong``, a damaged one."""
    library, built = host.tree.layout.library, wasmd_next.build()
    path = library / "network.json"
    document: dict[str, Any] = json.loads(path.read_text())
    at = HEIGHT if plan == wasmd_next.GOOD else BROKEN_HEIGHT
    rung = {"name": plan, "height": at, "version": wasmd_next.VERSION, "pre_upgrade_copy": True}
    path.write_text(json.dumps(document | {"upgrades": [rung]}))
    goal = program(library, "wasmd", wasmd_next.VERSION)
    draft = library / "draft"
    (draft / "bin").mkdir(parents=True)
    (draft / "lib").mkdir()
    (draft / "lib" / "libwasmvm.so").symlink_to(built.libraries[0])
    if plan == wasmd_next.GOOD:
        (draft / "bin" / "wasmd").symlink_to(built.binary)
    else:
        (draft / "bin" / "wasmd").write_text(f'#!/bin/sh\n{wasmd_next.SWITCH}=1 exec {built.binary} "$@"\n')
        (draft / "bin" / "wasmd").chmod(0o755)
    goal.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    rungs.settle(draft, goal)
    if wrong:
        goal.unlink()
        goal.write_text("damaged")


def mend(host: Host, plan: str = wasmd_next.GOOD) -> None:
    """The right version, fetched again."""
    shutil.rmtree(host.tree.layout.library / "daemons")
    equip(host, plan=plan)


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


def begin(made: Fleet, plan: str = wasmd_next.GOOD) -> tuple[Host, list[Host]]:
    """A validator that is about to sign and two sentries, equipped for a plan; the last one's binary is damaged."""
    write_genesis(made, {KEY: 10}, quick=True, change=quick)
    validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2)
    sentries = [made.add(name, "sentry") for name in ("s-1", "s-2")]
    for host in (validator, *sentries):
        equip(host, wrong=host is sentries[1], plan=plan)
    bring(validator, KEY)
    for host in (*sentries, validator):
        host.boot()
    assert until(lambda: all(sentry.node() for sentry in sentries), 60)
    return validator, sentries


def switched(host: Host) -> bool:
    """Whether a machine runs the next version, by its own word."""
    return host.node().get("version") == wasmd_next.VERSION


def failed_thrice(host: Host) -> bool:
    """Whether the next version ended at its first block, and again."""
    return log(host).count(FAILS) >= 3


def cut_at_every_step(host: Host, plan: str = wasmd_next.GOOD) -> list[str]:
    """Take a machine's power at each step of the switch as it comes to it; returns the steps.

    It halts, begins a copy, has one, says which version is next, and starts that.
    """
    node, starts = host.tree.layout.node(host.name), 0
    copy = upgrades.copy_of(node, plan)
    steps: dict[str, Callable[[], object]] = {
        "halted": (node.home / "data" / "upgrade-info.json").exists,
        "copying": lambda: copy.exists() or copy.with_name(f"{copy.name}.part").exists(),
        "copied": copy.exists,
        "marked": lambda: upgrades.started(node) == wasmd_next.VERSION,
        "started": lambda: host.starts() > starts,
    }
    for step, there in steps.items():
        assert until(there, LONG, every=0.02), f"{step}: {log(host)[-3000:]}"
        host.lose_power()
        starts = host.starts()
        host.boot()
    return list(steps)


def test_everybody_passes_an_upgrade_with_nobody_typing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Validator and sentries halt, notice, keep a copy, switch and sign on, whoever loses power meanwhile.

    A damaged binary is said a hundred blocks before; once the validator signed, nothing leads back.
    """
    tools, built = programs(tmp_path / "programs", name="localwasm"), wasmd_next.build()
    folder = tmp_path / "fleet"
    folder.mkdir()
    with fleet(folder, tools, name="localwasm") as made:
        validator, sentries = begin(made)
        made.outside(sentries, built.binary)
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()

        told = [host.node()["upgrade"] for host in (validator, *sentries)]
        assert [wasmd_next.GOOD] * 3 == [each["name"] for each in told]
        assert ["verified", "verified", "WRONG HASH"] == [each["binary"] for each in told]
        assert told[2]["blocks"] >= 100, "the test is too slow for its height"
        mend(sentries[1])
        Voters(made).upgrade(wasmd_next.GOOD, HEIGHT, ["hidden-0", *(who.name for who in WORLD)])
        assert until(lambda: sentries[1].node()["upgrade"]["binary"] == "verified", 60)
        assert height(made) < HEIGHT, "the vote came too late"

        identity = sentries[1].tree.layout.node("s-2").node_key.read_bytes()
        steps = cut_at_every_step(sentries[1])
        assert until(lambda: height(made) > HEIGHT + 10, LONG), log(validator)[-3000:]
        hosts = (validator, *sentries)
        for host in hosts:
            assert until(functools.partial(switched, host), 60), host.console.read_text()
            node = host.tree.layout.node(host.name)
            assert upgrades.copy_of(node, wasmd_next.GOOD).is_dir()
            assert not (upgrades.copy_of(node, wasmd_next.GOOD) / "priv_validator_state.json").exists()
        assert until(lambda: KEY.address in made.signers(), 60), log(validator)[-3000:]
        assert until(lambda: following(sentries[0]) and following(sentries[1]), 60)
        halt = made_at(made, HEIGHT) - made_at(made, HEIGHT - 1)
        signed = next(n for n in range(HEIGHT, height(made)) if KEY.address in made._rpc.signers(n + 1))
        back = made_at(made, signed) - made_at(made, HEIGHT - 1)
        with capsys.disabled():
            print(f"\nupgrade at {HEIGHT}, said {told[2]['blocks']} blocks before: the chain halted for {halt:.1f} s,"
                  f" the validator missed {signed - HEIGHT} blocks and signs after {back:.1f} s;"
                  f" the power of a sentry cut once it had {', '.join(steps)}")  # fmt: skip
        assert halt < 60
        assert identity == sentries[1].tree.layout.node("s-2").node_key.read_bytes()

        validator.halt()
        person = Person(validator.tree, capsys)
        person.types("stop", "--hold", "val-1")
        code, said = person.types("rollback", "val-1")
        assert (8, True) == (code, "going back could sign it twice" in said)
        assert wasmd_next.VERSION == upgrades.started(validator.tree.layout.node("val-1"))


def test_a_release_that_fails_is_gone_back_from_by_command_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends at its first block, again and again, until a person goes back; then the node skips it, and signs."""
    tools = programs(tmp_path / "programs", name="localwasm")
    folder = tmp_path / "fleet"
    folder.mkdir()
    with fleet(folder, tools, name="localwasm") as made:
        validator, sentries = begin(made, wasmd_next.BROKEN)
        mend(sentries[1], wasmd_next.BROKEN)
        hosts = (validator, *sentries)
        # The others have agreed to skip it, so the chain goes on without the fleet.
        made.outside(sentries, words=["--unsafe-skip-upgrades", str(BROKEN_HEIGHT)])
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()
        Voters(made).upgrade(wasmd_next.BROKEN, BROKEN_HEIGHT, ["hidden-0", *(who.name for who in WORLD)])
        assert height(made) < BROKEN_HEIGHT, "the vote came too late"

        steps = cut_at_every_step(validator, wasmd_next.BROKEN)
        assert until(lambda: height(made) > BROKEN_HEIGHT + 5, LONG)
        for host in hosts:
            assert until(functools.partial(switched, host), 90), host.console.read_text()
            assert until(functools.partial(failed_thrice, host), 90), log(host)[-3000:]
        node = validator.tree.layout.node("val-1")
        signed, key = node.signing_state.read_bytes(), node.consensus_key.read_bytes()
        assert str(BROKEN_HEIGHT) == json.loads(signed)["height"]
        assert KEY.address not in made.signers()
        assert 8 == Person(validator.tree, capsys).types("rollback", "val-1")[0]

        for host in hosts:
            host.halt()
            person = Person(host.tree, capsys)
            person.types("stop", "--hold", host.name)
            code, said = person.types("rollback", host.name)
            assert (0, True) == (code, f"runs {made.program.network.daemon.version}" in said), said
            assert 0 == person.types("start", host.name)[0]
        assert (signed, key) == (node.signing_state.read_bytes(), node.consensus_key.read_bytes())
        for host in (*sentries, validator):
            host.boot()

        assert until(lambda: KEY.address in made.signers(), 180), log(validator)[-3000:]
        assert made.program.network.daemon.version == validator.node()["version"]
        with capsys.disabled():
            print(f"\na release that fails at {BROKEN_HEIGHT}: gone back from by command, signs at {height(made)};"
                  f" the validator's power cut once it had {', '.join(steps)}")  # fmt: skip
