"""One snapshot, written and read back block by block through EBS direct."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError

from goldnode.errors import PublishError
from goldnode.progress import Step
from goldnode.publish.aws.clients import WORKERS, aws_errors, error_code
from goldnode.publish.blocks import BLOCK_SIZE, Block

if TYPE_CHECKING:
    from mypy_boto3_ebs.client import EBSClient

#: Attempts to write to a snapshot that AWS has just made and does not know everywhere yet.  They
#: take 132 s in all, which coldsnap found to be enough.
UNKNOWN_ATTEMPTS = 12
#: Attempts to read one block.
FETCH_ATTEMPTS = 3
#: Acknowledged blocks collected before they go into the ledger.
MARK_EVERY = 64
_ZEROS = hashlib.sha256(bytes(BLOCK_SIZE)).digest()


def put_blocks(
    ebs: EBSClient,
    snapshot: str,
    blocks: Iterable[Block],
    *,
    skip: frozenset[int],
    mark: Callable[[Iterable[int]], None],
    sleep: Callable[[float], None],
    step: Step,
) -> dict[int, bytes]:
    """Write blocks to a pending snapshot, many at once, in any order.

    Args:
        ebs: The region's client.
        snapshot: Its id.
        blocks: What to write.
        skip: Indices that an earlier run has written.
        mark: Receives the indices that AWS has acknowledged, in batches.
        sleep: Waits that many seconds.
        step: Shows how many blocks are written.

    Returns:
        The digest of every block by index, including the skipped ones.

    Raises:
        PublishError: A block could not be written; what was acknowledged is marked.
    """
    written: dict[int, bytes] = {}
    fresh: list[int] = []

    def collect(futures: Iterable[Future[tuple[int, bytes]]]) -> None:
        for future in futures:
            index, digest = future.result()
            written[index] = digest
            fresh.append(index)
        step.update(len(written))
        if len(fresh) >= MARK_EVERY:
            mark(fresh)
            fresh.clear()

    with _cancelling(ThreadPoolExecutor(WORKERS)) as pool:
        pending: set[Future[tuple[int, bytes]]] = set()
        try:
            for block in blocks:
                if block.index in skip:
                    written[block.index] = block.digest()
                    continue
                if len(pending) >= 2 * WORKERS:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    collect(done)
                pending.add(pool.submit(_put, ebs, snapshot, block, sleep))
            collect(wait(pending).done)
        finally:
            if fresh:
                mark(fresh)
    return written


def read_back(ebs: EBSClient, snapshot: str, expected: Mapping[int, bytes], *, step: Step) -> None:
    """Download every block of a completed snapshot and compare it with the image.

    Args:
        ebs: The region's client.
        snapshot: Its id.
        expected: Digest of every block of the image that is not all zeros.
        step: Shows how many blocks are compared.

    Raises:
        PublishError: A block is missing, or differs; names the first one.
    """
    with aws_errors(f"listing the blocks of {snapshot}"):
        tokens = _tokens(ebs, snapshot)
    if missing := sorted(expected.keys() - tokens.keys()):
        raise PublishError(f"{snapshot} lacks block {missing[0]} ({len(missing)} in all) of the image")
    with _cancelling(ThreadPoolExecutor(WORKERS)) as pool:
        fetched = pool.map(lambda item: (item[0], _fetch(ebs, snapshot, *item)), sorted(tokens.items()))
        for count, (index, digest) in enumerate(fetched, start=1):
            if digest != expected.get(index, _ZEROS):
                raise PublishError(f"{snapshot} holds a block {index} that differs from what was sent")
            step.update(count, len(tokens))


def _put(ebs: EBSClient, snapshot: str, block: Block, sleep: Callable[[float], None]) -> tuple[int, bytes]:
    digest = block.digest()
    with aws_errors(f"writing block {block.index} of {snapshot}"):
        for attempt in range(1, UNKNOWN_ATTEMPTS + 1):
            try:
                ebs.put_snapshot_block(
                    SnapshotId=snapshot, BlockIndex=block.index, BlockData=block.data, DataLength=BLOCK_SIZE,
                    Checksum=base64.b64encode(digest).decode(), ChecksumAlgorithm="SHA256",
                )  # fmt: skip
                break
            except ClientError as refused:
                if error_code(refused) != "ResourceNotFoundException" or attempt == UNKNOWN_ATTEMPTS:
                    raise
                sleep(2 * attempt)
    return block.index, digest


def _fetch(ebs: EBSClient, snapshot: str, index: int, token: str) -> bytes:
    """Digest of one block; boto3 retries a call, but not an answer that breaks off."""
    with aws_errors(f"reading block {index} of {snapshot}"):
        for _ in range(FETCH_ATTEMPTS - 1):
            with contextlib.suppress(HTTPClientError, ResponseStreamingError):
                return _get(ebs, snapshot, index, token)
        return _get(ebs, snapshot, index, token)


def _get(ebs: EBSClient, snapshot: str, index: int, token: str) -> bytes:
    answer = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
    return hashlib.sha256(answer["BlockData"].read()).digest()


def _tokens(ebs: EBSClient, snapshot: str) -> dict[int, str]:
    tokens: dict[int, str] = {}
    page = ebs.list_snapshot_blocks(SnapshotId=snapshot)
    while True:
        tokens |= {block["BlockIndex"]: block["BlockToken"] for block in page["Blocks"]}
        if not page.get("NextToken"):
            return tokens
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, NextToken=page["NextToken"])


@contextlib.contextmanager
def _cancelling(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """A thread pool; if the block fails, jobs that have not begun never begin."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
