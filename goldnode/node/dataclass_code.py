"""Gives ``dataclasses`` code that was compiled when the image was made.

For each class ``dataclasses`` writes the source of ``__init__`` and its siblings and compiles it, at every start of a
program.  That is a third of what our programs do before they begin, and on an emulated machine seconds (ADR 422).  The
source depends on the class alone, so ``packer/scripts/precompile.py`` puts the code beside the class's module, under
the source it was compiled from.  What is not there, or is of another source or another Python, is compiled as ever.
"""

from __future__ import annotations

import dataclasses
import marshal
from importlib._bootstrap_external import MAGIC_NUMBER
from typing import Any
from zipimport import zipimporter

#: Of marshal's formats the last one whose bytes do not depend on who else refers to a value.
FORMAT = 2

_known: dict[str, dict[str, Any]] = {}


def use() -> None:
    """Have ``dataclasses`` ask here: it finds our ``exec`` among its own names before the built-in one."""
    setattr(dataclasses, "exec", _exec)  # noqa: B010 - it has no such name, for mypy


def file_of(module: str) -> str:
    """Where the code of a module's classes lies in the program."""
    return f"{module.replace('.', '/')}.dataclasses"


def packed(codes: dict[str, Any]) -> bytes:
    """Such a file: the magic number of this Python, which marshal leaves out, and code by its source."""
    return MAGIC_NUMBER + marshal.dumps(codes, FORMAT)


def _exec(source: str, module: dict[str, Any] | None, result: dict[str, Any]) -> None:
    exec(_compiled(source, module or {}) or source, module, result)  # noqa: S102 - what dataclasses does


def _compiled(source: str, module: dict[str, Any]) -> Any:
    """The code of a source; None if it was not kept."""
    name, loader = module.get("__name__", ""), module.get("__loader__")
    if name not in _known:
        _known[name] = _read(name, loader) if isinstance(loader, zipimporter) else {}
    return _known[name].get(source)


def _read(name: str, loader: zipimporter) -> dict[str, Any]:
    try:
        data = loader.get_data(file_of(name))
    except OSError:
        return {}
    if not data.startswith(MAGIC_NUMBER):
        return {}
    kept: dict[str, Any] = marshal.loads(data[len(MAGIC_NUMBER) :])  # noqa: S302 - our own
    return kept
