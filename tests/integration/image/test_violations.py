"""Every hygiene rule seen red, and the whole list seen green, on a miniature of a sealed disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.image.check import check_image
from goldnode.run import run
from tests.image.seeding import Bed
from tests.image.violations import BUILDER_KEY, VIOLATIONS


def test_a_disk_that_keeps_every_promise_has_no_findings(clean_disk: Path) -> None:
    """The rules are not red by themselves."""
    report = check_image(clean_disk, [BUILDER_KEY])

    assert [(result.rule.id, result.findings) for result in report.broken] == []


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_a_planted_violation_turns_exactly_its_rule_red(rule: str, clean_disk: Path, tmp_path: Path) -> None:
    """Each rule finds what it is there for, and no other rule cries with it."""
    disk = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    VIOLATIONS[rule](Bed(disk))

    broken = [result.rule.id for result in check_image(disk, [BUILDER_KEY]).broken]

    assert [rule] == broken
