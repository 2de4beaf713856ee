"""``publish --to``: the targets, and what each needs to know about a release."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldnode.errors import UsageError
from goldnode.files import locked, sha256_file
from goldnode.progress import Progress
from goldnode.publish import binding
from goldnode.publish.aws.clients import Clients
from goldnode.publish.aws.image import Ami
from goldnode.publish.aws.publication import Parent, Publication
from goldnode.publish.aws.publish import publish
from goldnode.publish.binding import RELEASE, FileRole, Release
from goldnode.publish.github import API, GithubRelease
from goldnode.publish.ledger import Ledger
from goldnode.publish.s3 import Bucket
from goldnode.publish.store import ReleaseStore, publish_files


class Target(StrEnum):
    """Where a release can be published."""

    AWS = "aws"
    S3 = "s3"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Where:
    """The operator's settings for the targets; each needs only its own.

    Attributes:
        regions: AWS regions, the home region first.
        bucket: S3 bucket.
        repository: GitHub's `owner/name`.
        parent: Folder of an earlier release published in the same home region.
        deprecate_days: Days until the image is deprecated on AWS.
    """

    regions: Sequence[str]
    bucket: str
    repository: str
    parent: Path | None
    deprecate_days: int


def ledger_path(folder: Path, target: str) -> Path:
    """The path of a release's ledger: beside its folder, because nothing may be added inside."""
    return folder.parent / f"{folder.name}.ledger" / f"{target}.jsonl"


def publish_to(target: Target, folder: Path, where: Where, now: dt.datetime, progress: Progress) -> dict[str, str]:
    """Publish a verified release to one target.

    Returns:
        What to announce: an image per region, or an address.

    Raises:
        UsageError: A setting that this target needs is missing.
        PublishError: The target refused, or holds something other than what was sent.
    """
    release = binding.read(folder)
    path = ledger_path(folder, target)
    with locked(path.with_suffix(".lock")):
        ledger = Ledger(path, sha256_file(folder / RELEASE))
        if target is Target.AWS:
            ami, deprecate_at = _ami(folder, release, where, ledger), now + dt.timedelta(days=where.deprecate_days)
            parent = _parent(where.parent, where.regions[0])
            return publish(Publication(ami, where.regions, deprecate_at, Clients(), ledger, progress, parent=parent))
        store = _bucket(release, where) if target is Target.S3 else _github(release, where)
        return {target.value: publish_files(folder, store, ledger, progress)}


def _ami(folder: Path, release: Release, where: Where, ledger: Ledger) -> Ami:
    if not where.regions:
        hint = "./invoke publish --to aws --regions us-east-1 RELEASE"
        raise UsageError("publishing to AWS needs regions", hint=hint)
    raw = folder / release.file(FileRole.RAW).name
    return Ami(release.network, release.version, release.arch, release.commit, ledger.release, raw, release.disk_size)


def _parent(folder: Path | None, region: str) -> Parent | None:
    if folder is None:
        return None
    release = binding.read(folder)
    ledger = Ledger(ledger_path(folder, Target.AWS), sha256_file(folder / RELEASE))
    known = ledger.result(f"{region}/snapshot")
    if known is None:
        raise UsageError(f"{folder.name} was not published in {region} from here", hint="leave --parent out")
    return Parent(str(known["SnapshotId"]), folder / release.file(FileRole.RAW).name)


def _bucket(release: Release, where: Where) -> ReleaseStore:
    if not where.bucket or not where.regions:
        hint = "./invoke publish --to s3 --bucket NAME --regions us-east-1 RELEASE"
        raise UsageError("publishing to S3 needs a bucket and its region", hint=hint)
    prefix = f"{release.network}/{release.version}/{release.arch}/"
    return Bucket(Clients(), where.regions[0], where.bucket, prefix)


def _github(release: Release, where: Where) -> ReleaseStore:
    token = os.environ.get("GITHUB_TOKEN", "")
    if not where.repository or not token:
        hint = "GITHUB_TOKEN=$(gh auth token) ./invoke publish --to github --repository OWNER/NAME RELEASE"
        raise UsageError("publishing to GitHub needs a repository and GITHUB_TOKEN", hint=hint)
    title = f"goldnode {release.version} for {release.network} ({release.arch})"
    api = os.environ.get("GITHUB_API_URL", API)
    return GithubRelease(where.repository, release.name, release.commit, title, token, api)
