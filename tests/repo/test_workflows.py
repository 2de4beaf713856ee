"""The workflows: judged by actionlint and zizmor, pinned, and with no more rights than they need."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.support.go_tools import ACTIONLINT

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
#: What a step uses: an action at a commit, with the version that people know behind it.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
RIGHTS = {
    "check": [{"contents": "read"}],
    "image": [{"contents": "read"}],
    "release": [
        {"contents": "read", "id-token": "write", "attestations": "write"},
        {"contents": "write", "id-token": "write"},
    ],
}


def read(path: Path) -> dict[str, Any]:
    """A workflow; YAML takes its key `on` for the word true."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def jobs(path: Path) -> Iterator[dict[str, Any]]:
    """Its jobs."""
    return iter(read(path)["jobs"].values())


def test_there_are_three() -> None:
    """Check, image and release: one each."""
    assert ["check", "image", "release"] == [path.stem for path in WORKFLOWS]


def test_actionlint() -> None:
    """Syntax, expressions, events and the shell inside are sound."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    run([ACTIONLINT.path(), "-no-color", "-shellcheck", shellcheck, *WORKFLOWS])


def test_zizmor() -> None:
    """No known weakness of workflows: injection, kept credentials, excessive rights, unpinned actions."""
    run([Path(sys.executable).with_name("zizmor"), "--offline", "--quiet", "--persona", "pedantic", FOLDER])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """Every action is named by a commit, with its version behind it."""
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]

    assert [] == [line for line in used if not PINNED.fullmatch(line)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights(path: Path) -> None:
    """A workflow has no rights, and its jobs exactly those that are written down here."""
    assert {} == read(path)["permissions"]
    assert RIGHTS[path.stem] == [job["permissions"] for job in jobs(path)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_end(path: Path) -> None:
    """No job runs for GitHub's six hours because something hangs."""
    assert all(job["timeout-minutes"] <= 180 for job in jobs(path))


def test_release_runs_on_tags_only_and_behind_reviewers() -> None:
    """The one workflow that may write starts with a version's tag and an environment's approval."""
    path = FOLDER / "release.yml"

    assert {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}} == read(path)[True]  # type: ignore[index]
    assert ["release", "release"] == [job["environment"] for job in jobs(path)]


def test_the_signing_key_and_the_right_to_publish_never_meet() -> None:
    """The job that bakes and holds the key cannot write to GitHub or AWS; the one that publishes has no key."""
    made, published = jobs(FOLDER / "release.yml")

    assert ("RELEASE_KEY" in str(made), "RELEASE_KEY" in str(published)) == (True, False)
    assert ("AWS_ROLE" in str(made), "AWS_ROLE" in str(published)) == (False, True)
    assert "./invoke release" not in str(published)


def test_a_network_that_fails_does_not_hold_the_others_back() -> None:
    """Every leg of the matrix runs to its own end, and what was released is published."""
    made, published = jobs(FOLDER / "release.yml")

    assert [False, False] == [job["strategy"]["fail-fast"] for job in (made, published)]
    assert ("release", "${{ !cancelled() }}") == (published["needs"], published["if"])
    assert made["strategy"]["matrix"] == published["strategy"]["matrix"]


def test_release_knows_its_networks() -> None:
    """The matrix names networks that exist."""
    job = next(jobs(FOLDER / "release.yml"))
    known = {path.stem for path in (REPOSITORY / "networks").glob("*.yaml")}

    assert set(job["strategy"]["matrix"]["network"]) <= known


def test_no_key_of_a_cloud() -> None:
    """AWS is entered with a short-lived identity (OIDC): no access key is stored anywhere."""
    text = "".join(path.read_text() for path in WORKFLOWS)

    assert "role-to-assume" in text
    assert re.findall(r"(?i)aws[_-](?:secret|access)", text) == []
