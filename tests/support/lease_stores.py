"""Real stores for signing leases: etcd, S3 by moto's server and by Versity's, a folder."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from goldnode.node.keys.stores.open_store import open_store
from goldnode.node.keys.stores.store import LeaseStore
from goldnode.run import run, spawn, stop_group
from tests.support.go_tools import VERSITYGW
from tests.support.waiting import until


def port() -> int:
    """A free port of loopback."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(number: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", number)) == 0


@dataclass
class Etcd:
    """A real etcd of one member, with a data folder that can be backed up and restored."""

    folder: Path
    client: int
    peer: int
    host: str = "127.0.0.1"
    process: Any = None
    lives: int = 0
    stack: Any = None
    prefix: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """What stands behind `lease:`."""
        return f"etcd://{self.host}:{self.client}/goldnode"

    def start(self) -> None:
        """Start it, with the data it has."""
        own, peer = f"http://{self.host}:{self.client}", f"http://127.0.0.1:{self.peer}"
        argv = [
            *self.prefix, "etcd", "--name", "one", "--data-dir", str(self.folder / f"data-{self.lives}"),
            "--listen-client-urls", own, "--advertise-client-urls", own, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}",
            "--initial-cluster-token", f"token-{self.lives}",
        ]  # fmt: skip
        with (self.folder / "etcd.log").open("ab") as log:
            self.process = self.stack.enter_context(spawn(argv, stdout=log, stderr=log))
        ask = [*self.prefix, "etcdctl", "--endpoints", own, "endpoint", "health"]
        assert until(lambda: run(ask, env={"ETCDCTL_API": "3"}, check=False).returncode == 0, 60), "etcd is not there"

    def stop(self) -> None:
        """Stop it."""
        stop_group(self.process)

    def backup(self, name: str) -> None:
        """Take a snapshot, as docs/lease.md says."""
        own = f"http://{self.host}:{self.client}"
        argv = [*self.prefix, "etcdctl", "--endpoints", own, "snapshot", "save", str(self.folder / name)]
        run(argv, env={"ETCDCTL_API": "3"}, timeout=60)

    def restore(self, name: str) -> None:
        """Restore a snapshot into a new folder under a new cluster token, and start from that."""
        self.stop()
        self.lives += 1
        peer = f"http://127.0.0.1:{self.peer}"
        run(
            [*self.prefix, "etcdctl", "snapshot", "restore", str(self.folder / name), "--name", "one",
             "--data-dir", str(self.folder / f"data-{self.lives}"), "--initial-cluster", f"one={peer}",
             "--initial-cluster-token", f"token-{self.lives}", "--initial-advertise-peer-urls", peer],
            env={"ETCDCTL_API": "3"}, timeout=60,
        )  # fmt: skip
        self.start()


@contextlib.contextmanager
def etcd(folder: Path, host: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> Iterator[Etcd]:
    """A running etcd; with ``prefix``, in a network namespace."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        made = Etcd(folder, port(), port(), host, stack=stack, prefix=prefix)
        made.start()
        yield made


@contextlib.contextmanager
def s3(root: Path) -> Iterator[str]:
    """Moto's S3 server with a bucket; what stands behind `lease:`."""
    number = port()
    with spawn([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(number)]):
        yield _bucket(root, number)


@contextlib.contextmanager
def versity(root: Path) -> Iterator[str]:
    """Versity's S3 server over a folder, with a bucket; what stands behind `lease:`."""
    number, folder = port(), root / "objects"
    folder.mkdir(parents=True)
    argv = ["--access", "a", "--secret", "b", "--port", f"127.0.0.1:{number}", "--quiet", "posix", str(folder)]
    with spawn([VERSITYGW.path(), *argv]):
        yield _bucket(root, number)


def _bucket(root: Path, number: int) -> str:
    """A bucket of the server on that port, and its credentials on the node."""
    assert until(lambda: listens(number), 60)
    endpoint = f"http://127.0.0.1:{number}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="leases")
    write_credentials(root)
    return f"s3://leases/goldnode?endpoint={endpoint}"


def write_credentials(root: Path) -> None:
    """What user-data would put on a node."""
    path = root / "etc" / "goldnode" / "lease" / "s3.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"access_key": "a", "secret_key": "b"}))


def store(url: str, root: Path, address: str = "A" * 40, timeout: float = 5.0) -> LeaseStore:
    """The product's own client."""
    return open_store(url, address, lambda path: root / path.lstrip("/"), timeout=timeout)
