"""The field's words stand in the product, and the private ones they replaced do not come back (docs/glossary.md)."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY

PACKAGE = REPOSITORY / "goldnode"

#: Words that had a meaning of their own here: in which folders, and what says it now.
EVERYWHERE = ("",)
DISCOVERY = ("protocol", "discovery", "cluster", "rendezvous")
WORDS = {
    r"wish(es)?": (EVERYWHERE, "InviteSpec, FleetSpec, AccelMode"),
    r"seats?": (EVERYWHERE, "VmSpec"),
    r"possessions?": (EVERYWHERE, "Ownership"),
    r"outsiders?": (EVERYWHERE, "external validators"),
    r"worlds?": (("fleet",), "external validators"),
    r"rehearsals?": (EVERYWHERE, "dry run"),
    r"newcomers?": (EVERYWHERE, "candidate"),
    r"vouch(es|ed)?|unvouched|vouchers?": (EVERYWHERE, "endorse"),
    r"voices?": (("discovery", "node/agent"), "record builder, endorsements"),
    r"witness(es)?": (DISCOVERY, "endorsers"),
    r"bury|buried": (EVERYWHERE, "delete"),
    r"box(es)?|box_\w+|\w+_box(es)?": (DISCOVERY, "wrapped key"),
    r"incarnations?": (DISCOVERY, "store generation"),
    r"woken": (EVERYWHERE, "notified"),
    r"inquir(y|ies)": (EVERYWHERE, "request"),
    r"hubs?": (("rendezvous",), "notifier"),
    r"census": (EVERYWHERE, "store stats"),
    r"workshops?": (EVERYWHERE, "build dir"),
    r"patience": (("fetch", "bake", "fleet", "node", "discovery"), "retry budget, timeout"),
    r"gates?": (("bake", "node", "rendezvous"), "preflight, SSH wait proxy, request checks"),
    r"lone": (("fleet", "node/keys"), "single VM"),
    r"planted": (("image",), "seeded violation"),
}
#: Where such a word stays: on the wire, on a disk, in another project's name, or in its plain meaning.
ALLOWED = (
    r"goldnode/v1/(operator-)?box",
    r"[\"'`]box_seed[\"'`]",
    r"[\"'`]incarnation[\"'`]",
    r"from rich import box|box=box\.SIMPLE_HEAD",
    r"\bvoice\b.*\bcdrom\b",
    r"(?<=limits\.)BOXES|BOXES(?= = )",
)
#: Pages that people read: there a retired word has come back as quickly as in code.
PAGES = ("*.md", "docs/*.md", "docs/adr/*.md", "networks/*.md", "roles/*/README.md")
PAGE_WORDS = {word: instead for word, (folders, instead) in WORDS.items() if folders == EVERYWHERE} | {
    r"gates?": "preflight, SSH wait proxy, request checks",
    r"buries": "delete",
    r"planted": "seeded violation",
}
#: Names that said nothing without their module, or meant several things.
NAMES = {
    "": "Wish Seat Possession Outsider Ground Rehearsal Newcomer Keeper Voice Touch Inquiry Hub Census Lag Patience "
        "Report Kind vouch bury touch gate workshop woken boxes",
    "bake": "Order Clock Listener",
    "fetch": "Pace",
    "publish": "Order",
    "fleet": "Place First Machine look world",
    "protocol": "Place",
    "cluster": "Look Machine look",
    "node": "look Place",
    "node/agent": "Held",
    "node/keys/handover.py": "Mark",
    "node/configure.py": "Machine",
    "node/jvm": "Places",
    "vm": "Machine Spec",
}  # fmt: skip
#: A module function's name that more modules than this define means something only together with its module.
MANY = 4


def product() -> list[Path]:
    """Every module that ships."""
    return sorted(PACKAGE.rglob("*.py"))


def defined(file: Path) -> Iterator[str]:
    """Every class and function of a module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


def inside(file: Path, places: Iterable[str]) -> bool:
    """Whether a module is one of these, or in one of these folders of the package."""
    return any(file.is_relative_to(PACKAGE / place) for place in places)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_our_own_is_gone(word: str) -> None:
    """No line of the product uses it, but where a format keeps it."""
    folders, instead = WORDS[word]
    pattern, allowed = re.compile(rf"\b_?({word})\b", re.IGNORECASE), re.compile("|".join(ALLOWED))
    found = [
        f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for file in product()
        if inside(file, folders)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if pattern.search(allowed.sub("", line))
    ]

    assert [] == found, f"say {instead}"


@pytest.mark.parametrize("word", PAGE_WORDS)
def test_a_page_has_no_retired_word(word: str) -> None:
    """What people read says it in the same words as the program."""
    pattern = re.compile(rf"\b({word})\b", re.IGNORECASE)
    pages = [page for glob in PAGES for page in sorted(REPOSITORY.glob(glob))]
    found = [
        f"{page.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}"
        for page in pages
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if pattern.search(line)
    ]

    assert len(pages) > 100
    assert [] == found, f"say {PAGE_WORDS[word]}"


def test_names_say_what_they_are() -> None:
    """No class and no function has a name that one must look up in its module."""
    found = [
        f"{file.relative_to(REPOSITORY)}: {name}"
        for file in product()
        for name in defined(file)
        if any(inside(file, [place]) and name.strip("_") in names.split() for place, names in NAMES.items())
    ]

    assert [] == found


def test_a_class_name_means_one_thing() -> None:
    """No two modules of the product give one name to two public classes."""
    homes: dict[str, list[str]] = {}
    for file in product():
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(file.relative_to(REPOSITORY)))

    assert {} == {name: files for name, files in homes.items() if len(files) > 1}


def test_a_function_that_many_modules_have_is_called_by_its_module() -> None:
    """`read`, `check`, `parse` and the like say what they do only as `manifest.read`, never imported bare."""
    trees = {file: ast.parse(file.read_text()) for file in product()}
    defined = Counter(node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.FunctionDef))
    bare = [
        f"{file.relative_to(REPOSITORY)}: {name.name} of {node.module}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("goldnode")
        for name in node.names
        if defined[name.name] > MANY and not (REPOSITORY / node.module.replace(".", "/") / f"{name.name}.py").exists()
    ]

    assert [] == bare


def test_every_word_of_ours_is_in_the_glossary() -> None:
    """The words that stay are defined, one line each, in the order of the alphabet."""
    rows = re.findall(r"^\| \*\*([^*|]+)\*\* \|", (REPOSITORY / "docs" / "glossary.md").read_text(), re.MULTILINE)

    assert rows == sorted(rows, key=str.casefold)
    assert {"room", "slot", "record", "invite", "roster", "epoch", "policy", "heartbeat", "candidate"} <= set(rows)
