"""What is put on a miniature fleet's machines: a chain, and validators that sign behind their sentries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from goldnode.fleet import external_validators, genesis, history
from goldnode.fleet.genesis import Validator
from goldnode.fleet.plan import PACE
from goldnode.node import configure, node_yaml
from goldnode.node.keys import archive
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState
from goldnode.node.plan import daemon_config
from goldnode.node.plan.inputs import read_image
from tests.integration.node.fleet import WORLD, Fleet, Host
from tests.support.node_lab import Cluster, seed
from tests.support.waiting import until

#: The power of each: they need each other.
POWER = 15
#: Voting power with which a hidden validator is needed for every block.
NEEDED = 20
#: A world that makes its past quickly.
QUICK = {"config.toml": {"consensus.timeout_commit": "300ms", "consensus.peer_gossip_sleep_duration": "20ms"}}


def hidden_and_sentries(made: Fleet, power: int = 10) -> tuple[Host, list[Host]]:
    """A validator with a key of its own and two sentries, booted and signing."""
    key = Key(seed("hidden"))
    write_genesis(made, {key: power})
    validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2)
    sentries = [made.add(name, "sentry") for name in ("s-1", "s-2")]
    bring(validator, key)
    for host in (*sentries, validator):
        host.boot()
    assert until(lambda: all(sentry.node() for sentry in sentries), 30)
    made.outside(sentries)
    assert until(lambda: validator.node().get("signing"), 120), validator.console.read_text()
    return validator, sentries


def all_on_one_machine(made: Fleet) -> Host:
    """A validator and its two sentries on one machine, named after one of them, signing; no block without it."""
    key = Key(seed("hidden"))
    write_genesis(made, {key: NEEDED})
    nodes: list[dict[str, object]] = [
        {"name": name, "role": role, "join": made.cluster.invite(role)}
        for name, role in (("s-1", "sentry"), ("s-2", "sentry"), ("val-1", "validator"))
    ]
    nodes[-1] |= {"consensus_key": "existing", "min_sentries": 2}
    host = made.add("s-1", "multi-node", nodes=nodes)
    bring(host, key)
    host.boot()
    assert until(lambda: bool(host.node()), 60), host.console.read_text()
    made.outside([host])
    assert until(lambda: host.node("val-1").get("signing"), 150), host.console.read_text()
    return host


def three_clusters_on_one_machine(made: Fleet) -> tuple[Host, dict[str, Key]]:
    """Validators of three clusters on one machine, their sentries on another, all of them signing.

    There is no block without the first and the third of them.
    """
    keys = {f"v-{n}": Key(seed(f"hidden {n}")) for n in (1, 2, 3)}
    write_genesis(made, dict(zip(keys.values(), (2 * NEEDED, 5, 2 * NEEDED), strict=True)))
    clusters = {name: Cluster(name) for name in keys}
    signing, public = (
        made.add(
            host,
            "multi-node",
            nodes=[
                {"name": name.replace("v", prefix), "role": role, "join": clusters[name].invite(role), **more}
                for name in keys
            ],
        )
        for host, prefix, role, more in (
            ("v-1", "v", "validator", {"consensus_key": "existing"}),
            ("s-1", "s", "sentry", {}),
        )
    )
    for name, key in keys.items():
        bring(signing, key, name)
    for host in (public, signing):
        host.boot()
    assert until(lambda: bool(public.node()), 60), public.console.read_text()
    made.outside([public])
    assert until(lambda: all(signing.node(name).get("signing") for name in keys), 150), signing.console.read_text()
    return signing, keys


def bring(host: Host, key: Key, name: str = "val-1", state: SigningState | None = None) -> None:
    """Configure once, and import a validator's key, as a person would; with a state one that has signed up to there."""
    layout = host.tree.layout
    image = read_image(layout)
    configure.configure(layout, node_yaml.in_force(layout, image), image, host.tree.system)
    if state is None:
        archive.bring_unused(layout.node(name), key)
    else:
        archive.bring(layout.node(name), key, state, used=True)


def expect_blocks(host: Host, pace: int) -> None:
    """Let its network file say how many seconds are between blocks here, as those of real networks do."""
    path = host.tree.layout.library / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"block_time": pace}))


def write_genesis(
    fleet: Fleet,
    hidden: Mapping[Key, int],
    *,
    past: bool = False,
    quick: bool = False,
    pace: int = PACE,
    change: genesis.Change = lambda _: None,
) -> None:
    """A chain of the world's two validators, and the hidden ones with their powers.

    The world's two need each other, and suffice when the hidden ones together have less than 15.  With
    a ``past`` they are quick until they rest, keep few blocks, take snapshots and serve RPC to the fleet's network;
    ``quick`` without a past.  Without either there are ``pace`` seconds between blocks.
    """
    validators = [Validator(who.name, who.key, POWER) for who in WORLD]
    validators += [Validator(f"hidden-{n}", key, power) for n, (key, power) in enumerate(hidden.items())]

    def altered(document: dict[str, Any]) -> None:
        if past:
            history.shorten(document)
        change(document)

    voters = fleet.folder / "voters"
    made = genesis.genesis(fleet.program, validators, datetime.now(UTC), altered, voters)
    fleet.genesis = made.decode()
    for who in WORLD:
        more = history.settings(who, external_validators.RPC) if past else None
        if quick:
            more = daemon_config.merge(history.serving(who, external_validators.RPC), QUICK)
        external_validators.prepare(fleet.home(who), who, WORLD, fleet.program, made, pace, more)
