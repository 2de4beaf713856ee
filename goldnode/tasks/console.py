"""How tasks communicate: progress, tables, errors, and what happens before and after each of them.

On a terminal, long work shows bars, which stay with their time; elsewhere, one plain line per
finished step.  Our errors end in one sentence, a hint and the exit code of their class;
``--debug`` shows the traceback.  Tasks themselves stay glue: they raise, and ``guarded`` handles.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from invoke.exceptions import Exit
from rich import console, table
from rich import progress as bars

from goldnode.errors import GoldnodeError, HostError, UsageError
from goldnode.progress import Progress, Step
from goldnode.tasks.terminal import output

INTERRUPTED = 130
K = TypeVar("K", bound=StrEnum)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show steps as they run."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    words = functools.partial(bars.TextColumn, markup=False)
    columns = (bars.SpinnerColumn(finished_text="[green]✓"), words("{task.description}"), bars.BarColumn(bar_width=24),
               words("{task.fields[note]}"), bars.TimeElapsedColumn())  # fmt: skip
    with bars.Progress(*columns, console=console.Console(stderr=True, highlight=False)) as shown:
        yield _Bars(shown)


def step_table(seconds: dict[str, float]) -> table.Table:
    """The step-time table at the end of every bake; its last row is the total."""
    times = table.Table("step", "seconds", title="where the time went", title_justify="left")
    times.columns[1].justify = "right"
    *steps, (everything, wall) = seconds.items()
    for name, value in steps:
        times.add_row(name, f"{value:.1f}")
    times.add_section()
    times.add_row(everything, f"{wall:.1f}")
    return times


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what a task raises into a message and an exit code."""
    try:
        yield
    except GoldnodeError as error:
        raise ending(error.message, error.hint, error.exit_code) from error
    except KeyboardInterrupt as error:
        raise ending(
            "interrupted; nothing half done is left", "run the same command to continue", INTERRUPTED
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = error.filename or "a temporary folder"
            raise ending(f"no space left while writing {where}", "df -h", HostError.exit_code) from error
        if error.filename is None:
            raise
        what = f"this machine refuses {error.filename}: {error.strerror}"
        raise ending(what, f"ls -ld {shlex.quote(str(error.filename))}", HostError.exit_code) from error


def one_of(kind: type[K], option: str, value: str) -> K:
    """Parse a value of an enumeration.

    Raises:
        UsageError: It is not one of them; the message names all.
    """
    try:
        return kind(value)
    except ValueError as error:
        raise UsageError(f"{option} {value}: expected {choice(kind)}", hint=f"{option} {next(iter(kind))}") from error


def choice(kind: type[StrEnum]) -> str:
    """All values of an enumeration, as `auto, kvm or tcg`."""
    *first, last = kind
    return f"{', '.join(first)} or {last}"


def existing(file: str, what: str, hint: str = "", *, or_folder: bool = False) -> Path:
    """A file that a person named; if it is missing, every command says so in the same way.

    Args:
        file: Its name.
        what: What it should be, for the message, such as `image`.
        hint: The command that makes one.
        or_folder: Whether a folder is accepted too.

    Raises:
        UsageError: It is missing, a folder, or not readable by this user.
    """
    path = Path(file)
    if not (path.is_file() or (or_folder and path.is_dir())):
        raise UsageError(f"there is no {what} {file}", hint=hint or f"ls {shlex.quote(str(path.parent))}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{file} cannot be read by this user", hint=f"ls -l {shlex.quote(file)}")
    return path


def ending(message: str, hint: str, code: int) -> Exit:
    """Print what went wrong and what to type next; with ``--debug`` the traceback first.

    Returns:
        The exception to raise, so that the program exits with ``code``.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        traceback.print_exc()
    output.tell(message, mark="goldnode:")
    if hint:
        output.tell(f"  try: {hint}")
    return Exit(code=code)


class _LineStep:
    def __init__(self) -> None:
        self.remark = ""

    def update(self, done: int, total: int | None = None) -> None: ...

    def note(self, text: str) -> None:
        self.remark = text


class _Lines:
    """For logs: one line when a step ends."""

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        started = time.monotonic()
        step = _LineStep()
        yield step
        remark = f" ({step.remark})" if step.remark else ""
        output.tell(f"{title}: {time.monotonic() - started:.1f} s{remark}")


class _BarStep:
    def __init__(self, shown: bars.Progress, number: bars.TaskID) -> None:
        self._bars, self._number = shown, number

    def update(self, done: int, total: int | None = None) -> None:
        self._bars.update(self._number, completed=done, total=total)

    def note(self, text: str) -> None:
        self._bars.update(self._number, note=output.clean(text))


class _Bars:
    """For terminals: a bar per step; finished ones stay."""

    def __init__(self, shown: bars.Progress) -> None:
        self._bars = shown

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        number = self._bars.add_task(output.clean(title), total=None, note="")
        yield _BarStep(self._bars, number)
        self._bars.update(number, completed=1, total=1)
        self._bars.stop_task(number)
