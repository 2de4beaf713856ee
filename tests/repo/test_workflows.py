"""The workflows: judged by actionlint and zizmor, pinned, and with no more rights than they need."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.files import sha256_file
from goldnode.paths import REPOSITORY
from goldnode.publish import signature
from goldnode.run import Completed, run
from tests.support.go_tools import ACTIONLINT

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
#: What a step uses: an action at a commit, with the version that people know behind it.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
RIGHTS = {
    "check": [{"contents": "read"}],
    "image": [{"contents": "read"}],
    "release": [
        {"contents": "read"},
        {"id-token": "write", "attestations": "write"},
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
    assert [None, "release", "release"] == [job.get("environment") for job in jobs(path)]


def test_the_signing_key_meets_nothing_of_others_and_no_right_to_publish() -> None:
    """Who runs others' programs has no key; who has the key runs only what comes with the runner; a third publishes."""
    baked, signed, published = jobs(FOLDER / "release.yml")

    assert [False, True, False] == ["RELEASE_KEY" in str(job) for job in (baked, signed, published)]
    assert [True, False, False] == ["./invoke release" in str(job) for job in (baked, signed, published)]
    assert [False, False, True] == ["AWS_ROLE" in str(job) for job in (baked, signed, published)]
    assert ("checkout" in str(signed), "invoke" in str(signed), "sudo" in str(signed)) == (False, False, False)


def sign_step(folder: Path, key: str) -> Completed:
    """Run the step that signs as the runner would, in a folder of its own."""
    _, signed, _ = jobs(FOLDER / "release.yml")
    (step,) = [step for step in signed["steps"] if step.get("name") == "Sign"]
    (release := folder / "release").mkdir()
    (release / "disk").write_text("a disk")
    (release / "SHA256SUMS").write_text(f"{sha256_file(release / 'disk')}  disk\n")
    (temporary := folder / "temporary").mkdir()
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return run(argv, cwd=release, env={"RELEASE_KEY": key, "RUNNER_TEMP": str(temporary)}, check=False)


def test_the_key_signs_from_memory(tmp_path: Path) -> None:
    """The step signs the sums with the secret, `verify` accepts it from the key's owner, and no file holds the key."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / "key"])
    key, public = ((tmp_path / name).read_text() for name in ("key", "key.pub"))
    (tmp_path / "key").unlink()
    (tmp_path / "signers").write_text(f'operator namespaces="goldnode-release" {public}')
    done = sign_step(tmp_path, key.strip())
    sums = tmp_path / "release" / "SHA256SUMS"

    assert 0 == done.returncode, done.stderr
    assert "operator" == signature.check(sums, tmp_path / "release" / "SHA256SUMS.sig", tmp_path / "signers")
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()]


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    """A secret that is missing or no key fails the step; no signature is left that could be published."""
    done = sign_step(tmp_path, "")

    assert 0 != done.returncode
    assert not (tmp_path / "release" / "SHA256SUMS.sig").exists()


def test_github_needs_no_cloud() -> None:
    """Without an AWS role everything but AWS is done: its steps alone ask for the variable, and come last."""
    steps = [step for step in list(jobs(FOLDER / "release.yml"))[2]["steps"] if "ledger" not in str(step)]
    aws = ["aws" in str(step) for step in steps]
    asked = ["vars.AWS_ROLE != ''" in step.get("if", "") for step in steps]

    assert aws == asked
    assert sorted(aws) == aws
    assert "--to github" in str(steps[aws.index(True) - 1])


def test_a_network_that_fails_does_not_hold_the_others_back() -> None:
    """Every leg of the matrix runs to its own end, and what was baked is signed and published."""
    found = list(jobs(FOLDER / "release.yml"))

    assert [False] * 3 == [job["strategy"]["fail-fast"] for job in found]
    assert [("bake", "${{ !cancelled() }}"), ("sign", "${{ !cancelled() }}")] == [
        (job["needs"], job["if"]) for job in found[1:]
    ]
    assert [found[0]["strategy"]["matrix"]] * 2 == [job["strategy"]["matrix"] for job in found[1:]]


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
