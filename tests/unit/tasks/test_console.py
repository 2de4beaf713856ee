"""How a task ends when something goes wrong: a sentence, a hint, the exit code of its class."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from invoke.exceptions import Exit

from goldnode.errors import SafetyError
from goldnode.tasks import console


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines on standard error so far."""
    return lambda: list(capsys.readouterr().err.splitlines())


def raising(error: BaseException) -> Callable[[], None]:
    """A task that ends so."""

    def body() -> None:
        raise error

    return console.guarded()(body)


@pytest.mark.parametrize(("error", "code", "lines"), [
    (SafetyError("the key [a] would sign twice", hint="goldnode key show [NAME]"), 8,
     ["goldnode: the key [a] would sign twice", "  try: goldnode key show [NAME]"]),
    (SafetyError("no"), 8, ["goldnode: no"]),
    (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 4,
     ["goldnode: no space left while writing /x/y", "  try: df -h"]),
    (OSError(errno.ENOSPC, "No space left on device"), 4,
     ["goldnode: no space left while writing a temporary folder", "  try: df -h"]),
    (OSError(errno.EROFS, "Read-only file system", "/x y"), 4,
     ["goldnode: this machine refuses /x y: Read-only file system", "  try: ls -ld '/x y'"]),
    (SafetyError("\x1b[2Jgone", hint="\x07"), 8, [r"goldnode: \x1b[2Jgone", r"  try: \x07"]),
    (KeyboardInterrupt(), 130,
     ["goldnode: interrupted; nothing half done is left", "  try: run the same command to continue"]),
])  # fmt: skip
def test_what_a_task_raises_is_said(
    error: BaseException, code: int, lines: list[str], said: Callable[[], list[str]]
) -> None:
    """Brackets are text, a hint stands on a line of its own, and the exit code is the class's."""
    with pytest.raises(Exit) as caught:
        raising(error)()

    assert (code, lines) == (caught.value.code, said())


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("of no file"), BrokenPipeError("a child that died")])
def test_a_bug_stays_a_traceback(error: Exception) -> None:
    """What nobody raises on purpose is not dressed up."""
    with pytest.raises(type(error)):
        raising(error)()
