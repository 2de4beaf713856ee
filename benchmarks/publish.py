"""How fast blocks leave for EBS direct, beside workers that do nothing but send them.

Both send the same random blocks of 512 KiB to the same server (moto's, on this machine), with the
same number of threads, in turns.  The bare workers know every byte of their requests beforehand;
what the publisher adds is reading, digests, signatures, retries and the ledger.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from goldnode.errors import HostError
from goldnode.progress import SILENT, Progress
from goldnode.publish.aws.clients import WORKERS, Clients, Limits
from goldnode.publish.aws.upload import put_blocks
from goldnode.publish.blocks import BLOCK_SIZE, Block
from goldnode.publish.ledger import Ledger
from goldnode.run import spawn

#: Blocks per turn: 64 MiB, which moto keeps in its memory.
BLOCKS = 128
TURNS = 5
#: The share of the bare workers' rate that publishing must reach.
GOAL = 0.8
REGION = "us-east-1"
#: What moto wants to see; of the signature, it looks at service and region only.
_SCOPE = f"x/20260101/{REGION}/ebs/aws4_request"
_HEADERS = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=x",
    "x-amz-Data-Length": str(BLOCK_SIZE),
    "x-amz-Checksum-Algorithm": "SHA256",
}
_MOTO = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Blocks per second of every turn.

    Attributes:
        bare: Of workers that only send.
        publisher: Of the publisher.
        load: This machine's load average when it began.
    """

    bare: tuple[float, ...]
    publisher: tuple[float, ...]
    load: float

    @property
    def ratio(self) -> float:
        """Median of the publisher over median of the bare workers."""
        return statistics.median(self.publisher) / statistics.median(self.bare)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": 1, "workers": WORKERS, "blocks": BLOCKS, "block_size": BLOCK_SIZE, "load": self.load,
            "bare": self.bare, "publisher": self.publisher, "ratio": self.ratio, "goal": GOAL,
        }  # fmt: skip

    def rows(self) -> list[tuple[str, str, str]]:
        """The table: what, measured, goal."""
        mib = BLOCK_SIZE / (1 << 20)

        def rate(values: Sequence[float]) -> str:
            middle = statistics.median(values)
            return f"{middle:.0f} blocks/s, {middle * mib:.0f} MiB/s"

        return [
            (f"{WORKERS} bare workers", rate(self.bare), ""),
            ("the publisher", rate(self.publisher), ""),
            ("ratio", f"{self.ratio:.2f}", f">= {GOAL}"),
        ]


def measure(progress: Progress) -> PublishReport:
    """Send blocks in turns.

    Raises:
        HostError: moto is not installed: it comes with requirements/test.lock.
    """
    load = os.getloadavg()[0]
    chance = random.Random(1)  # noqa: S311 - repeatable, nothing secret
    blocks = [Block(index, chance.randbytes(BLOCK_SIZE)) for index in range(BLOCKS)]
    bare, publisher = [], []
    with progress.step(f"sending {BLOCKS} blocks {TURNS} times each way") as step, _moto() as port, _credentials():
        clients = Clients(Limits(), f"http://127.0.0.1:{port}")
        for turn in range(TURNS + 1):
            rates = _bare(port, _snapshot(clients), blocks), _published(clients, blocks)
            step.update(turn + 1, TURNS + 1)
            if turn:  # the first one warms both up
                bare.append(rates[0])
                publisher.append(rates[1])
    return PublishReport(tuple(bare), tuple(publisher), load)


def _published(clients: Clients, blocks: Sequence[Block]) -> float:
    snapshot = _snapshot(clients)
    with tempfile.TemporaryDirectory() as folder, SILENT.step("") as step:
        ledger = Ledger(Path(folder) / "ledger.jsonl", "")
        began = time.perf_counter()
        put_blocks(
            clients.ebs(REGION), snapshot, blocks, skip=frozenset(), mark=lambda done: ledger.mark("blocks", done),
            sleep=time.sleep, step=step,
        )  # fmt: skip
        return len(blocks) / (time.perf_counter() - began)


def _bare(port: int, snapshot: str, blocks: Sequence[Block]) -> float:
    waiting: SimpleQueue[tuple[Block, dict[str, str]]] = SimpleQueue()
    for block in blocks:
        checksum = base64.b64encode(block.digest()).decode()
        waiting.put((block, {**_HEADERS, "x-amz-Checksum": checksum}))

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.closing(connection), contextlib.suppress(Empty):
            while True:
                block, headers = waiting.get_nowait()
                connection.request("PUT", f"/snapshots/{snapshot}/blocks/{block.index}", block.data, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != HTTPStatus.CREATED:
                    raise HostError(f"moto answered {answer.status} to a bare worker")

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        for worker in [pool.submit(work) for _ in range(WORKERS)]:
            worker.result()
    return len(blocks) / (time.perf_counter() - began)


def _snapshot(clients: Clients) -> str:
    return clients.ebs(REGION).start_snapshot(VolumeSize=1)["SnapshotId"]


@contextlib.contextmanager
def _moto() -> Iterator[int]:
    """Moto's server on a free port."""
    argv = [sys.executable, "-W", "ignore", "-c", _MOTO]
    with spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None  # noqa: S101 - asked for above
        with server.stdout:
            line = server.stdout.readline()
            if not line:
                raise HostError("moto is not installed", hint="pip install -r requirements/test.lock")
            yield int(line)


@contextlib.contextmanager
def _credentials() -> Iterator[None]:
    """Moto takes any credentials; boto3 wants some."""
    before = dict(os.environ)
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")  # noqa: S106 - of nobody
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
