"""Debian by its date: a snapshot service that answers, on this machine, with what the mirror has."""

from __future__ import annotations

import contextlib
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake import base as bases
from goldnode.bake import debian_today, snapshot
from goldnode.errors import HostError
from goldnode.progress import SILENT
from goldnode.run import run

#: What this service has: a state of this morning.
STATE = "20261129T060000Z"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@dataclass
class SnapshotServer:
    """A snapshot service: sends every instant on to the state it has, which is what the mirror has today.

    Attributes:
        url: Address of its archives.
        served: Instants below which something was given.
    """

    url: str = ""
    served: set[str] = field(default_factory=set)


def mirrors() -> dict[str, str]:
    """Where this machine's apt finds Debian's archives, by the name that a service gives them."""
    found = {}
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]).stdout.splitlines():
        address, release = line.split()
        found["debian-security" if release.endswith("-security") else "debian"] = address.rstrip("/")
    return found


@pytest.fixture(scope="module")
def service() -> Iterator[SnapshotServer]:
    """One that runs."""
    archives, server = mirrors(), SnapshotServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, archive, stamp, rest = self.path.split("/", 3)
            if stamp != STATE:
                self.send_response(302)
                self.send_header("Location", f"{server.url}/{archive}/{STATE}/{rest}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            server.served.add(stamp)
            try:
                with urllib.request.urlopen(f"{archives[archive]}/{rest}") as answer:  # noqa: S310 - the mirror
                    body = answer.read()
            except urllib.error.HTTPError as error:
                self.send_error(error.code)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield server
        listening.shutdown()


@pytest.fixture
def known(service: SnapshotServer, monkeypatch: pytest.MonkeyPatch) -> snapshot.Service:
    """It, as an operator names it."""
    monkeypatch.setenv(snapshot.SETTING, service.url)
    found = snapshot.known()
    assert found
    return found


def test_a_service_that_answers_names_its_state(known: snapshot.Service) -> None:
    """Asked for now, it has this morning; a service that is away is a sentence."""
    assert STATE == snapshot.newest(known, bases.SUITE, NOW.strftime(snapshot.STAMP))
    away = snapshot.Service("http://127.0.0.1:9/debian/@SNAPSHOTID@/", known.security)
    with pytest.raises(HostError, match="the snapshot service does not answer"):
        snapshot.newest(away, bases.SUITE, STATE)


def test_apts_own_setting_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where apt knows Debian's service it is used; an apt of before that knows none, and neither do we."""
    monkeypatch.delenv(snapshot.SETTING, raising=False)
    apt_knows = "@SNAPSHOTID@" in run(["apt-config", "dump", "Acquire::Snapshots"]).stdout

    assert apt_knows == (snapshot.known() is not None)


def test_debians_index_is_of_that_state(known: snapshot.Service, service: SnapshotServer) -> None:
    """Apt looks nowhere but at the state, verifies what it finds, and the index has packages of both archives."""
    service.served.clear()

    found = debian_today.offers("amd64", (known, STATE))

    assert {STATE} == service.served
    assert {True, False} == {offer.security for offers in found.values() for offer in offers}
    assert len(found["bash"]) >= 1


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [("1:1", "2", True), ("1.0~rc1", "1.0", False), ("1.0-1+deb13u10", "1.0-1+deb13u9", True), ("1", "1", False)],
)
def test_versions_are_compared_as_debian_does(version: str, than: str, newer: bool) -> None:
    """Epochs, tildes and numbers count as dpkg counts them."""
    assert newer == debian_today.is_newer(version, than)


def test_afterwards_the_mirror_stands_where_it_stood(known: snapshot.Service, tmp_path: Path) -> None:
    """A machine is not tied to the past: its list is the mirror's, byte for byte, with and without signed-by."""
    apt = tmp_path / "etc" / "apt"
    (apt / "apt.conf.d").mkdir(parents=True)
    lines = "deb http://m.example/debian trixie main\ndeb [signed-by=/k.gpg] http://m.example/s trixie-security main\n"
    (apt / "sources.list").write_text(lines)

    def do(hooks: list[str]) -> None:
        for hook in hooks:
            run(["sh", "-ec", hook, "hook", tmp_path])

    do([hook.replace("$1", str(tmp_path)) for hook in snapshot.setup_hooks(known, STATE)])
    main, security = (each.replace("@SNAPSHOTID@", STATE) for each in (known.main, known.security))
    assert (
        f"deb {main} trixie main\ndeb [signed-by=/k.gpg] {security} trixie-security main\n"
        == (apt / "sources.list").read_text()
    )
    do([hook.replace("$1", str(tmp_path)) for hook in snapshot.customize_hooks()])

    assert lines == (apt / "sources.list").read_text()
    assert ["apt.conf.d", "sources.list"] == sorted(path.name for path in apt.iterdir())
    assert [] == list((apt / "apt.conf.d").iterdir())


@pytest.mark.long
def test_a_base_is_made_of_a_state(
    known: snapshot.Service, service: SnapshotServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every package comes from the state that the service has, the base says so, and its own apt knows the mirror."""
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    service.served.clear()
    spec = bases.BaseSpec("amd64", bases.package_list("machine"))

    made = bases.assemble(spec, SILENT, now=lambda: NOW, service=known)

    assert (STATE, {STATE}) == (made.snapshot, service.served)
    assert made == bases.find(spec)
    assert "bash" in {name for name, _, _ in made.packages}
