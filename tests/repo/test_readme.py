"""The README tells the truth: its commands exist, its output is what the commands print, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goldnode import errors, paths
from goldnode.bake import manifest
from goldnode.config.network import load

README = (paths.REPOSITORY / "README.md").read_text()
DOCUMENTS = sorted(
    file
    for file in [*paths.REPOSITORY.glob("*.md"), *(paths.REPOSITORY / "docs").rglob("*.md")]
    if file.name != "CHANGELOG.md"
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every link into the repository points at something that is there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text())

    assert [] == [target for target in targets if not (document.parent / target).exists()]


def test_the_sample_is_what_a_bake_prints() -> None:
    """The README's sample line has the name, and the form, of what a bake of localnet ends with."""
    name = manifest.names(load("localnet"), "amd64", deferred=False).image.name
    pattern = rf"^out/{re.escape(name)}  \d+ MB  sha256 [0-9a-f]{{64}}$"

    assert re.search(pattern, README, re.MULTILINE)


def test_exit_codes_are_the_error_trees() -> None:
    """The table of exit codes is the error tree's."""
    classes = [it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, errors.GoldnodeError)]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}

    assert {it.exit_code for it in classes} | {130} == told
