"""Which part may import which: the folders say on what machine code runs, and imports must not blur that."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake.content import node_modules

PACKAGE = paths.REPOSITORY / "goldnode"
#: What each part may import besides the plumbing (the files beside these folders) and itself; tasks may import all.
MAY_IMPORT = {
    "": frozenset[str](),
    "protocol": frozenset[str](),
    "fetch": frozenset[str](),
    "image": frozenset[str](),
    "vm": frozenset[str](),
    "config": frozenset({"fetch"}),
    "discovery": frozenset({"protocol"}),
    "rendezvous": frozenset({"protocol"}),
    "authoring": frozenset({"bake", "config", "fetch"}),
    "cluster": frozenset({"config", "discovery", "protocol"}),
    "node": frozenset({"config", "discovery", "fetch", "protocol"}),
    "bake": frozenset({"config", "fetch", "image", "vm"}),
    "publish": frozenset({"bake", "config", "fetch", "image"}),
    "fleet": frozenset({"bake", "cluster", "config", "discovery", "fetch", "node", "protocol", "vm"}),
}
#: What Debian's Python on a node has besides the standard library: all of it is in the image.
ON_A_NODE = frozenset({"cryptography", "yaml", "tomlkit", "jinja2", "jsonschema"})
NODE_PARTS = {
    "node": ON_A_NODE,
    "discovery": ON_A_NODE | {"httptools"},
    "rendezvous": ON_A_NODE | {"uvicorn", "httptools", "uvloop"},
}
#: What a start on a node waits for, and what it has no use for: under emulation each of these costs 0.3 to 2 seconds.
HTTP = frozenset({"http", "urllib.request", "ssl", "email.parser"})
ARCHIVES = frozenset({"tarfile", "zipfile", "gzip"})
FORMATS = frozenset({"cryptography.hazmat.primitives.serialization"})
NOT_AT_ONCE = {
    "preflight": HTTP | ARCHIVES | FORMATS | {"yaml", "tomlkit", "jinja2", "jsonschema", "difflib", "subprocess"},
    "boot": HTTP | ARCHIVES | FORMATS | {"jinja2", "jsonschema"},
    "loop": ARCHIVES | FORMATS | {"urllib.request", "jinja2", "jsonschema"},
}
#: How high the house is, and how much fits into a room before nobody finds anything in it.
FLOORS, PLUMBING, FILES = 10, 8, 20


def part_of(file: Path) -> str:
    """The folder of the package that a file belongs to; empty for the plumbing."""
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


def imported_files(file: Path) -> set[Path]:
    """The modules of ours that a file imports; a package's face, its ``__init__``, counts for nothing."""
    candidates = (paths.REPOSITORY.joinpath(*name.split(".")).with_suffix(".py") for name in imports(file))
    return {found for found in candidates if found.is_file() and PACKAGE in found.parents}


def parts(file: Path) -> set[str]:
    """The parts of goldnode that a file imports."""
    return {part_of(found) for found in imported_files(file)} - {""}


def top_level_imports(file: Path) -> set[str]:
    """Packages a file needs when it is imported: what stands inside a function is asked for later, by choice."""
    body = ast.parse(file.read_text()).body
    names = (name for node in body if isinstance(node, (ast.Import, ast.ImportFrom)) for name in _names(node))
    return {name.split(".")[0] for name in names}


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def at_once(file: Path) -> Iterator[str]:
    """Every module that a file imports when it is imported itself."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def loaded_by(file: Path) -> set[str]:
    """All that is loaded with a module of ours, as far as our own modules ask for it."""
    names, waiting, seen = set[str](), [file], set[Path]()
    while waiting:
        found = waiting.pop()
        if found not in seen:
            seen.add(found)
            new = set(at_once(found))
            names |= new
            modules = (paths.REPOSITORY.joinpath(*name.split(".")) for name in new if name.startswith("goldnode"))
            waiting += [path for module in modules if (path := module.with_suffix(".py")).is_file()]
    return names


def folders() -> list[Path]:
    """The package and every package in it."""
    return [PACKAGE, *sorted(found.parent for found in PACKAGE.glob("*/**/__init__.py"))]


def drawing(folder: Path) -> dict[str, set[str]]:
    """What stands in a folder, files and folders, each with what it imports of the others."""
    drawn: dict[str, set[str]] = {}
    for file in folder.rglob("*.py"):
        room = file.relative_to(folder).parts[0]
        if room != "__init__.py":
            found = {target.relative_to(folder).parts[0] for target in imported_files(file) if folder in target.parents}
            drawn.setdefault(room, set()).update(found - {room})
    return drawn


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_parts_import_only_what_their_machine_has(part: str) -> None:
    """Each part imports the plumbing, itself, and what the table names."""
    files = [file for file in PACKAGE.rglob("*.py") if part_of(file) == part]
    wrong = {
        str(file.relative_to(PACKAGE)): sorted(bad)
        for file in files
        if (bad := parts(file) - MAY_IMPORT[part] - {part})
    }

    assert {} == wrong


def test_every_part_is_in_the_table() -> None:
    """A new part says whom it may import."""
    found = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}

    assert found - {"tasks"} == set(MAY_IMPORT) - {""}


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(paths.REPOSITORY)))
def test_no_circle(folder: Path) -> None:
    """What stands in one folder imports downwards only."""
    list(graphlib.TopologicalSorter(drawing(folder)).static_order())  # raises CycleError, naming the circle


def test_the_house_is_not_too_high() -> None:
    """At most ten floors: a room stands above all that it imports."""
    drawn, floor = drawing(PACKAGE), dict[str, int]()
    for room in graphlib.TopologicalSorter(drawn).static_order():
        floor[room] = 1 + max((floor[below] for below in drawn[room]), default=0)

    assert max(floor.values()) <= FLOORS


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(paths.REPOSITORY)))
def test_rooms_stay_small(folder: Path) -> None:
    """No folder holds more files than one can take in, `__init__.py` counted; the root holds plumbing only."""
    files = [file for file in folder.iterdir() if file.is_file()]

    assert len(files) <= (PLUMBING if folder == PACKAGE else FILES)


@pytest.mark.parametrize("part", ["", "protocol", "config", "fetch", *sorted(NODE_PARTS)])
def test_a_node_needs_only_what_debian_gives_it(part: str) -> None:
    """What runs on a node imports the standard library and Debian's few packages."""
    allowed = NODE_PARTS.get(part, ON_A_NODE) | set(sys.stdlib_module_names) | {"goldnode"}
    files = [file for file in PACKAGE.rglob("*.py") if part_of(file) == part]
    wrong = {
        str(file.relative_to(PACKAGE)): sorted(bad) for file in files if (bad := top_level_imports(file) - allowed)
    }

    assert {} == wrong


def test_a_node_carries_what_it_imports_and_nothing_else() -> None:
    """The program on the image holds nothing of the operator's side."""
    found = {part_of(file) for file in node_modules()} - {""}

    assert {"node", "rendezvous", "protocol", "discovery", "config", "fetch"} == found


@pytest.mark.parametrize("command", sorted(NOT_AT_ONCE))
def test_a_start_loads_what_it_needs(command: str) -> None:
    """Boot, agent and preflight load neither archives nor formats of keys, and HTTP only to speak it."""
    loaded = loaded_by(PACKAGE / "node" / "commands" / f"{command}.py")
    unwanted = {name for name in NOT_AT_ONCE[command] for found in loaded if f"{found}.".startswith(f"{name}.")}

    assert set() == unwanted


def test_the_exchange_loads_no_parsers_of_mail() -> None:
    """Python's own HTTP client brings them with it, and TLS is loaded by who speaks it."""
    assert not HTTP & loaded_by(PACKAGE / "discovery" / "exchange.py")
