"""A program of ours as one file: the modules it imports, and nothing else.

Sorted and undated, so that the same sources make the same bytes.
"""

from __future__ import annotations

import ast
import functools
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from goldnode import paths

#: A zip cannot hold an earlier date.
DATE = (1980, 1, 1, 0, 0, 0)


def pack(main: str, sources: Iterable[Path]) -> bytes:
    """The bytes of a program.

    Args:
        main: Source of its ``__main__``.
        sources: The modules in it, files of this checkout.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", DATE), main)
        for source in sources:
            name = str(source.relative_to(paths.REPOSITORY))
            archive.writestr(zipfile.ZipInfo(name, DATE), source.read_bytes(), zipfile.ZIP_DEFLATED)
    return b"#!/usr/bin/python3 -I\n" + buffer.getvalue()


def reached_from(start: Iterable[str]) -> list[Path]:
    """Sources of everything that these modules, or all modules of these packages, reach by imports; sorted."""
    waiting = [file for name in start for file in _files(name)]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _packages(file)
            waiting += [target for name in _imports(file) if (target := _module(name))]
    return sorted(found)


def _files(name: str) -> Iterator[Path]:
    folder = paths.REPOSITORY.joinpath(*name.split("."))
    yield from folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]


def _module(name: str) -> Path | None:
    base = paths.REPOSITORY.joinpath(*name.split("."))
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


def _packages(file: Path) -> Iterator[Path]:
    """The ``__init__.py`` of every package around a file."""
    for folder in file.parents:
        if folder == paths.REPOSITORY:
            return
        yield folder / "__init__.py"


@functools.cache
def _imports(file: Path) -> tuple[str, ...]:
    return tuple(_named(ast.parse(file.read_text(encoding="utf-8"))))


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
