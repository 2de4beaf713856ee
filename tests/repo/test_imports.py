"""Which part may import which: the folders say on what machine code runs, and imports must not blur that."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode import paths

PACKAGE = paths.REPOSITORY / "goldnode"
#: What each subpackage may import besides the root modules and itself; tasks and bench may import all.
MAY_IMPORT = {
    "": frozenset[str](),
    "bake": frozenset({"image", "vm"}),
    "cluster": frozenset[str](),
    "fleet": frozenset({"bake", "cluster", "node", "vm"}),
    "image": frozenset[str](),
    "node": frozenset[str](),
    "publish": frozenset({"bake", "image"}),
    "rendezvous": frozenset[str](),
    "vm": frozenset[str](),
}
#: What Debian's Python on a node has besides the standard library: all of it is in the image.
ON_A_NODE = frozenset({"cryptography", "yaml", "tomlkit", "jinja2", "jsonschema"})
NODE_PARTS = {"node": ON_A_NODE, "rendezvous": ON_A_NODE | {"uvicorn", "h11"}}


def part_of(file: Path) -> str:
    """The subpackage a file belongs to; empty for the root."""
    relative = file.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else ""


def imports(file: Path) -> Iterator[str]:
    """Every module a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts(file: Path) -> set[str]:
    """The subpackages of goldnode a file imports."""
    own = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir()}
    words = (name.split(".") for name in imports(file))
    return {word[1] for word in words if word[0] == "goldnode" and len(word) > 1 and word[1] in own}


def top_level_imports(file: Path) -> set[str]:
    """Packages a file needs when it is imported: what stands inside a function is asked for later, by choice."""
    body = ast.parse(file.read_text()).body
    names = (name for node in body if isinstance(node, (ast.Import, ast.ImportFrom)) for name in _names(node))
    return {name.split(".")[0] for name in names}


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_parts_import_only_what_their_machine_has(part: str) -> None:
    """Each part imports the root, itself, and what the table names."""
    files = [file for file in PACKAGE.rglob("*.py") if part_of(file) == part]
    wrong = {
        str(file.relative_to(PACKAGE)): sorted(bad)
        for file in files
        if (bad := parts(file) - MAY_IMPORT[part] - {part})
    }

    assert {} == wrong


def test_every_part_is_in_the_table() -> None:
    """A new subpackage says whom it may import."""
    found = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}

    assert found - {"tasks", "bench"} == set(MAY_IMPORT) - {""}


@pytest.mark.parametrize("part", ["", *sorted(NODE_PARTS)])
def test_a_node_needs_only_what_debian_gives_it(part: str) -> None:
    """Root, node and rendezvous import the standard library and Debian's few packages."""
    allowed = NODE_PARTS.get(part, ON_A_NODE) | set(sys.stdlib_module_names) | {"goldnode"}
    files = [file for file in PACKAGE.rglob("*.py") if part_of(file) == part]
    wrong = {
        str(file.relative_to(PACKAGE)): sorted(bad) for file in files if (bad := top_level_imports(file) - allowed)
    }

    assert {} == wrong
