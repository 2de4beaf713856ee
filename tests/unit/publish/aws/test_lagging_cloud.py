"""AWS as it is on a slow day: answers that no server here gives, fed to the real clients.

moto is consistent at once, so what an upload does while one part of Amazon has not heard of
another is shown with botocore's own stubs: every call must come in the order that is written down.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from botocore.stub import Stubber

from goldnode.errors import PublishError
from goldnode.progress import SILENT
from goldnode.publish.aws import image, pointer
from goldnode.publish.aws.clients import Clients, Limits
from goldnode.publish.aws.image import RELEASE_TAG, Ami
from goldnode.publish.aws.publication import Publication
from goldnode.publish.aws.publish import publish
from goldnode.publish.aws.snapshot import completed_snapshot
from goldnode.publish.aws.upload import UNKNOWN_ATTEMPTS, put_blocks, read_back
from goldnode.publish.blocks import BLOCK_SIZE, Block
from goldnode.publish.ledger import Ledger

HOME = "us-east-1"
AMI = Ami("localnet", "1.0.0", "amd64", "c" * 40, "a" * 64, Path("disk.raw.zst"), BLOCK_SIZE)
BLOCK = Block(0, b"\1" * BLOCK_SIZE)


@dataclasses.dataclass
class Cloud:
    """Real clients whose answers are written down, and the seconds that were waited."""

    clients: Clients
    ec2: Stubber
    ebs: Stubber
    ssm: Stubber
    waited: list[float]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """One set for all tests: EC2's model alone takes half a second to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield Clients(Limits(poll=5, timeout=60))


@pytest.fixture
def cloud(clients: Clients) -> Iterator[Cloud]:
    """Stubs that must all be used up at the end."""
    with (
        Stubber(clients.ec2(HOME)) as ec2,
        Stubber(clients.ebs(HOME)) as ebs,
        Stubber(clients.ssm(HOME)) as ssm,
    ):
        yield Cloud(clients, ec2, ebs, ssm, [])
        for stub in (ec2, ebs, ssm):
            stub.assert_no_pending_responses()


def work(cloud: Cloud, tmp_path: Path) -> Publication:
    """A publication of one block to one region."""
    raw = tmp_path / "disk.raw.zst"
    raw.write_bytes(zstandard.compress(BLOCK.data))
    clock = itertools.count(step=10)
    return Publication(
        dataclasses.replace(AMI, raw=raw), [HOME], dt.datetime(2027, 1, 1, tzinfo=dt.UTC), cloud.clients,
        Ledger(tmp_path / "ledger.jsonl", AMI.release), SILENT,
        sleep=cloud.waited.append, clock=lambda: float(next(clock)),
    )  # fmt: skip


def images(state: str) -> dict[str, Any]:
    """DescribeImages' answer about one image."""
    return {"Images": [{"ImageId": "ami-1", "State": state}]}


def snapshots(state: str) -> dict[str, Any]:
    """DescribeSnapshots' answer about one snapshot."""
    return {
        "Snapshots": [{"SnapshotId": "snap-1", "State": state, "StartTime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}]
    }


def wait(cloud: Cloud, clock: Callable[[], float] = lambda: 0.0) -> None:
    """Wait for the image."""
    image.wait_available(cloud.clients, HOME, "ami-1", cloud.waited.append, clock)


def test_an_image_is_waited_for(cloud: Cloud) -> None:
    """An image that the region has not heard of, or that is pending, is looked at again."""
    cloud.ec2.add_client_error("describe_images", "InvalidAMIID.NotFound")
    cloud.ec2.add_response("describe_images", {"Images": []})
    cloud.ec2.add_response("describe_images", images("pending"))
    cloud.ec2.add_response("describe_images", images("available"))

    wait(cloud)

    assert [5, 5, 5] == cloud.waited


def test_an_image_that_failed(cloud: Cloud) -> None:
    """A failed image is not waited for."""
    cloud.ec2.add_response("describe_images", images("failed"))

    with pytest.raises(PublishError, match="ami-1 in us-east-1 became failed"):
        wait(cloud)


def test_an_image_that_never_comes(cloud: Cloud) -> None:
    """Waiting has an end."""
    for _ in range(2):
        cloud.ec2.add_response("describe_images", images("pending"))
    times = iter([0.0, 30.0, 61.0])

    with pytest.raises(PublishError, match="still pending after 60 s"):
        wait(cloud, lambda: next(times))


def test_looking_may_be_refused(cloud: Cloud) -> None:
    """A refusal is no state."""
    cloud.ec2.add_client_error("describe_images", "UnauthorizedOperation", "You are not authorized")

    with pytest.raises(PublishError, match="AWS answered UnauthorizedOperation: You are not authorized"):
        wait(cloud)


def test_a_snapshot_that_is_not_known_everywhere_yet(cloud: Cloud) -> None:
    """A block is sent again while EBS has not heard of the snapshot, with growing pauses."""
    for _ in range(2):
        cloud.ebs.add_client_error("put_snapshot_block", "ResourceNotFoundException")
    cloud.ebs.add_response("put_snapshot_block", {})

    put(cloud)

    assert [2, 4] == cloud.waited


def test_a_snapshot_that_never_becomes_known(cloud: Cloud) -> None:
    """Some time a snapshot that is not there is not there."""
    for _ in range(UNKNOWN_ATTEMPTS):
        cloud.ebs.add_client_error("put_snapshot_block", "ResourceNotFoundException")

    with pytest.raises(PublishError, match="writing block 0 of snap-1"):
        put(cloud)

    assert 132 == sum(cloud.waited)


def put(cloud: Cloud) -> None:
    """Send one block."""
    with SILENT.step("") as step:
        put_blocks(
            cloud.clients.ebs(HOME), "snap-1", [BLOCK],
            skip=frozenset(), mark=lambda _: None, sleep=cloud.waited.append, step=step,
        )  # fmt: skip


def test_blocks_are_listed_page_by_page(cloud: Cloud) -> None:
    """A list in several pages is read to its end; a block of the image that is in none is missed."""
    cloud.ebs.add_response("list_snapshot_blocks", {"Blocks": [{"BlockIndex": 0, "BlockToken": "a"}], "NextToken": "n"})
    cloud.ebs.add_response(
        "list_snapshot_blocks", {"Blocks": [{"BlockIndex": 1, "BlockToken": "b"}]},
        {"SnapshotId": "snap-1", "NextToken": "n"},
    )  # fmt: skip

    with pytest.raises(PublishError, match=r"lacks block 7 \(2 in all\)"), SILENT.step("") as step:
        read_back(cloud.clients.ebs(HOME), "snap-1", {0: b"", 7: b"", 8: b""}, step=step)


def test_completing_takes_its_time(cloud: Cloud, tmp_path: Path) -> None:
    """A snapshot that was completed by a try whose answer was lost is taken as it is, once it is whole."""
    cloud.ec2.add_response("describe_snapshots", {"Snapshots": []})
    cloud.ebs.add_response("start_snapshot", {"SnapshotId": "snap-1"})
    cloud.ec2.add_client_error("describe_snapshots", "InvalidSnapshot.NotFound")
    cloud.ec2.add_response("describe_snapshots", snapshots("pending"))
    cloud.ebs.add_response("put_snapshot_block", {})
    cloud.ebs.add_client_error("complete_snapshot", "ConflictException")
    cloud.ec2.add_response("describe_snapshots", snapshots("completed"))
    cloud.ec2.add_response("describe_snapshots", snapshots("pending"))
    cloud.ec2.add_response("describe_snapshots", snapshots("error"))

    with pytest.raises(PublishError, match="snap-1 in us-east-1 is error, not completed"):
        completed_snapshot(work(cloud, tmp_path))

    assert [5] == cloud.waited


def test_a_snapshot_given_up_and_already_deleted(cloud: Cloud, tmp_path: Path) -> None:
    """Deleting what is gone is no fault, and the next snapshot asks under another token."""
    job = work(cloud, tmp_path)
    cloud.ec2.add_response("describe_snapshots", snapshots("error"))
    cloud.ec2.add_response("describe_snapshots", snapshots("error"))
    cloud.ec2.add_client_error("delete_snapshot", "InvalidSnapshot.NotFound")
    cloud.ec2.add_response("describe_snapshots", {"Snapshots": []})
    cloud.ebs.add_client_error("start_snapshot", "ServiceQuotaExceededException", "too many")

    with pytest.raises(PublishError, match="starting a snapshot in us-east-1"):
        completed_snapshot(job)

    assert frozenset({1}) == job.ledger.marked(f"{HOME}/restarts")


@pytest.mark.parametrize(("held", "outcome"), [("a" * 64, "adopted"), ("b" * 64, "refused")])
def test_a_name_that_is_taken(cloud: Cloud, tmp_path: Path, held: str, outcome: str) -> None:
    """A duplicate name is our own image, whose answer was lost, or somebody's, which is refused."""
    job = work(cloud, tmp_path)
    job.ledger.once(f"{HOME}/snapshot", lambda: {"SnapshotId": "snap-1"})
    job.ledger.once(f"{HOME}/read-back", dict)
    for _ in range(2):
        cloud.ec2.add_response("describe_snapshots", snapshots("completed"))
    cloud.ec2.add_response("describe_images", {"Images": []})
    cloud.ec2.add_client_error("register_image", "InvalidAMIName.Duplicate")
    tags = [{"Key": RELEASE_TAG, "Value": held}]
    cloud.ec2.add_response("describe_images", {"Images": [{"ImageId": "ami-1", "State": "failed", "Tags": tags}]})
    if outcome == "adopted":
        cloud.ec2.add_response("describe_images", images("failed"))

    with pytest.raises(PublishError) as failure:
        publish(job)

    assert ("became failed" in failure.value.message) == (outcome == "adopted")
    assert ("another release" in failure.value.message) == (outcome == "refused")


def test_a_version_names_one_image(cloud: Cloud) -> None:
    """A version's parameter that names another image is left as it is."""
    cloud.ssm.add_client_error("put_parameter", "ParameterAlreadyExists")
    cloud.ssm.add_response("get_parameter", {"Parameter": {"Value": "ami-2"}})

    with pytest.raises(PublishError, match="names ami-2, not ami-1"):
        pointer.name_version(cloud.clients.ssm(HOME), AMI, "ami-1")


def test_everything_that_differs_is_named() -> None:
    """An image that lost its attributes is described attribute by attribute."""
    wrong = image.faults({"ImageId": "ami-1", "Name": AMI.name}, AMI, "snap-1")

    assert "IMDS is None, not 'v2.0'" in wrong
    assert "snapshot is None, not 'snap-1'" in wrong
    assert not any(each.startswith("name ") for each in wrong)
