"""A real daemon through every door: release, folder, build, deferral."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake.programs.obtain import obtain
from goldnode.bake.programs.payload import Origin, Payload
from goldnode.config import network
from goldnode.config.network import Network
from goldnode.errors import ArtifactError
from goldnode.fetch import version
from goldnode.fetch.artifact import Format
from goldnode.fetch.download import WrongBytesError
from goldnode.fetch.retry import RetryBudget
from goldnode.progress import SILENT
from tests.support.programs import elf, script, step
from tests.support.release_host import ReleaseHost, serving

GENESIS = b'{"chain_id": "release-1"}'


def sha256(content: bytes) -> str:
    """Hex digest of bytes."""
    return hashlib.sha256(content).hexdigest()


def wrapped(form: Format, content: bytes) -> bytes:
    """The daemon as a release would pack it."""
    stream = io.BytesIO()
    if form is Format.GZ:
        return gzip.compress(content, 1)
    if form is Format.ZIP:
        with zipfile.ZipFile(stream, "w") as bundle:
            bundle.writestr("bin/cometbft", content)
    elif form is Format.TAR_GZ:
        with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
            entry = tarfile.TarInfo("bin/cometbft")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue() or content


@pytest.fixture(scope="session")
def cometbft() -> Path:
    """A real daemon, built from its module into the user's own cache (a minute the first time)."""
    payload = obtain(network.load("localnet"), "amd64", artifacts_dir=None, strict=True, progress=SILENT)
    return next(entry.source for entry in payload.files if entry.path_on_image.endswith("/bin/cometbft"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleaseHost]:
    """A release host, an empty cache, and no budget to waste."""
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "goldnode.bake.programs.obtain.RetryBudget", functools.partial(RetryBudget, quiet=1.0, sleep=lambda _: None)
    )
    with serving() as running:
        yield running


@pytest.fixture
def release(host: ReleaseHost, cometbft: Path) -> Callable[..., Network]:
    """Publishes the daemon and a genesis; gives the network that names them."""

    def publish(form: Format = Format.RAW, **changes: Any) -> Network:
        content = wrapped(form, cometbft.read_bytes())
        host.add("/daemon", content)
        host.add("/genesis.json", GENESIS)
        entry = {"url": host.url("/daemon"), "sha256": sha256(content), "size": len(content), "format": form.value}
        if form in (Format.ZIP, Format.TAR_GZ):
            entry["member"] = "bin/cometbft"
        genesis = {"url": host.url("/genesis.json"), "sha256": sha256(GENESIS)}
        daemon = {
            "name": "cometbft",
            "version": "0.38.19",
            "family": "cometbft",
            "home": ".c",
            "release": {"amd64": entry},
        }
        base = {"version": 1, "name": "release", "chain_id": "release-1", "daemon": daemon, "genesis": genesis}
        return Network.from_document({**base, **changes})

    return publish


def have(wanted: Network, *, folder: Path | None = None, strict: bool = False) -> Payload:
    """Obtain for this machine."""
    return obtain(wanted, "amd64", artifacts_dir=folder, strict=strict, progress=SILENT)


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.RPC])
def test_a_released_daemon_is_verified_unpacked_and_started(
    release: Callable[..., Network], cometbft: Path, form: Format
) -> None:
    """From every format comes the same program; it ran, and its default configuration is there."""
    payload = have(release(form), strict=True)
    files = {entry.path_on_image: entry for entry in payload.files}

    assert sorted(files) == [
        "/usr/lib/goldnode/bin/cometbft",
        "/usr/lib/goldnode/bin/goldnode-signer",
        "/usr/lib/goldnode/defaults/config.toml",
        "/usr/lib/goldnode/genesis.json",
    ]
    assert files["/usr/lib/goldnode/bin/cometbft"].source.read_bytes() == cometbft.read_bytes()
    assert files["/usr/lib/goldnode/genesis.json"].source.read_bytes() == GENESIS
    assert (payload.daemon.origin, payload.daemon.started) == (Origin.RELEASE, True)
    assert payload.daemon.sha256 == sha256(cometbft.read_bytes())
    assert payload.deferred == ()


def test_the_same_inputs_have_the_same_key(release: Callable[..., Network]) -> None:
    """A second call changes nothing, another network file does."""
    first, second, other = have(release()), have(release()), have(release(block_time=2))

    assert first.key == second.key
    assert first.key != other.key


def test_an_unpacked_daemon_that_rotted_is_unpacked_again(release: Callable[..., Network], cometbft: Path) -> None:
    """What lies unpacked in the cache is compared before it is shipped."""
    wanted = release(Format.GZ)
    have(wanted).files[0].source.write_bytes(b"rotten")

    assert have(wanted).files[0].source.read_bytes() == cometbft.read_bytes()


def test_a_download_cut_off_midway_is_completed(release: Callable[..., Network], host: ReleaseHost) -> None:
    """Two cuts in a real daemon's bytes, and it still starts."""
    wanted = release()
    host.files["/daemon"].cuts = [1_000_000, 5_000_000]

    assert have(wanted).daemon.started
    assert [asked for path, asked in host.requests if path == "/daemon"] == ["", "bytes=1000000-", "bytes=6000000-"]


def test_wrong_bytes_are_neither_used_nor_deferred(release: Callable[..., Network], host: ReleaseHost) -> None:
    """A host that serves another program is an error, not a reason to try later."""
    wanted = release()
    content = bytearray(host.files["/daemon"].content)
    content[-1] ^= 1
    host.files["/daemon"].content = bytes(content)

    with pytest.raises(WrongBytesError, match="not what its pin says"):
        have(wanted)


def test_a_release_that_is_gone_is_not_deferred(release: Callable[..., Network], host: ReleaseHost) -> None:
    """The node would not find it either."""
    wanted = release()
    del host.files["/daemon"]

    with pytest.raises(ArtifactError, match=r"daemon of release cannot be obtained.*is gone") as caught:
        have(wanted)

    assert "--artifacts" in caught.value.hint


def test_what_cannot_be_reached_is_deferred_with_its_hash(release: Callable[..., Network], host: ReleaseHost) -> None:
    """Daemon and genesis go to the first boot, pinned; nothing of them is in the payload."""
    wanted = release(Format.TAR_GZ)
    host.shutdown()
    host.server_close()

    payload = have(wanted)

    assert ["/usr/lib/goldnode/bin/goldnode-signer"] == [entry.path_on_image for entry in payload.files]
    assert payload.daemon.origin is Origin.DEFERRED
    assert [(entry.name, entry.path, entry.mode) for entry in payload.deferred] == [
        ("daemon", "/usr/lib/goldnode/bin/cometbft", 0o755),
        ("genesis", "/usr/lib/goldnode/genesis.json", 0o644),
    ]
    assert [entry.artifact for entry in payload.deferred] == [wanted.daemon.release["amd64"], wanted.genesis]
    assert json.dumps([entry.document() for entry in payload.deferred])


def test_strict_refuses_to_defer(release: Callable[..., Network], host: ReleaseHost) -> None:
    """A release build has everything or stops, and says how to bring it."""
    wanted = release()
    host.files["/genesis.json"].statuses = [403]

    with pytest.raises(ArtifactError, match="genesis of release cannot be obtained") as caught:
        have(wanted, strict=True)

    assert sha256(GENESIS) in caught.value.hint


def test_a_folder_serves_an_air_gapped_bake(
    release: Callable[..., Network], host: ReleaseHost, cometbft: Path, tmp_path: Path
) -> None:
    """With everything in the operator's folder the host is not asked at all."""
    wanted = release()
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / sha256(cometbft.read_bytes())).write_bytes(cometbft.read_bytes())
    (folder / "genesis.json").write_bytes(GENESIS)

    assert have(wanted, folder=folder, strict=True).daemon.started
    assert host.requests == []


def test_a_wrong_file_in_the_folder_is_named(release: Callable[..., Network], tmp_path: Path) -> None:
    """The host is not asked instead: somebody meant that file."""
    wanted = release()
    (tmp_path / "daemon").write_bytes(b"something else")

    with pytest.raises(WrongBytesError, match=str(tmp_path / "daemon")):
        have(wanted, folder=tmp_path)


def test_an_unpinned_network_stops_with_the_command_that_pins_it(
    release: Callable[..., Network], host: ReleaseHost
) -> None:
    """Nothing is fetched; the advice is exactly one command."""
    wanted = release(genesis={"url": host.url("/genesis.json")})

    with pytest.raises(ArtifactError, match=r"no sha256 is published for genesis \(http") as caught:
        have(wanted)

    assert caught.value.hint == "./invoke network lock release"
    assert host.requests == []


def test_another_version_than_the_file_says_is_refused(release: Callable[..., Network]) -> None:
    """The daemon itself decides which version it is."""
    document = dict(release().document)
    document["daemon"] = {**document["daemon"], "version": "0.38.20"}

    with pytest.raises(ArtifactError, match=r"says it is version 0\.38\.19, its network file says 0\.38\.20"):
        have(Network.from_document(document))


def test_an_architecture_nobody_publishes_is_refused(release: Callable[..., Network]) -> None:
    """The message says for which one there is a daemon."""
    with pytest.raises(ArtifactError, match="names no cometbft for arm64, only for amd64"):
        obtain(release(), "arm64", artifacts_dir=None, strict=False, progress=SILENT)


def for_arm64(network_: Network, host: ReleaseHost, content: bytes) -> Network:
    """The same network, with that as its only binary."""
    host.add("/arm64", content)
    document = dict(network_.document)
    entry = {"url": host.url("/arm64"), "sha256": sha256(content)}
    return Network.from_document({**document, "daemon": {**document["daemon"], "release": {"arm64": entry}}})


def test_a_daemon_for_another_machine_is_taken_unstarted(release: Callable[..., Network], host: ReleaseHost) -> None:
    """It goes into the image and is started there; no default configuration is claimed."""
    wanted = for_arm64(release(), host, elf(machine=183))

    payload = obtain(wanted, "arm64", artifacts_dir=None, strict=True, progress=SILENT)

    assert not payload.daemon.started
    assert [entry.path_on_image for entry in payload.files] == [
        "/usr/lib/goldnode/bin/cometbft",
        "/usr/lib/goldnode/bin/goldnode-signer",
        "/usr/lib/goldnode/genesis.json",
    ]


def test_a_daemon_of_this_machine_is_not_taken_for_another(release: Callable[..., Network], host: ReleaseHost) -> None:
    """What cannot be started here is looked at: an amd64 program is none for arm64."""
    with pytest.raises(ArtifactError, match="is a Linux program for amd64, not a Linux program for arm64"):
        obtain(for_arm64(release(), host, elf()), "arm64", artifacts_dir=None, strict=True, progress=SILENT)


def test_a_build_stands_in_for_a_dead_release_host(
    release: Callable[..., Network], host: ReleaseHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a source pinned too, nothing is deferred: the daemon is built."""
    document = dict(release().document)
    source = network.load("localnet").document["daemon"]["source"]
    document["daemon"] = {**document["daemon"], "source": source}
    host.files["/daemon"].statuses = [403]
    monkeypatch.setattr("goldnode.bake.programs.gomodule.cache", lambda: Path.home() / ".cache" / "goldnode")

    payload = have(Network.from_document(document), strict=True)

    assert (payload.daemon.origin, payload.daemon.toolchain) == (Origin.SOURCE, "go1.25.5")


def test_with_release_host_and_module_proxy_dead_the_release_is_deferred(
    release: Callable[..., Network], host: ReleaseHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The node needs no compiler: it fetches the release, whose hash is pinned."""
    document = dict(release().document)
    source = network.load("localnet").document["daemon"]["source"]
    document["daemon"] = {**document["daemon"], "source": source}
    host.files["/daemon"].statuses = [403]
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))

    payload = have(Network.from_document(document))

    assert payload.daemon.origin is Origin.DEFERRED
    assert [entry.name for entry in payload.deferred] == ["daemon"]


@pytest.mark.parametrize("reachable", [True, False])
def test_libraries_are_shipped_with_released_and_with_deferred_daemons(
    release: Callable[..., Network], host: ReleaseHost, reachable: bool
) -> None:
    """The node fetches a deferred daemon, and finds its library there."""
    document = dict(release().document)
    libraries = network.load("localwasm").document["daemon"]["libraries"]
    document["daemon"] = {**document["daemon"], "libraries": libraries}
    host.files["/daemon"].statuses = [] if reachable else [403]

    payload = have(Network.from_document(document))

    assert "/usr/lib/goldnode/lib/libwasmvm.so" in {entry.path_on_image for entry in payload.files}
    assert [entry.name for entry in payload.deferred] == ([] if reachable else ["daemon"])


def test_default_configuration_does_not_know_the_builder(release: Callable[..., Network]) -> None:
    """Two builders with different host names make the same file."""
    payload = have(release())
    (config,) = (entry.source for entry in payload.files if entry.path_on_image.endswith("config.toml"))

    assert tomllib.loads(config.read_text())["moniker"] == "node"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#!/bin/sh\nexit 3\n", "does not start"),
        (b"\x7fELF no program", "not a program that this machine can run"),
        (b"#!/bin/sh\n", "says it is version nothing"),
        (b"#!/bin/sh\necho panic: no library >&2\n", "says it is version panic: no library"),
    ],
)
def test_a_daemon_that_does_not_run_is_found_before_it_is_shipped(tmp_path: Path, content: bytes, reason: str) -> None:
    """A build that passed proves nothing."""
    binary = tmp_path / "daemon"
    binary.write_bytes(content)
    binary.chmod(0o755)

    with pytest.raises(ArtifactError, match=reason):
        version.check(binary, "1.0.0")


def test_daemons_of_upgrades_ahead_are_on_the_image(release: Callable[..., Network], host: ReleaseHost) -> None:
    """Each pinned step above the own version: verified, started, with its hash beside it; the others are said."""
    ladder = [
        {"name": "v1", "height": 100, "version": "0.37.0"},
        {"name": "v2", "height": 200, "version": "0.38.19"},
        step(host, "v3", 300, "0.39.0", script("0.39.0")),
        step(host, "v4", 400, "0.40.0", script("0.40.0"), pin=False),
    ]

    payload = have(release(upgrades=ladder))
    files = {entry.path_on_image: entry for entry in payload.files}
    place = "/usr/lib/goldnode/daemons/cometbft/0.39.0"
    (following,) = payload.next_versions

    assert script("0.39.0") == files[f"{place}/bin/cometbft"].source.read_bytes()
    assert files[f"{place}/bin/cometbft"].mode == 0o755
    assert {"sha256": sha256(script("0.39.0"))} == json.loads(files[f"{place}/verified.json"].source.read_text())
    assert ("v3", 300, "0.39.0", True) == (
        following.plan, following.height, following.provenance.version, following.provenance.started,
    )  # fmt: skip
    assert ("v4 at height 400: nobody pinned cometbft 0.40.0",) == payload.unpinned_steps
    assert not any("0.40.0" in path or "0.37.0" in path for path in files)


def test_a_next_daemon_that_is_another_version_stops_the_bake(
    release: Callable[..., Network], host: ReleaseHost
) -> None:
    """A wrong binary is found out today, not at the height."""
    with pytest.raises(ArtifactError, match=r"says it is version 0\.41\.0, its network file says 0\.39\.0"):
        have(release(upgrades=[step(host, "v3", 300, "0.39.0", script("0.41.0"))]))


def test_a_next_daemon_that_is_not_what_its_pin_says_stops_the_bake(
    release: Callable[..., Network], host: ReleaseHost
) -> None:
    """Wrong bytes are refused as the own daemon's are."""
    ladder = [step(host, "v3", 300, "0.39.0", script("0.39.0"))]
    host.files["/v3"].content = script("0.39.1")

    with pytest.raises(WrongBytesError):
        have(release(upgrades=ladder))
