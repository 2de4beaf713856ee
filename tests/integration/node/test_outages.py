"""What a machine's surroundings do to a real daemon (names, disk, clock), and the reason that status gives."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run
from tests.integration.node.fleet import WORLD, Fleet, Host, fleet
from tests.integration.node.lone import lone
from tests.integration.node.nameserver import Misdeed
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import write_genesis
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]
NAME = "seed.example.org"
STRANGER = Key(seed("a seed that somebody else answers for")).node_id
#: Where nobody is.
NOWHERE = "10.255.255.1"
#: What the name server does → what status says.
REASONS = {
    Misdeed.SILENT: f"the name {NAME} does not resolve: resolvectl query {NAME}",
    Misdeed.FAILS: f"the name {NAME} does not resolve: resolvectl query {NAME}",
    Misdeed.DENIES: f"the name {NAME} does not resolve: resolvectl query {NAME}",
    Misdeed.GARBAGE: f"the name {NAME} does not resolve: resolvectl query {NAME}",
    # Another node, which proves who it is.
    WORLD[1].address: f"another node answers where {STRANGER[:8]} should",
    NOWHERE: "none of its seeds answers",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose world makes blocks."""
    with fleet(tmp_path_factory.mktemp("fleet"), programs(tmp_path_factory.mktemp("programs"))) as empty:
        write_genesis(empty, {})
        empty.outside([])
        yield empty


def test_a_name_server_that_fails_is_told(made: Fleet) -> None:
    """It is silent, fails, denies, sends noise, or names somebody else: status tells which name, and what to type."""
    host = made.add("s-names", "sentry")
    network = host.tree.layout.library / "network.json"
    document = json.loads(network.read_text())
    network.write_text(json.dumps({**document, "seeds": [f"{STRANGER}@{NAME}:26656"]}))
    way = made.folder / "nameserver"
    way.write_text(Misdeed.SILENT)
    settings = Path("/etc/netns") / host.space / "resolv.conf"
    settings.parent.mkdir(parents=True)
    made.stack.callback(settings.parent.rmdir)
    settings.write_text(f"nameserver {WORLD[0].address}\noptions timeout:1 attempts:1\n")
    made.stack.callback(settings.unlink)
    argv = [sys.executable, "-m", "tests.integration.node.nameserver", WORLD[0].address, way]
    made.stack.enter_context(made.inside(made.world, argv))

    said = {}
    for misdeed, wanted in REASONS.items():
        way.write_text(misdeed)
        host.boot()
        until(lambda wanted=wanted: wanted in reason(host), 60)  # type: ignore[misc]
        said[misdeed] = reason(host)
    host.halt()

    assert {} == {each: text for each, text in said.items() if REASONS[each] not in text}


def test_a_full_disk_is_told_and_room_is_enough(made: Fleet) -> None:
    """A volume that fills up: the daemon is stopped before it breaks its database, and goes on by itself with room."""
    place = made.folder / "s-disk"
    with mounted(made.folder / "disk", place, 1 << 30):
        host = made.add("s-disk", "sentry", peers=[who.peer for who in WORLD])
        host.boot()
        assert until(lambda: host.node().get("state") == "following", 90), host.console.read_text()
        filler = place / "somebody-elses"
        run(["fallocate", "-l", str(shutil.disk_usage(place).free - (64 << 20)), filler])

        full = "stopped: the disk is almost full, and it starts again with 512 MiB free: df -h"
        assert until(lambda: reason(host) == full, 30), reason(host)
        assert not until(lambda: reason(host) != full, 10)
        filler.unlink()
        assert until(lambda: host.node().get("state") == "following", 90), host.console.read_text()
        host.halt()


def test_a_disk_that_fills_at_once_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full between two looks of the agent: what the daemon panics with is the reason."""
    place = tmp_path / "place"
    with mounted(tmp_path / "disk", place, 64 << 20), lone(tmp_path, place / "home", monkeypatch) as alone:
        assert until(lambda: alone.height() >= 2, 60), alone.log.read_text()
        run(["dd", "if=/dev/zero", f"of={place / 'somebody-elses'}", "bs=64K"], check=False)

        assert until(lambda: "the disk is full" in alone.reason(), 60), (
            f"{alone.reason()}\n{alone.log.read_text()[-2000:]}"
        )


def test_a_clock_that_is_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour behind a real chain, or set an hour ahead while it is followed: status tells, and what to type."""
    with lone(tmp_path, tmp_path / "home", monkeypatch) as alone:
        assert until(lambda: alone.height() >= 2, 60), alone.log.read_text()
        right = alone.reason()
        alone.offset = -3600
        behind = alone.reason()
        alone.offset = 3600
        jumped = alone.reason()
        alone.offset = 0
        again = alone.reason()

    assert ["", ""] == [right, again]
    assert re.fullmatch(r"this machine's clock is 3[56]\d\d s behind the chain's: chronyc tracking", behind)
    assert re.fullmatch(r"this machine's clock jumped by \+3[56]\d\d s: chronyc tracking", jumped)


def reason(host: Host) -> str:
    """What `goldnode status` says of its node."""
    return str(host.node().get("reason", ""))


@contextlib.contextmanager
def mounted(disk: Path, place: Path, size: int) -> Iterator[None]:
    """A file system of its own, on a file of that many bytes."""
    with disk.open("wb") as stream:
        stream.truncate(size)
    run(["mkfs.ext4", "-q", "-m", "0", disk])
    place.mkdir()
    run(["mount", "-o", "loop", disk, place])
    try:
        yield
    finally:
        run(["umount", "--lazy", place])
