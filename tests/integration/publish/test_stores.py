"""Releases in S3 and on GitHub: real HTTP, every call harmed, every byte read back."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from goldnode.errors import PublishError
from goldnode.progress import SILENT
from goldnode.publish.aws.clients import Clients, Limits
from goldnode.publish.github import GithubRelease
from goldnode.publish.ledger import Ledger
from goldnode.publish.s3 import Bucket
from goldnode.publish.store import publish_files
from tests.integration.publish import github_server
from tests.integration.publish.github_server import Github
from tests.integration.publish.proxy import Call, Harm, Traffic, proxied

RELEASE = "a" * 64
#: Larger than what boto3 sends in one piece.
LARGE = 9 * 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as a release has them, one of them large enough for a multipart upload."""
    path = tmp_path / "localnet-1.0.0-amd64"
    path.mkdir()
    (path / "release.json").write_text("{}")
    (path / "SHA256SUMS").write_text("sums")
    (path / "disk.raw.zst").write_bytes(random.Random(1).randbytes(LARGE))  # noqa: S311 - repeatable, nothing secret
    return path


def ledger(folder: Path) -> Ledger:
    """The ledger beside the folder."""
    return Ledger(folder.parent / "ledger.jsonl", RELEASE)


def harming(rate: float, seed: int) -> object:
    """Harm to a share of the calls."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, nothing secret

    def decide(_: Call) -> Harm | None:
        return chance.choice([Harm.THROTTLED, Harm.FAILED, Harm.LOST]) if chance.random() < rate else None

    return decide


@pytest.fixture
def bucket(aws: tuple[str, Traffic]) -> tuple[Bucket, Traffic]:
    """An empty bucket, and what passes on the way to it."""
    endpoint, traffic = aws
    clients = Clients(Limits(connect=10, answer=20, attempts=10), endpoint)
    clients.s3("us-east-1").create_bucket(Bucket="images")
    return Bucket(clients, "us-east-1", "images", "localnet/1.0.0/amd64/"), traffic


def test_s3_holds_what_was_sent(bucket: tuple[Bucket, Traffic], folder: Path) -> None:
    """Every file arrives whole, a second run sends nothing, also without its ledger."""
    place, traffic = bucket

    address = publish_files(folder, place, ledger(folder), SILENT)
    traffic.calls.clear()
    again = publish_files(folder, place, ledger(folder), SILENT)
    ledger(folder).path.unlink()
    publish_files(folder, place, ledger(folder), SILENT)

    assert address == again == "s3://images/localnet/1.0.0/amd64/"
    assert {"GET", "HEAD"} == {call.method for call in traffic.calls}
    assert hashlib.sha256((folder / "disk.raw.zst").read_bytes()).hexdigest() == place.sha256("disk.raw.zst")


def test_s3_under_harm(bucket: tuple[Bucket, Traffic], folder: Path) -> None:
    """Throttling, failures and lost answers change nothing about the result."""
    place, traffic = bucket
    traffic.harm = harming(0.2, seed=3)  # type: ignore[assignment]

    publish_files(folder, place, ledger(folder), SILENT)

    traffic.harm = lambda _: None
    assert all(place.sha256(path.name) for path in folder.iterdir())


def test_s3_never_overwrites(bucket: tuple[Bucket, Traffic], folder: Path) -> None:
    """A file of another content under the same name stops the publication."""
    place, _ = bucket
    place.clients.s3("us-east-1").put_object(Bucket="images", Key=place.prefix + "SHA256SUMS", Body=b"others")

    with pytest.raises(PublishError, match="holds another SHA256SUMS"):
        publish_files(folder, place, ledger(folder), SILENT)

    assert place.sha256("release.json") is None


def test_s3_that_loses_a_file(bucket: tuple[Bucket, Traffic], folder: Path) -> None:
    """What cannot be read back as it was sent is named, although the ledger says that it was sent."""
    place, _ = bucket
    publish_files(folder, place, ledger(folder), SILENT)
    place.clients.s3("us-east-1").delete_object(Bucket="images", Key=place.prefix + "SHA256SUMS")

    with pytest.raises(PublishError, match="gives nothing for SHA256SUMS"):
        publish_files(folder, place, ledger(folder), SILENT)


def test_s3_without_bucket(bucket: tuple[Bucket, Traffic], folder: Path) -> None:
    """A bucket that is not there is named, with the command that makes it."""
    place, _ = bucket

    with pytest.raises(PublishError, match="there is no bucket other") as failure:
        publish_files(folder, Bucket(place.clients, "us-east-1", "other", ""), ledger(folder), SILENT)

    assert failure.value.hint == "aws s3 mb s3://other --region us-east-1"


@pytest.fixture
def github() -> Iterator[tuple[GithubRelease, Github, Traffic]]:
    """A place on GitHub, what the server holds, and what passes on the way to it."""
    with ExitStack() as stack:
        port, held = stack.enter_context(github_server.serving())
        endpoint, traffic = stack.enter_context(proxied(port))
        yield place_at(endpoint), held, traffic


def place_at(endpoint: str) -> GithubRelease:
    """The same release, as another run of the publisher sees it."""
    return GithubRelease(
        "owner/name", "localnet-1.0.0-amd64", "c" * 40, "goldnode 1.0.0", github_server.TOKEN,
        api=endpoint, timeout=5, sleep=lambda _: None,
    )  # fmt: skip


def test_github_publishes_after_reading_back(github: tuple[GithubRelease, Github, Traffic], folder: Path) -> None:
    """One release with every asset, a draft until all were read back; a second run changes nothing."""
    place, held, traffic = github

    address = publish_files(folder, place, ledger(folder), SILENT)

    order = [(call.method, call.path.partition("?")[0].rpartition("/")[2]) for call in traffic.calls]
    assert address.endswith("/releases/tag/localnet-1.0.0-amd64")
    assert ("PATCH", "1") == order[-1]
    assert [(False, "c" * 40)] == [(each["draft"], each["target_commitish"]) for each in held.releases.values()]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        asset["name"]: asset["content"] for asset in held.assets.values()
    }
    traffic.calls.clear()
    ledger(folder).path.unlink()
    publish_files(folder, place_at(place.api), ledger(folder), SILENT)
    assert "POST" not in {call.method for call in traffic.calls}


@pytest.mark.parametrize("seed", range(4))
def test_github_under_harm(github: tuple[GithubRelease, Github, Traffic], folder: Path, seed: int) -> None:
    """Throttling, failures and lost answers leave one release and one asset per file."""
    place, held, traffic = github
    traffic.harm = harming(0.25, seed)  # type: ignore[assignment]

    publish_files(folder, place, ledger(folder), SILENT)

    assert 1 == len(held.releases)
    assert sorted(path.name for path in folder.iterdir()) == sorted(asset["name"] for asset in held.assets.values())


def test_github_replaces_an_upload_that_broke_off(github: tuple[GithubRelease, Github, Traffic], folder: Path) -> None:
    """Half an asset of an earlier run is removed and sent again."""
    place, held, _ = github
    place.prepare()
    held.assets[1] = {"release": 1, "name": "SHA256SUMS", "state": "starter", "content": b"su"}

    publish_files(folder, place, ledger(folder), SILENT)

    assert [b"sums"] == [asset["content"] for asset in held.assets.values() if asset["name"] == "SHA256SUMS"]


def test_github_never_overwrites(github: tuple[GithubRelease, Github, Traffic], folder: Path) -> None:
    """An asset of another content stops the publication, and the draft stays a draft."""
    place, held, _ = github
    place.prepare()
    held.assets[1] = {"release": 1, "name": "SHA256SUMS", "state": "uploaded", "content": b"others"}

    with pytest.raises(PublishError, match="holds another SHA256SUMS"):
        publish_files(folder, place, ledger(folder), SILENT)

    assert held.releases[1]["draft"] is True


def test_github_refuses_the_token(github: tuple[GithubRelease, Github, Traffic], folder: Path) -> None:
    """What GitHub refuses is reported at once, with its words, and not tried again."""
    place, _, traffic = github
    place.token = "wrong"

    with pytest.raises(PublishError, match=r"answered 401: .*Bad credentials"):
        publish_files(folder, place, ledger(folder), SILENT)

    assert 1 == len(traffic.calls)


def test_github_that_is_down(github: tuple[GithubRelease, Github, Traffic], folder: Path) -> None:
    """A server that never answers well is given up after a bounded number of tries."""
    place, _, traffic = github
    traffic.harm = lambda _: Harm.FAILED

    with pytest.raises(PublishError, match="answered 500"):
        publish_files(folder, place, ledger(folder), SILENT)

    traffic.harm = lambda _: Harm.LOST
    with pytest.raises(PublishError, match="owner"):
        publish_files(folder, place, ledger(folder), SILENT)
    assert 12 == len(traffic.calls)
