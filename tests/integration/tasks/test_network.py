"""The commands about networks, as people type them."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from invoke.context import Context

from goldnode.config import network, network_check
from goldnode.errors import Fault, InputError, SafetyError, UsageError
from goldnode.paths import REPOSITORY
from goldnode.run import Completed, run
from goldnode.tasks.network import check, details, import_, import_all, lock, networks, show, summary
from tests.support.programs import elf
from tests.support.release_host import serving

ID = "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0"
FILE = """\
version: 1
chain_id: example-1
daemon: {name: exampled, version: 1.0.0, home: .example, release: {amd64: {url: "https://h/d"}}}
genesis: {private: true}
"""


def invoke(*words: str) -> Completed:
    """Run one command of ours in this checkout."""
    return run([Path(sys.executable).with_name("invoke"), *words], cwd=REPOSITORY, check=False)


def test_the_list_has_every_network_and_what_to_do_about_unpinned_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """One row each; `pinned` is what a bake would find."""
    networks.body(Context(), json=True)
    rows = json.loads(capsys.readouterr().out)
    networks.body(Context())

    assert [row["name"] for row in rows] == network.names()
    assert all(row["ready"] == (not network.load(row["name"]).unpinned("amd64")) for row in rows)
    assert "coreum waits for: ./invoke network lock coreum" in capsys.readouterr().out


def test_check_reports_every_fault_of_every_file(tmp_path: Path) -> None:
    """Two wrong files, all faults of both, exit code 3; as JSON too."""
    files = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(FILE.replace("version: 1\n", "version: 7\n") + f"seeds: [team@host:1, {ID.upper()}@host:1]\n")
        files.append(str(path))
    (tmp_path / "three.yaml").write_text("a: [")

    done = invoke("network", "check", *files, str(tmp_path / "three.yaml"), "--json")

    assert done.returncode == 3
    assert [(Path(fault["file"]).stem, fault["line"], fault["path"]) for fault in json.loads(done.stdout)] == [
        ("one", 1, "version"),
        ("one", 5, "seeds[0]"),
        ("one", 5, "seeds[1]"),
        ("two", 1, "version"),
        ("two", 5, "seeds[0]"),
        ("two", 5, "seeds[1]"),
        ("three", 1, ""),
    ]
    assert "7 faults in network files" in done.stderr


def test_check_of_everything_that_ships_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    """No name means all; as JSON, no fault is an empty list."""
    check.body(Context(), [])
    told = capsys.readouterr().out
    check.body(Context(), ["localnet"], json=True)

    assert told == f"{len(network.names())} network files without fault\n"
    assert json.loads(capsys.readouterr().out) == []


def test_a_file_that_is_no_yaml_is_a_fault_among_others(tmp_path: Path) -> None:
    """One unreadable file does not hide the faults of the next."""
    (tmp_path / "one.yaml").write_text("a: [")
    (tmp_path / "two.yaml").write_text(FILE.replace("version: 1\n", "", 1))

    with pytest.raises(InputError, match="2 faults") as caught:
        check.body(Context(), [str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")])

    assert [fault.path for fault in caught.value.faults] == ["", "version"]


def test_show_and_lock_tell_what_is_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to lock says so; a document comes out as JSON; a table names the gaps."""
    path = tmp_path / "example.yaml"
    path.write_text(FILE)
    show.body(Context(), str(path), json=True)
    document = json.loads(capsys.readouterr().out)
    show.body(Context(), str(path))
    table = capsys.readouterr().out
    lock.body(Context(), "localnet")

    assert document["chain_id"] == "example-1"
    assert "daemon.release.amd64: https://h/d" in table
    assert "everything is pinned already" in capsys.readouterr().out


def test_lock_says_what_it_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hash, size and origin are printed, and that nobody vouches for them."""
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "example.yaml"
    with serving() as host:
        host.add("/d", elf())
        path.write_text(FILE.replace("https://h/d", host.url("/d")))
        lock.body(Context(), str(path))
    told = capsys.readouterr().out

    assert f"daemon.release.amd64: sha256 {hashlib.sha256(elf()).hexdigest()}, 64 bytes" in told
    assert "Trusted on first use" in told
    assert network.load(path).unpinned("amd64") == ()


def test_import_refuses_to_replace_a_network(tmp_path: Path) -> None:
    """An existing file is somebody's work."""
    with pytest.raises(UsageError, match="exists") as caught:
        import_.body(Context(), "osmosis", str(tmp_path))

    assert "--update" in caught.value.hint


def test_import_writes_a_network_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dirty chain.json becomes a file, and what was left out is printed."""
    chain = {
        "chain_id": "imported-1",
        "daemon_name": "d",
        "node_home": "$HOME/.d",
        "codebase": {
            "recommended_version": "v1",
            "binaries": {"linux/amd64": "https://h.org/d"},
            "genesis": {"genesis_url": "https://h.org/g"},
        },
        "peers": {"seeds": [{"id": "team", "address": "h:1"}]},
    }
    (tmp_path / "chain.json").write_text(json.dumps(chain))
    monkeypatch.setattr(network, "NETWORKS", tmp_path)

    import_.body(Context(), "imported", str(tmp_path))

    assert "seeds: left out 'team@h:1'" in capsys.readouterr().out
    assert network.load("imported").chain_id == "imported-1"


@pytest.mark.parametrize("name", network.names())
def test_every_network_can_be_shown(name: str) -> None:
    """List and details know every kind of network."""
    shipped = network.load(name)

    assert summary(shipped).sources
    assert dict(details(shipped))["chain id"] == shipped.chain_id


EXAMPLE = {
    "status": "live",
    "chain_id": "imported-1",
    "daemon_name": "exampled",
    "node_home": "$HOME/.example",
    "codebase": {
        "recommended_version": "v2.0.0",
        "binaries": {
            "linux/amd64": "https://h.org/exampled-2.0.0",
            "linux/arm64": "https://h.org/exampled-2.0.0-arm64",
        },
        "genesis": {"genesis_url": "https://h.org/g.json"},
    },
    "fees": {"fee_tokens": [{"denom": "uex", "fixed_min_gas_price": 0.1}]},
    "peers": {"seeds": [{"id": ID, "address": "seed.org:1"}]},
}


def registry(folder: Path, **changes: object) -> Path:
    """A chain's folder of a registry."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chain.json").write_text(json.dumps(EXAMPLE | changes))
    return folder


def test_an_update_keeps_what_people_wrote_and_shows_what_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pins, comments, own fields and own peers stay; a new peer comes in; a second update changes nothing."""
    monkeypatch.setattr(network, "NETWORKS", tmp_path)
    path = tmp_path / "example.yaml"
    mine = f"""\
# Mine.
version: 1
chain_id: imported-1
daemon:
  name: exampled
  version: 2.0.0  # what we run
  home: .example
  release:
    amd64: {{url: https://h.org/exampled-2.0.0, sha256: {"ab" * 32}, locked: 2026-11-20}}
  start_args: [--trace]
genesis:
  url: https://h.org/g.json  # ours
  sha256: {"cd" * 32}
minimum_gas_prices: 0.5uex  # more than they ask for
persistent_peers: [{ID}@friend.org:1]
single_validator: false
"""
    path.write_text(mine)
    chain = registry(tmp_path / "chain")

    import_.body(Context(), "example", str(chain), update=True, dry_run=True)
    untouched = path.read_text()
    import_.body(Context(), "example", str(chain), update=True)
    told = capsys.readouterr().out
    text = path.read_text()
    import_.body(Context(), "example", str(chain), update=True)

    assert mine == untouched
    assert [line for line in mine.splitlines() if line not in text.splitlines()] == []
    assert network.load(path).seeds == (f"{ID}@seed.org:1",)
    assert network.load(path).daemon.release["arm64"].url == "https://h.org/exampled-2.0.0-arm64"
    assert "+seeds:" in told
    assert "kept 0.5uex; the registry says 0.1uex" in told
    assert "is up to date" in capsys.readouterr().out
    assert text == path.read_text()


def test_an_update_never_makes_another_chain_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another chain's data, and another hash for a pinned URL, are refused; the file stays."""
    monkeypatch.setattr(network, "NETWORKS", tmp_path)
    import_.body(Context(), "example", str(registry(tmp_path / "chain")))
    before = (tmp_path / "example.yaml").read_text()

    with pytest.raises(SafetyError, match="is of imported-1, the registry's chain is other-1"):
        import_.body(Context(), "example", str(registry(tmp_path / "other", chain_id="other-1")), update=True)

    assert before == (tmp_path / "example.yaml").read_text()


def test_an_import_with_faults_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the checker would find in the file is said before there is a file; one that is there stays as it is."""
    monkeypatch.setattr(network, "NETWORKS", tmp_path)
    monkeypatch.setattr(
        network_check, "faults", lambda _: [Fault("example.yaml", 1, "daemon", "", "no way to be had", "name one")]
    )
    chain = registry(tmp_path / "chain")

    with pytest.raises(InputError, match="no way to be had"):
        import_.body(Context(), "example", str(chain))

    assert not (tmp_path / "example.yaml").exists()


def test_a_faulty_file_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list shows every network that is sound, and names the file that is not, with the command that tells why."""
    monkeypatch.setattr(network, "NETWORKS", tmp_path)
    (tmp_path / "good.yaml").write_text(FILE)
    (tmp_path / "althea.yaml").write_text("version: 1\n")

    with pytest.raises(InputError, match="althea") as refused:
        networks.body(Context(), json=True)

    assert ["good"] == [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert "./invoke network check althea" == refused.value.hint


def test_a_whole_registry_is_imported_by_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Live chains get a file each that passes, the others their reason; the page is a table of both."""
    clone = tmp_path / "registry"
    registry(clone / "good")
    registry(clone / "testnets" / "Good_Test", chain_id="good-test-1")
    registry(clone / "poor", codebase={})
    registry(clone / "dead", status="killed")

    import_all.body(Context(), str(clone), into=str(tmp_path / "out"), page=str(tmp_path / "page.md"), json=True)
    rows = json.loads(capsys.readouterr().out)

    assert ["good", "poor", "good-test"] == [row["name"] for row in rows]
    assert "codebase.recommended_version is missing" in rows[1]["reason"]
    assert ["good-test.yaml", "good.yaml"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    check.body(Context(), [str(path) for path in (tmp_path / "out").iterdir()])
    assert "| good | imported-1 | exampled 2.0.0 | release |" in (tmp_path / "page.md").read_text()
