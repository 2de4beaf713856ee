"""A server that answers as AWS does, a proxy in front of it, and small releases to publish."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.progress import SILENT
from goldnode.publish.release import make
from goldnode.run import run, spawn
from tests.integration.publish.miniature_release import bake_miniature, order
from tests.integration.publish.proxy import Traffic, proxied


@pytest.fixture(scope="session")
def aws_port() -> Iterator[int]:
    """Port of one server for all tests; each test empties it."""
    script = Path(__file__).with_name("aws_server.py")
    # Hundreds of Amazon's own images per region are of no use here, and cost a second each time.
    env = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    argv: list[str | Path] = [sys.executable, "-W", "ignore", script]
    with spawn(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        with server.stdout:
            yield int(server.stdout.readline())


@pytest.fixture
def aws(aws_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Traffic]]:
    """Address of an empty AWS, and what passes on the way to it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    with urllib.request.urlopen(f"http://127.0.0.1:{aws_port}/moto-api/reset", data=b""), proxied(aws_port) as running:
        yield running


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's signing key; ``allowed_signers`` beside it trusts it under the name `operator`."""
    path = tmp_path_factory.mktemp("key") / "release_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path])
    public = path.with_suffix(".pub").read_text()
    path.with_name("allowed_signers").write_text(f'operator namespaces="goldnode-release" {public}')
    return path


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sealed image that keeps every promise, with a daemon and its manifest, as a bake leaves them."""
    return bake_miniature(tmp_path_factory.mktemp("baked"), {})


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, baked: Path, key: Path) -> Path:
    """A release of it; tests that harm it work on a copy."""
    return make(order(baked, key, tmp_path_factory.mktemp("release")), SILENT)
