"""Publishing to AWS: moto's server, real HTTP, real boto3, and everything that can go wrong on the way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from goldnode.errors import PublishError
from goldnode.paths import REPOSITORY
from goldnode.progress import SILENT
from goldnode.publish.aws import pointer
from goldnode.publish.aws.clients import Clients, Limits
from goldnode.publish.aws.image import RELEASE_TAG, Ami
from goldnode.publish.aws.publication import Parent, Publication
from goldnode.publish.aws.publish import publish
from goldnode.publish.aws.snapshot import completed_snapshot
from goldnode.publish.blocks import BLOCK_SIZE
from goldnode.publish.ledger import Ledger
from goldnode.run import run
from tests.integration.publish.proxy import Call, Harm, Traffic

HOME, ABROAD, FAR = "us-east-1", "eu-west-1", "ap-south-1"
REGIONS = (HOME, ABROAD, FAR)
#: Generous, because tests share their two cores with others.
LIMITS = Limits(connect=10, answer=20, attempts=12, poll=0.02, timeout=120)

Aws = tuple[str, Traffic]


def disk(path: Path, blocks: dict[int, bytes], count: int) -> Path:
    """A `.raw.zst` of ``count`` blocks, zeros but for those given."""
    raw = b"".join(blocks.get(index, bytes(BLOCK_SIZE)) for index in range(count))
    path.write_bytes(zstandard.compress(raw))
    return path


def content(seed: int, indices: list[int]) -> dict[int, bytes]:
    """Random blocks at these places."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    return {index: chance.randbytes(BLOCK_SIZE) for index in indices}


def work(tmp_path: Path, endpoint: str, raw: Path, **changes: object) -> Publication:
    """A publication with a ledger beside the disk; ``changes`` override its fields, or the version."""
    version = str(changes.pop("version", "1.0.0"))
    release = f"{version:>064}".replace(".", "0").replace(" ", "0")
    ami = Ami("localnet", version, "amd64", "c0ffee" * 6, release, raw, 24 * BLOCK_SIZE)
    fields: dict[str, object] = {
        "ami": ami,
        "regions": REGIONS,
        "deprecate_at": dt.datetime(2027, 11, 20, tzinfo=dt.UTC),
        "clients": Clients(LIMITS, endpoint),
        "ledger": Ledger(tmp_path / f"{version}.jsonl", release),
        "progress": SILENT,
    }
    return Publication(**{**fields, **changes})  # type: ignore[arg-type]


@functools.cache
def looking(endpoint: str) -> Clients:
    """Clients to look with, beside the publisher's own."""
    return Clients(LIMITS, endpoint)


def images(endpoint: str, region: str) -> list[str]:
    """Ids of our images there."""
    found = looking(endpoint).ec2(region).describe_images(Owners=["self"], Filters=[])["Images"]
    return [image["ImageId"] for image in found if any(tag["Key"] == RELEASE_TAG for tag in image.get("Tags", []))]


def snapshots(endpoint: str, region: str) -> set[str]:
    """Ids of our snapshots there."""
    found = looking(endpoint).ec2(region).describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {each["SnapshotId"] for each in found if any(tag["Key"] == RELEASE_TAG for tag in each.get("Tags", []))}


def used(endpoint: str, region: str) -> set[str]:
    """Snapshots that images of ours stand on."""
    shown = looking(endpoint).ec2(region).describe_images(ImageIds=images(endpoint, region))["Images"]
    return {image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for image in shown}


def puts(traffic: Traffic) -> list[int]:
    """Indices of the blocks that were sent."""
    return [int(call.path.split("/")[4].split("?")[0]) for call in traffic.calls if call.method == "PUT"]


def assert_whole(endpoint: str, published: dict[str, str]) -> None:
    """One image per region, pointed at by version and latest, and no snapshot that nobody uses."""
    for region in REGIONS:
        ssm = looking(endpoint).ssm(region)

        assert [published[region]] == images(endpoint, region)
        assert used(endpoint, region) == snapshots(endpoint, region)
        assert published[region] == pointer.read(ssm, "/goldnode/localnet/amd64/1.0.0")
        assert published[region] == pointer.read(ssm, "/goldnode/localnet/amd64/latest")


def test_publishes_everywhere_and_never_sends_zeros(aws: Aws, tmp_path: Path) -> None:
    """A release becomes one image per region, and blocks of zeros never leave this machine."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(1, [0, 3, 17]), 24)

    published = publish(work(tmp_path, endpoint, raw))

    assert sorted(puts(traffic)) == [0, 3, 17]
    assert_whole(endpoint, published)


def test_second_run_changes_nothing(aws: Aws, tmp_path: Path) -> None:
    """Publishing again sends no block, makes no image and gives the same ids, also when the ledger is lost."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(1, [0, 3]), 24)
    first = publish(work(tmp_path, endpoint, raw))
    traffic.calls.clear()

    again = publish(work(tmp_path, endpoint, raw))
    (tmp_path / "1.0.0.jsonl").unlink()
    without_ledger = publish(work(tmp_path, endpoint, raw))

    changing = ("RegisterImage", "CopyImage", "DeleteSnapshot")
    assert first == again == without_ledger
    assert puts(traffic) == []
    assert [call for call in traffic.calls if any(call.does(action) for action in changing)] == []
    assert_whole(endpoint, first)


def every(rate: float, seed: int) -> Callable[[Call], Harm | None]:
    """Harm to a share of all calls."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    kinds = [Harm.THROTTLED, Harm.FAILED, Harm.LOST, Harm.LOST]

    def decide(_: Call) -> Harm | None:
        return chance.choice(kinds) if chance.random() < rate else None

    return decide


def test_throttling_failures_and_lost_answers(aws: Aws, tmp_path: Path) -> None:
    """With every sixth call throttled, failed or answered into the void, the result is the same single image."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(2, list(range(0, 24, 2))), 24)
    traffic.harm = every(1 / 6, seed=7)

    published = publish(work(tmp_path, endpoint, raw))

    traffic.harm = lambda _: None
    assert len(traffic.calls) > 50
    assert_whole(endpoint, published)


def test_timeouts(aws: Aws, tmp_path: Path) -> None:
    """A call that is never answered ends at the time limit and is tried again."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(3, [1, 2]), 24)
    hung: set[str] = set()

    def once_each(call: Call) -> Harm | None:
        kind = call.path if call.method == "PUT" else next((a for a in ("RegisterImage",) if call.does(a)), "")
        if not kind or kind in hung:
            return None
        hung.add(kind)
        return Harm.SLOW

    traffic.harm, traffic.timeout = once_each, 6
    impatient = Clients(dataclasses.replace(LIMITS, answer=4), endpoint)

    published = publish(work(tmp_path, endpoint, raw, clients=impatient))

    assert len(hung) == 3
    assert_whole(endpoint, published)


def test_failed_region_is_named_and_others_stand(aws: Aws, tmp_path: Path) -> None:
    """A region that refuses is named; the others are published; the next run adds only what was missing."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(4, [5]), 24)
    traffic.harm = lambda call: Harm.FAILED if call.region == FAR and call.does("CopyImage") else None
    fewer = Clients(dataclasses.replace(LIMITS, attempts=2), endpoint)

    with pytest.raises(PublishError, match=FAR) as failure:
        publish(work(tmp_path, endpoint, raw, clients=fewer))

    assert HOME in failure.value.message.splitlines()[0]
    assert images(endpoint, HOME)
    assert images(endpoint, ABROAD)
    traffic.harm = lambda _: None
    traffic.calls.clear()
    assert_whole(endpoint, publish(work(tmp_path, endpoint, raw)))
    assert [call.region for call in traffic.calls if call.does("CopyImage")] == [FAR]
    assert puts(traffic) == []


def test_parent_sends_only_what_differs(aws: Aws, tmp_path: Path) -> None:
    """A child of an earlier release costs its changed blocks, zeros included, and reads back as the new disk."""
    endpoint, traffic = aws
    old = content(5, [0, 1, 2, 9])
    new = {**{k: v for k, v in old.items() if k != 9}, **content(6, [1, 20])}
    first = work(tmp_path, endpoint, disk(tmp_path / "a.raw.zst", old, 24), version="0.9.0")
    publish(first)
    snapshot = str(first.ledger.once(f"{HOME}/snapshot", dict)["SnapshotId"])
    traffic.calls.clear()

    second = work(
        tmp_path, endpoint, disk(tmp_path / "b.raw.zst", new, 24), parent=Parent(snapshot, tmp_path / "a.raw.zst")
    )
    publish(second)

    assert sorted(puts(traffic)) == [1, 9, 20]


def test_damaged_snapshot_is_never_pointed_at(aws: Aws, tmp_path: Path) -> None:
    """A snapshot that does not read back as the image stops the publication before any image exists."""
    endpoint, _ = aws
    raw = disk(tmp_path / "a.raw.zst", content(7, [4]), 24)
    forged = work(tmp_path, endpoint, disk(tmp_path / "other.raw.zst", content(8, [4]), 24))
    completed_snapshot(forged)
    forged.ledger.path.unlink()

    with pytest.raises(PublishError, match="a block 4 that differs"):
        publish(work(tmp_path, endpoint, raw))

    assert images(endpoint, HOME) == []


def test_taken_name_is_refused(aws: Aws, tmp_path: Path) -> None:
    """Another release under the same version is refused by name, not adopted."""
    endpoint, _ = aws
    raw = disk(tmp_path / "a.raw.zst", content(9, [1]), 24)
    publish(work(tmp_path, endpoint, raw, regions=[HOME]))
    other = Ami("localnet", "1.0.0", "amd64", "beef" * 10, "f" * 64, raw, 24 * BLOCK_SIZE)

    with pytest.raises(PublishError, match="made from another release"):
        publish(work(tmp_path, endpoint, raw, ami=other, ledger=Ledger(tmp_path / "o.jsonl", "f" * 64)))


def test_snapshot_that_aws_gave_up_is_replaced(aws: Aws, tmp_path: Path) -> None:
    """A snapshot in state `error` is deleted and another one filled, without an orphan."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(10, [1, 2]), 24)
    job = work(tmp_path, endpoint, raw)
    dead = job.clients.ebs(HOME).start_snapshot(
        VolumeSize=1, Description="given up", Tags=[{"Key": RELEASE_TAG, "Value": job.ami.release}]
    )["SnapshotId"]
    job.ledger.mark(f"{HOME}/blocks", [1, 2])

    published = publish(job)

    assert sorted(puts(traffic)) == [1, 2]
    assert dead not in snapshots(endpoint, HOME)
    assert_whole(endpoint, published)


def test_no_credentials(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the message says so and gives the command."""
    endpoint, _ = aws
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    raw = disk(tmp_path / "a.raw.zst", content(11, [1]), 24)

    with pytest.raises(PublishError, match="no AWS credentials") as failure:
        publish(work(tmp_path, endpoint, raw))

    assert failure.value.hint == "aws configure"


def test_unreachable_cloud(tmp_path: Path, aws: Aws) -> None:
    """A cloud that does not answer is named with what was tried."""
    del aws
    quick = Clients(Limits(connect=0.5, answer=0.5, attempts=1, poll=0.01, timeout=1), "http://127.0.0.1:9")
    raw = disk(tmp_path / "a.raw.zst", content(12, [1]), 24)

    with pytest.raises(PublishError, match="looking for a snapshot"):
        publish(work(tmp_path, "", raw, clients=quick))


def test_ledger_is_written_before_each_step(aws: Aws, tmp_path: Path) -> None:
    """Every step that has a result was announced first."""
    endpoint, _ = aws
    raw = disk(tmp_path / "a.raw.zst", content(13, [1]), 24)
    publish(work(tmp_path, endpoint, raw))

    lines = [json.loads(line) for line in (tmp_path / "1.0.0.jsonl").read_text().splitlines()]
    begun = [line["begin"] for line in lines if "begin" in line]
    done = [line["done"] for line in lines if "done" in line]

    assert Counter(begun) == Counter(done)
    assert all(begun.index(step) >= 0 for step in done)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_any_two_steps(aws: Aws, tmp_path: Path, when: str) -> None:
    """Publishers killed with SIGKILL at every record of the ledger still end in one image and no orphan."""
    endpoint, traffic = aws
    raw = disk(tmp_path / "a.raw.zst", content(14, [0, 5, 6]), 24)
    script = Path(__file__).with_name("killed.py")
    env = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    argv: list[str | Path] = [sys.executable, script, endpoint, raw, tmp_path / "1.0.0.jsonl", when]

    deaths = int(run(argv, env={**env, "PYTHONPATH": str(REPOSITORY)}, timeout=240).stdout)

    traffic.calls.clear()
    assert deaths >= 15
    assert_whole(endpoint, publish(work(tmp_path, endpoint, raw)))
    assert puts(traffic) == []
