"""The house rules that a program can hold (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import copy
import sys
from pathlib import Path

from goldnode import paths
from goldnode.run import run

LONGEST = 400


def tracked(pattern: str) -> list[Path]:
    """Files of the repository that git knows, by pattern."""
    names = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern], cwd=paths.REPOSITORY)
    return [paths.REPOSITORY / name for name in names.stdout.splitlines() if (paths.REPOSITORY / name).exists()]


def test_modules_stay_short() -> None:
    """A module over 400 lines has more than one noun in it."""
    long = {file.name: lines for file in tracked("*.py") if (lines := len(file.read_text().splitlines())) > LONGEST}

    assert {} == long


def test_modules_say_why_they_exist() -> None:
    """Every module opens with a docstring."""
    silent = [str(file) for file in tracked("goldnode/*.py") if not ast.get_docstring(ast.parse(file.read_text()))]

    assert [] == silent


def test_tests_name_their_promise() -> None:
    """Every test's docstring is the promise it guards."""
    silent = [
        f"{file.name}:{node.name}"
        for file in tracked("tests/*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert [] == silent


def test_shell_is_clean() -> None:
    """Shell scripts pass shellcheck."""
    scripts = [*tracked("*.sh"), paths.REPOSITORY / ".ci" / "run"]
    done = run([Path(sys.executable).parent / "shellcheck", *scripts], check=False)

    assert (0, "") == (done.returncode, done.stdout)


def test_every_task_teaches() -> None:
    """`--help` of every task tells what each of its options means."""
    from tasks import ns  # noqa: PLC0415 - builds every task

    silent = [
        f"{name} --{argument.name}"
        for name in ns.task_names
        for argument in copy.deepcopy(ns[name]).get_arguments()  # which empties its help
        if not argument.help
    ]

    assert [] == silent
