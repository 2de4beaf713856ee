"""The commands verify, diff and publish, as a person types them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY
from goldnode.run import Completed, run
from tests.integration.publish.conftest import baked, key, release
from tests.support.checkout import checkout

__all__ = ["baked", "key", "release"]


def invoke(*words: str | Path, env: dict[str, str] | None = None) -> Completed:
    """Run the program with the checkout's tasks."""
    return run([sys.executable, "-m", "invoke", *words], cwd=REPOSITORY, env=env, check=False, timeout=600)


def test_verify_says_what_held_and_who_signed(release: Path, key: Path) -> None:
    """A good release exits 0 with a line per link, and names a trusted signer."""
    done = invoke("verify", release, "--signers", key.with_name("allowed_signers"))

    assert done.returncode == 0, done.stderr
    assert [line[:4] for line in done.stdout.splitlines()] == ["ok  "] * 4 + ["sign"]
    assert "signed by operator" in done.stdout


def test_verify_as_json(release: Path) -> None:
    """Programs read the same as JSON."""
    done = invoke("verify", release, "--json")
    document = json.loads(done.stdout)

    assert done.returncode == 7
    assert document["version"] == 1
    assert document["trusted"] is False
    assert document["signer"].startswith("SHA256:")


def test_a_signature_of_anybody_verifies_nothing(release: Path) -> None:
    """Who says not whom to trust is told so, with the key's fingerprint, and never exits 0."""
    done = invoke("verify", release)

    assert done.returncode == 7
    assert [line[:4] for line in done.stdout.splitlines()] == ["ok  "] * 4 + ["sign"]
    assert "UNVERIFIED" in done.stderr
    assert "SHA256:" in done.stderr
    assert "--signers FILE" in done.stderr


def test_verify_exits_7_and_names_the_file(release: Path, tmp_path: Path) -> None:
    """A damaged release exits with the code of its class, and names the file."""
    copy = Path(shutil.copytree(release, tmp_path / release.name))
    (copy / f"{release.name}.qcow2").write_bytes(b"other")

    done = invoke("verify", copy)

    assert done.returncode == 7
    assert f"{release.name}.qcow2" in done.stderr


def test_diff_of_the_same(release: Path, baked: Path) -> None:
    """A release and the image it was made from hold the same; Markdown says so too."""
    text, markdown = invoke("diff", release, baked), invoke("diff", release, baked, "--markdown")

    assert text.returncode == 0, text.stderr
    assert "hold the same" in text.stdout
    assert markdown.stdout.startswith(f"`{release.name}`")


@pytest.mark.root
def test_release_of_uncommitted_changes_is_refused_at_once(tmp_path: Path, key: Path) -> None:
    """In a checkout with a change that is in no commit, nothing is baked: exit code 7, and why."""
    place = checkout(tmp_path / "checkout")
    (place / "README.md").write_text("changed")

    done = run(
        [sys.executable, "-m", "invoke", "release", "--network", "localnet", "--version", "1.0.0", "--sign", key],
        cwd=place, env={"GOLDNODE_OUT": str(tmp_path / "out")}, check=False, timeout=120,
    )  # fmt: skip

    assert 7 == done.returncode
    assert "changes that are not in commit" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--to", "moon"], "--to aws"),
        (["--to", "aws"], "--regions us-east-1"),
        (["--to", "s3"], "--bucket NAME"),
        (["--to", "github", "--repository", "owner/name"], "GITHUB_TOKEN"),
    ],
)
def test_publish_says_what_is_missing(release: Path, words: list[str], hint: str) -> None:
    """What a place needs, and was not given, is told with the command to type."""
    done = invoke("publish", release, *words)

    assert done.returncode == 2
    assert hint in done.stderr.replace("\n", " ")
