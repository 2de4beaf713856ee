"""Three sentries keep the lease of the validator behind them: real etcd, over the mesh, and no second store ever."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.fleet.plan import timing
from goldnode.node.plan.inputs import read_image
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.races import AHEAD, BLOCK_TIME, KEY, PACE
from tests.integration.node.scenarios import bring, write_genesis
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1500)]
CONFIG: dict[str, Any] = {"config": {"config.toml": timing(PACE)}}


def identified(made: Fleet, name: str) -> tuple[Host, str]:
    """A sentry whose image has etcd, after a first boot, and its node ID."""
    host = made.add(name, "sentry", **CONFIG)
    etcd = host.tree.layout.at("/usr/bin/etcd")
    etcd.parent.mkdir(parents=True)
    etcd.symlink_to(str(shutil.which("etcd")))
    found, _ = host.tree.configure()
    return host, found.facts[name].node_id


def serves(host: Host, named: list[str]) -> None:
    """Have a sentry keep leases with others, as a person does: edit its node.yaml, `goldnode apply FILE`."""
    layout = host.tree.layout
    file = layout.root / "node.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(layout.node_yaml.read_text()) | {"serve_lease": named}))
    run([sys.executable, "-m", "goldnode.node", "--root", layout.root, "apply", file], cwd=REPOSITORY)


def lease(host: Host) -> dict[str, Any]:
    """What the validator's lease keeper said last."""
    try:
        return dict(json.loads(host.tree.layout.node(host.name).lease_status.read_text()))
    except (OSError, ValueError):
        return {}


def logs(host: Host) -> str:
    """What a machine and its etcd printed."""
    etcd = host.tree.layout.at(f"/var/log/goldnode-store@{host.name}.service.log")
    return host.console.read_text() + (etcd.read_text(errors="replace")[-3000:] if etcd.exists() else "")


def all_logs(validator: Host, sentries: list[Host]) -> str:
    """What the lease keeper said last, and what the machines printed."""
    return "\n".join([str(lease(validator)), validator.console.read_text(), *map(logs, sentries)])


def test_three_sentries_keep_the_lease() -> None:
    """One may die; with two gone signing stops at hi; a new one in their place forms nothing; one back helps."""
    with tempfile.TemporaryDirectory(prefix="gnr") as name, fleet(Path(name), programs(Path(name) / "p")) as made:
        write_genesis(made, {KEY: 8})
        three = [identified(made, f"s-{number}") for number in (1, 2, 3)]
        sentries, named = [host for host, _ in three], [node_id for _, node_id in three]
        for host in sentries:
            serves(host, named)
        url = f"etcd://{','.join(named)}/goldnode"
        validator = made.add("val-1", "validator", consensus_key="existing", lease=url, **CONFIG)
        layout = validator.tree.layout
        network = json.loads((layout.library / "network.json").read_text())
        validator.tree.write("/usr/lib/goldnode/network.json", json.dumps({**network, "block_time": BLOCK_TIME}))
        assert BLOCK_TIME == read_image(layout).network.block_time
        bring(validator, KEY)
        for host in (*sentries, validator):
            host.boot()
        assert until(lambda: all(each.node() for each in sentries), 120), sentries[0].console.read_text()
        made.outside(sentries)
        height = made._rpc.height

        def signed(first: int, last: int) -> list[int]:
            return [each for each in range(first, last + 1) if KEY.address in made._rpc.signers(each + 1)]

        assert until(lambda: lease(validator).get("state") == "held", 240), all_logs(validator, sentries)
        assert until(lambda: KEY.address in made.signers(), 60), lease(validator)

        sentries[0].lose_power()
        died, hi = height(), int(lease(validator)["hi"])
        assert until(lambda: height() > max(hi, died) + 2 * AHEAD, 240, every=1)
        alone = signed(hi + 2, height() - 2)
        print(f"{named[0]} died at {died}, granted up to {hi}: since then {len(alone)} blocks signed above that")

        sentries[1].lose_power()
        hi = int(lease(validator)["hi"])
        assert until(lambda: height() > hi + AHEAD, 240, every=1)
        stopped, top = signed(hi - AHEAD, height() - 2), int(lease(validator)["hi"])
        said = str(lease(validator)["reason"])
        print(f"two are gone: granted up to {top}, signed last {max(stopped)}: {said}")

        stranger, _ = identified(made, "s-4")
        serves(stranger, named)
        stranger.boot()
        assert until(lambda: bool(stranger.node()), 60), stranger.console.read_text()
        waited = height()
        assert until(lambda: height() > waited + AHEAD, 120, every=1)
        lonely = signed(waited, height() - 2)

        sentries[1].boot()
        assert until(lambda: signed(height() - 3, height() - 2), 240, every=1), (lease(validator), logs(sentries[1]))
        print(f"signs again at {height()}")
        assert alone
        assert max(stopped) <= top
        assert "does not answer" in said or "says 5" in said
        assert "not one of the three" in stranger.console.read_text()
        assert not stranger.tree.layout.at("/var/log/goldnode-store@s-4.service.log").exists()
        assert [] == lonely
