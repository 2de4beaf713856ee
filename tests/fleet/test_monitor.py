"""A fleet with what watches it beside it: its pages, read as a browser of this machine reads them."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator

import pytest

from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.run import run
from tests.support.baking import invoke
from tests.support.waiting import until

#: The first test also waits for the image to be baked, and the machines to boot.
pytestmark = [pytest.mark.long, pytest.mark.timeout(2700)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, str]]:
    """A fleet that signs, and what its start printed."""
    folder = tmp_path_factory.mktemp("fleet") / "watched"
    try:
        said = invoke("fleet", "up", "--monitor", "--folder", folder, timeout=1500)
        assert said.code == 0, said.stdout + said.stderr
        yield Fleet.find(folder), said.stdout
    finally:
        story.down(folder)


def test_its_pages_are_printed_and_show_real_machines(watched: tuple[Fleet, str]) -> None:
    """Prometheus reads every machine, nothing fires while all is well, and the watch shows each node."""
    fleet, printed = watched
    pages = fleet.state.pages
    assert [] == [url for url in pages.values() if url not in printed]

    assert until(lambda: len(_query(pages["Prometheus"], 'up{job="goldnode"} == 1')) == len(fleet.state.vms), 60, 2)
    assert until(lambda: not _query(pages["Prometheus"], 'ALERTS{alertstate="firing"}'), 180, 5)
    state = json.loads(_read(f"{pages['watch']}state.json"))
    assert {node.name for vm in fleet.state.vms for node in vm.nodes} == {node["name"] for node in state["nodes"]}
    print(dict(pages), [(node["name"], node["state"]) for node in state["nodes"]])


def test_a_machine_that_loses_power_is_told_of(watched: tuple[Fleet, str]) -> None:
    """The alert fires by the rules as shipped, and Alertmanager shows it."""
    fleet, _ = watched
    pages, name = fleet.state.pages, "sentry-2"
    fleet.power_off(name)

    assert until(lambda: "MachineDown" in _read(f"{pages['Alertmanager']}api/v2/alerts"), 180, 2)
    assert until(lambda: "silent" in _read(f"{pages['watch']}state.json"), 10)
    fleet.power_on(name)


def _query(prometheus: str, expr: str) -> list[object]:
    text = _read(f"{prometheus}api/v1/query?{urllib.parse.urlencode({'query': expr})}")
    found: list[object] = json.loads(text)["data"]["result"] if text else []
    return found


def _read(url: str) -> str:
    return run(["curl", "--silent", "--fail", "--max-time", "5", url], check=False).stdout
