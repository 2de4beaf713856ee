"""The node's program as it is compiled on the image: `dataclasses` compiles nothing at its start."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from goldnode.bake.content import node_program
from goldnode.node import dataclass_code
from goldnode.paths import REPOSITORY
from goldnode.run import run

SCRIPT = REPOSITORY / "packer" / "scripts" / "precompile.py"
#: Imports what the boot imports; prints how many classes got code that was kept, and the modules of those that did not.
COUNT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
from goldnode.node import dataclass_code
ask, found = dataclass_code._compiled, []
def asked(source, module):
    code = ask(source, module)
    found.append((module["__name__"], code is not None))
    return code
dataclass_code._compiled = asked
dataclass_code.use()
for verb in ("boot", "loop", "preflight"):
    importlib.import_module("goldnode.node.commands." + verb)
print(sum(kept for _, kept in found))
print(*sorted({name for name, kept in found if not kept and name.startswith("goldnode.")}))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node's program, compiled as in a bake."""
    return compiled(tmp_path_factory.mktemp("program"), seed="1")


def compiled(folder: Path, seed: str) -> Path:
    """The program compiled in a folder, by a Python whose sets have the order of ``seed``."""
    program = folder / "node.pyz"
    program.write_bytes(node_program())
    # Not -I, which ignores the seed.
    run([sys.executable, "-P", SCRIPT, program], cwd=folder, env={"PYTHONHASHSEED": seed})
    return program


def counted(program: Path) -> tuple[int, list[str]]:
    """How many classes got code that was kept, and the modules of ours where one did not."""
    kept, *without = run([sys.executable, "-I", "-c", COUNT, program]).stdout.splitlines()
    return int(kept), " ".join(without).split()


def test_every_class_of_the_boot_has_its_code(program: Path) -> None:
    """No class of ours is compiled while configure, agent or preflight start."""
    kept, without = counted(program)

    assert kept > 100
    assert [] == without


def test_a_program_without_the_code_starts(program: Path, tmp_path: Path) -> None:
    """Where nothing was kept, or it is of another source or of another Python, classes are compiled as ever."""
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(program) as archive, zipfile.ZipFile(other, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            if name == dataclass_code.file_of("goldnode.config.role"):
                continue
            if name == dataclass_code.file_of("goldnode.config.daemon"):
                data = archive.read(dataclass_code.file_of("goldnode.config.network"))
            if name == dataclass_code.file_of("goldnode.config.network"):
                data = b"\0\0\r\n" + data[4:]
            copy.writestr(name, data)
    run([sys.executable, "-I", other, "--help"])

    assert ["goldnode.config.daemon", "goldnode.config.network", "goldnode.config.role"] == counted(other)[1]


def test_classes_are_the_same(program: Path) -> None:
    """A class made from kept code has the methods that `dataclasses` compiles itself."""
    show = """
import sys
sys.path.insert(0, sys.argv[1])
from goldnode.node import dataclass_code
if sys.argv[2]:
    dataclass_code.use()
from goldnode.config.role import Role
from goldnode.protocol.facts import Facts
for kind in (Role, Facts):
    for name, method in sorted(vars(kind).items()):
        if code := getattr(method, "__code__", None):
            print(kind.__name__, name, code.co_code.hex(), code.co_names, code.co_varnames, method.__defaults__)
"""

    def shown(kept: str) -> str:
        return run([sys.executable, "-I", "-c", show, program, kept]).stdout

    assert "Facts __init__" in shown("yes")
    assert shown("") == shown("yes")


def test_the_same_bytes_each_time(program: Path, tmp_path: Path) -> None:
    """The image's files depend on the sources alone, not on the order of a set."""
    again = compiled(tmp_path, seed="2")

    assert zipped(program) == zipped(again)


def zipped(program: Path) -> dict[str, bytes]:
    """The files in a program, without those that hold its own path."""
    with zipfile.ZipFile(program) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith(".pyc")}
