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


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md"])
def test_command_lines_are_whole(document: str) -> None:
    """What a newcomer copies line by line leaves nothing out, and the clone says where its address comes from."""
    text = (paths.REPOSITORY / document).read_text()
    lines = re.findall(r"^\$ (.+)$", text, re.MULTILINE)

    assert [] == [line for line in lines if "…" in line]
    assert [True] == ["# URL: the clone address" in line for line in lines if line.startswith("git clone ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_key_is_half_written(document: Path) -> None:
    """Whoever copies a line has a key or the command that prints it, and nothing that looks like one."""
    assert [] == re.findall(r"AAAA\S*…|ssh-(?:ed25519|rsa) [A-Za-z0-9+/]{0,40}…", document.read_text())


def test_the_tutorials_pictures_are_of_its_commands() -> None:
    """A picture of a terminal stands below the command that it shows, and was drawn from it."""
    text = (paths.REPOSITORY / "docs" / "tutorial.md").read_text()
    shown = re.findall(r"^\$ (.+)\n```\n\n!\[[^]]+\]\(([^)]+)\)", text, re.MULTILINE)
    drawn = [(paths.REPOSITORY / "docs" / picture).read_text().replace("&#160;", " ") for _, picture in shown]

    assert text.count("![") == len(shown)
    assert [] == [line for (line, _), picture in zip(shown, drawn, strict=True) if f"$ {line}" not in picture]


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
