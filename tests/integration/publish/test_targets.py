"""A release goes to the places that are named, each with what it needs to know."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from goldnode.errors import UsageError
from goldnode.progress import SILENT
from goldnode.publish.targets import Target, Where, ledger_path, publish_to
from tests.integration.publish import github_server
from tests.integration.publish.proxy import Traffic

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
NOWHERE = Where([], "", "", None, 365)


@pytest.fixture
def cloud(aws: tuple[str, Traffic], monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """AWS under the name that boto3 itself reads from the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws[0])
    return aws[1]


def test_aws_and_a_child_of_it(cloud: Traffic, release: Path) -> None:
    """A release becomes an image; the same disk on top of it as parent costs no block at all."""
    where = Where(["us-east-1"], "", "", None, 365)
    published = publish_to(Target.AWS, release, where, NOW, SILENT)
    ledger = ledger_path(release, Target.AWS)
    first = [call for call in cloud.calls if call.method == "PUT"]
    cloud.calls.clear()

    again = publish_to(Target.AWS, release, Where(["us-east-1"], "", "", release, 365), NOW, SILENT)

    assert ["us-east-1"] == list(published)
    assert published == again
    assert first
    assert [] == [call for call in cloud.calls if call.method == "PUT"]
    with pytest.raises(UsageError, match="was not published in eu-west-1"):
        publish_to(Target.AWS, release, Where(["eu-west-1"], "", "", release, 365), NOW, SILENT)
    ledger.unlink()


def test_s3(cloud: Traffic, release: Path) -> None:
    """In a bucket, a release lies under its network, version and architecture."""
    import boto3  # noqa: PLC0415 - reads the environment that the fixture has set

    del cloud
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="images")

    published = publish_to(Target.S3, release, Where(["us-east-1"], "images", "", None, 365), NOW, SILENT)

    assert {"s3": "s3://images/localnet/1.0.0/amd64/"} == published
    ledger_path(release, Target.S3).unlink()


def test_github(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On GitHub, a release has a tag of its own, made on the commit that was baked."""
    with github_server.serving() as (port, held):
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("GITHUB_TOKEN", github_server.TOKEN)

        published = publish_to(Target.GITHUB, release, Where([], "", "owner/name", None, 365), NOW, SILENT)

    assert published["github"].endswith("/localnet-1.0.0-amd64")
    assert ["c" * 40] == [each["target_commitish"] for each in held.releases.values()]
    ledger_path(release, Target.GITHUB).unlink()


@pytest.mark.parametrize("target", Target)
def test_what_is_missing(target: Target, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that was not told enough says what it needs."""
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)

    with pytest.raises(UsageError, match="needs") as refused:
        publish_to(target, release, NOWHERE, NOW, SILENT)

    assert f"--to {target}" in refused.value.hint
    ledger_path(release, target).unlink()
