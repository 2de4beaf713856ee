"""The shipped command: what a person types, sees, and gets as an exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.image.rule import RULES
from goldnode.run import Completed, run
from tests.image.seeding import Bed


def image(*words: str | Path) -> Completed:
    """Run ``./invoke image ...``."""
    return run([paths.REPOSITORY / "invoke", "image", *words], cwd=paths.REPOSITORY, check=False)


@pytest.fixture(scope="module")
def spoiled(clean_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with one rule broken in more places than are printed."""
    disk = tmp_path_factory.mktemp("spoiled") / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    for number in range(7):
        Bed(disk).write(f"/tmp/left-{number}")  # noqa: S108 - on the disk
    return disk


def test_check_prints_every_rule_and_succeeds_on_a_clean_image(clean_disk: Path) -> None:
    """Exit code 0, one row for each rule."""
    done = image("check", clean_disk)

    assert (0, len(RULES)) == (done.returncode, len(re.findall(r"\bkept\b", done.stdout))), done.stderr


def test_check_fails_with_exit_code_7_and_says_where_why_and_what_to_do(spoiled: Path) -> None:
    """The table names the places, the reason and the fix; the last line names the rule."""
    done = image("check", spoiled)

    assert 7 == done.returncode
    assert "breaks 1 of" in done.stderr
    assert "temporary-files" in done.stderr
    for text in ("/tmp/left-0", "and 2 more", "why:", "fix:"):  # noqa: S108 - on the disk
        assert text in done.stdout


def test_check_prints_json_for_programs(spoiled: Path) -> None:
    """Every finding, none left out, on stdout alone."""
    report = json.loads(image("check", spoiled, "--json").stdout)
    findings = {rule["id"]: len(rule["findings"]) for rule in report["rules"] if rule["findings"]}

    assert ({"temporary-files": 7}, False) == (findings, report["clean"])


def test_check_refuses_a_builders_key_that_is_none(clean_disk: Path, tmp_path: Path) -> None:
    """A missing file and a file without a key are named; exit code 2."""
    (tmp_path / "empty").touch()
    missing = image("check", clean_disk, "--builder-key", tmp_path / "missing")
    empty = image("check", clean_disk, "--builder-key", tmp_path / "empty")

    assert (2, 2) == (missing.returncode, empty.returncode)
    assert "there is no public key of the bake" in missing.stderr
    assert "does not hold an SSH public key" in empty.stderr


def test_digest_is_the_hash_of_the_files_it_lists(clean_disk: Path, tmp_path: Path) -> None:
    """`image digest --files | sha256sum` is `image digest`: anybody can recompute it."""
    text = tmp_path / "files"
    text.write_text(image("digest", clean_disk, "--files").stdout)

    assert image("digest", clean_disk).stdout.strip() == run(["sha256sum", text]).stdout.split()[0]


def test_show_tells_what_is_on_the_image(clean_disk: Path) -> None:
    """For a person as a table, for a program as JSON."""
    table = image("show", clean_disk).stdout
    document = json.loads(image("show", clean_disk, "--json").stdout)

    assert "goldnode-configure.service" in table
    assert {"base-files": "13.8", "tool": "1.0"} == document["packages"]
