"""Hygiene of the sealed image: every promise kept, and every rule able to fail on this very disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.image.check import check_image
from goldnode.run import run
from tests.image.seeding import Bed
from tests.image.violations import BUILDER_KEY, VIOLATIONS


def test_the_sealed_image_keeps_every_promise(sealed_disk: Path) -> None:
    """No finding on the bytes that ship."""
    report = check_image(sealed_disk)

    assert [] == [(result.rule.id, finding) for result in report.broken for finding in result.findings]


@pytest.fixture(scope="module")
def spoiled(sealed_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Rules that are red on a copy of the sealed disk with every plant in it."""
    copy = tmp_path_factory.mktemp("spoiled") / "disk.raw"
    run(["cp", "--sparse=always", sealed_disk, copy])
    bed = Bed(copy)
    # Superblock fields last: debugfs rewrites them when it changes files.
    for rule in sorted(VIOLATIONS, key=lambda rule: rule in ("free-space", "clean-filesystem")):
        VIOLATIONS[rule](bed)
    return {result.rule.id for result in check_image(copy, [BUILDER_KEY]).broken}


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_a_violation_planted_on_the_sealed_disk_is_found(rule: str, spoiled: set[str]) -> None:
    """What is found on a miniature is found on the disk that ships, too."""
    assert rule in spoiled
