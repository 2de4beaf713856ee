"""Compiles the node's program inside the image, for the image's own Python.

A zipapp holds sources, and Python never writes what it compiles back into a zip: every boot would
compile every module again (seconds on a slow machine).  Hash-based and unchecked, so that the
result depends on the sources alone and no clock.  What ``dataclasses`` would compile at each start is
compiled too (``goldnode/node/dataclass_code.py``).  Runs once, in the bake, and is not shipped.
"""

import builtins
import dataclasses
import importlib.util
import sys
import zipfile
from collections.abc import Iterable
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path
from types import CodeType
from typing import Any

DATE = (1980, 1, 1, 0, 0, 0)


def main(program: Path) -> None:
    """Put a ``.pyc`` beside every ``.py`` of ``program``, uncompressed: reading is faster than inflating."""
    with zipfile.ZipFile(program) as archive:
        sources = {name: archive.read(name) for name in sorted(archive.namelist())}
    with program.open("wb") as stream:
        stream.write(b"#!/usr/bin/python3 -I\n")
        with zipfile.ZipFile(stream, "w") as archive:
            for name, source in sources.items():
                code = compile(source, f"{program}/{name}", "exec", dont_inherit=True)
                compiled = _code_to_hash_pyc(code, importlib.util.source_hash(source), checked=False)
                archive.writestr(zipfile.ZipInfo(f"{name}c", DATE), compiled)
                archive.writestr(zipfile.ZipInfo(name, DATE), source)
    sys.path.insert(0, str(program))
    generated = of_dataclasses(sources)
    kept = importlib.import_module("goldnode.node.dataclass_code")
    with zipfile.ZipFile(program, "a") as archive:
        for module, codes in sorted(generated.items()):
            archive.writestr(zipfile.ZipInfo(kept.file_of(module), DATE), kept.packed(codes))


def of_dataclasses(names: Iterable[str]) -> dict[str, dict[str, CodeType]]:
    """Import the node's modules; returns the sources that `dataclasses` made for each, with their code."""
    generated: dict[str, dict[str, CodeType]] = {}

    def execute(source: str, module: dict[str, Any], result: dict[str, Any]) -> None:
        code = compile(source, "<string>", "exec", dont_inherit=True)
        generated.setdefault(module["__name__"], {})[source] = code
        builtins.exec(code, module, result)  # noqa: S102 - what dataclasses does

    dataclasses.exec = execute
    for name in names:
        if name.startswith("goldnode/node/") and not name.endswith("__main__.py"):
            importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    return {module: codes for module, codes in generated.items() if module.startswith("goldnode.")}


main(Path(sys.argv[1]))
