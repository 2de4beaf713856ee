"""Decisions can be found: the index says number, title and status, and so do the pages."""

from __future__ import annotations

import re

from goldnode.paths import REPOSITORY

FOLDER = REPOSITORY / "docs" / "adr"
LINE = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| ([a-z0-9 ]+) \|$", re.MULTILINE)


def _words(text: str) -> set[str]:
    return set(re.sub(r"[^a-z0-9]+", " ", re.sub("['`]", "", text.lower())).split())


def test_the_index_says_what_the_pages_say() -> None:
    """Each line of the index has a page of that number, title and status, whose file name repeats the title."""
    index = LINE.findall((FOLDER / "README.md").read_text())
    wrong = []
    for number, name, title, status in index:
        page = (FOLDER / name).read_text() if (FOLDER / name).exists() else ""
        if not page.startswith(f"# {int(number)}. {title}\n\nStatus: {status}.\n"):
            wrong.append(f"{name}: begin with '# {int(number)}. {title}', an empty line and 'Status: {status}.'")
        if not (name.startswith(f"{number}-") and _words(name[5:].removesuffix(".md")) <= _words(title)):
            wrong.append(f"{name}: name it {number}-TITLE.md")

    assert sorted(index) == index
    assert {f"{number:04}" for number in range(1, 11)} <= {line[0] for line in index}
    assert [] == wrong


def test_every_page_is_in_the_index() -> None:
    """No decision is missing from the index, and no two have one number."""
    pages = sorted(page.name for page in FOLDER.glob("*.md") if page.name != "README.md")
    index = LINE.findall((FOLDER / "README.md").read_text())

    assert [name for _, name, _, _ in index] == pages
    assert len({name[:4] for name in pages}) == len(pages)
