"""Compiles the node's program inside the image, for the image's own Python.

A zipapp holds sources, and Python never writes what it compiles back into a zip: every boot would
compile every module again (seconds on a slow machine).  Hash-based and unchecked, so that the
result depends on the sources alone and no clock.  Runs once, in the bake, and is not shipped.
"""

import importlib.util
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path

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


main(Path(sys.argv[1]))
