"""The home region's snapshot: started once, filled, completed, and every block compared with the image."""

from __future__ import annotations

from botocore.exceptions import ClientError

from goldnode.errors import PublishError
from goldnode.publish import blocks
from goldnode.publish.aws.clients import aws_errors, error_code
from goldnode.publish.aws.image import RELEASE_TAG
from goldnode.publish.aws.publication import Publication
from goldnode.publish.aws.upload import put_blocks, read_back
from goldnode.publish.ledger import Facts

#: Minutes after which AWS gives up on a snapshot that nobody writes to.
SNAPSHOT_TIMEOUT = 24 * 60


def completed_snapshot(work: Publication) -> str:
    """The completed snapshot of the home region, every block compared with the image."""
    step = f"{work.home}/snapshot"
    snapshot = work.once(step, "SnapshotId", lambda: _find(work), lambda: _start(work))
    if _state(work, snapshot) == "error":
        # AWS gave up on it: nobody wrote to it for SNAPSHOT_TIMEOUT.
        _give_up(work, snapshot)
        snapshot = work.once(step, "SnapshotId", lambda: _find(work), lambda: _start(work))
    if _state(work, snapshot) == "pending":
        work.ledger.once(f"{work.home}/complete", lambda: _fill(work, snapshot))
        _wait_completed(work, snapshot)
    work.ledger.once(f"{work.home}/read-back", lambda: _read_back(work, snapshot))
    return snapshot


def _fill(work: Publication, snapshot: str) -> Facts:
    """Upload what is missing and complete the snapshot."""
    step = f"{work.home}/blocks"
    with (
        work.progress.step(f"sending blocks to {work.home}") as shown,
        blocks.open_raw(work.ami.raw) as disk,
        blocks.open_raw(work.parent.raw if work.parent else None) as base,
    ):
        written = put_blocks(
            work.clients.ebs(work.home),
            snapshot,
            blocks.changed_blocks(disk, base),
            skip=work.ledger.marked(step),
            mark=lambda indices: work.ledger.mark(step, indices),
            sleep=work.sleep,
            step=shown,
        )
    with aws_errors(f"completing {snapshot} in {work.home}"):
        try:
            work.clients.ebs(work.home).complete_snapshot(
                SnapshotId=snapshot,
                ChangedBlocksCount=len(written),
                Checksum=blocks.linear_checksum(written),
                ChecksumAlgorithm="SHA256",
                ChecksumAggregationMethod="LINEAR",
            )
        except ClientError:
            # Our own attempt, whose answer was lost, may have completed it; the read-back proves the content.
            if _state(work, snapshot) != "completed":
                raise
    return {"blocks": len(written)}


def _read_back(work: Publication, snapshot: str) -> Facts:
    with work.progress.step(f"reading {snapshot} back") as shown:
        expected = blocks.digests(work.ami.raw)
        read_back(work.clients.ebs(work.home), snapshot, expected, step=shown)
    return {"blocks": len(expected)}


def _start(work: Publication) -> str:
    restarts = len(work.ledger.marked(f"{work.home}/restarts"))
    tags = [{"Key": key, "Value": value} for key, value in work.ami.tags().items()]
    parent = {"ParentSnapshotId": work.parent.snapshot} if work.parent else {}
    with aws_errors(f"starting a snapshot in {work.home}"):
        return work.clients.ebs(work.home).start_snapshot(
            VolumeSize=blocks.volume_gib(work.ami.size),
            Description=work.ami.description,
            ClientToken=work.ami.token("snapshot", work.home, str(restarts)),
            Timeout=SNAPSHOT_TIMEOUT,
            Tags=tags,  # type: ignore[arg-type]  # the stubs want their own TypedDict for the same dictionary
            **parent,  # type: ignore[arg-type]
        )["SnapshotId"]


def _find(work: Publication) -> str | None:
    """The oldest snapshot of this release; AWS shows its own, auto-made ones without our tag."""
    with aws_errors(f"looking for a snapshot of this release in {work.home}"):
        found = work.clients.ec2(work.home).describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": f"tag:{RELEASE_TAG}", "Values": [work.ami.release]}]
        )["Snapshots"]
    return min(found, key=lambda each: (each["StartTime"], each["SnapshotId"]))["SnapshotId"] if found else None


def _give_up(work: Publication, snapshot: str) -> None:
    """Forget a snapshot, then delete it: after a crash in between, it is still found by its tag, and given up again."""
    restarts = len(work.ledger.marked(f"{work.home}/restarts"))
    work.ledger.mark(f"{work.home}/restarts", [restarts + 1])
    for stale in ("blocks", "complete", "read-back", "snapshot"):
        work.ledger.forget(f"{work.home}/{stale}")
    with aws_errors(f"deleting {snapshot} in {work.home}"):
        try:
            work.clients.ec2(work.home).delete_snapshot(SnapshotId=snapshot)
        except ClientError as refused:
            if error_code(refused) != "InvalidSnapshot.NotFound":
                raise


def _state(work: Publication, snapshot: str) -> str:
    """The snapshot's state; `pending` while EC2 does not yet know the snapshot that EBS has just made."""
    with aws_errors(f"looking at {snapshot} in {work.home}"):
        try:
            return work.clients.ec2(work.home).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"]
        except ClientError as refused:
            if error_code(refused) == "InvalidSnapshot.NotFound":
                return "pending"
            raise


def _wait_completed(work: Publication, snapshot: str) -> None:
    deadline = work.clock() + work.clients.limits.timeout
    while (state := _state(work, snapshot)) != "completed":
        if state == "error" or work.clock() > deadline:
            raise PublishError(
                f"{snapshot} in {work.home} is {state}, not completed", hint="run the same command again"
            )
        work.sleep(work.clients.limits.poll)
