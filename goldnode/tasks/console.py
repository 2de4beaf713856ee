"""How tasks speak: progress, tables, errors, and what is seen to before and after each of them.

On a terminal, long work shows bars that stay with their time; anywhere else, one plain line per
finished step.  Errors of ours end in one sentence, a hint and the exit code of their class;
``--debug`` shows the traceback.  Tasks themselves stay glue: they raise, and ``guarded`` handles.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.tasks import Task
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from goldnode.errors import GoldnodeError, HostError
from goldnode.progress import Progress, Step
from goldnode.tasks import host

#: Errors and progress go here, so that stdout stays what a program can read.
stderr = Console(stderr=True, highlight=False)
INTERRUPTED = 130


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show steps as they run."""
    if not stderr.is_terminal:
        yield _Lines()
        return
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), BarColumn(bar_width=24),
               TextColumn("{task.fields[note]}"), TimeElapsedColumn())  # fmt: skip
    with Bars(*columns, console=stderr) as bars:
        yield _Bars(bars)


def step_table(seconds: dict[str, float]) -> Table:
    """The step-time table that every bake ends with; its last row is the time of all."""
    table = Table("step", "seconds", title="where the time went", title_justify="left")
    table.columns[1].justify = "right"
    *steps, (everything, wall) = seconds.items()
    for name, value in steps:
        table.add_row(name, f"{value:.1f}")
    table.add_section()
    table.add_row(everything, f"{wall:.1f}")
    return table


def needing(*needs: host.Need) -> Callable[[Task[Any]], Task[Any]]:
    """Have the machine's part seen to before the task runs (``goldnode/tasks/host.py``)."""

    def wrap(task: Task[Any]) -> Task[Any]:
        task.body = _before(task.body, needs)
        return task

    return wrap


def guard_all(collection: Collection) -> Collection:
    """Put ``guarded`` around every task of a collection and those below it; no option gets a letter by chance."""
    for task in collection.tasks.values():
        task.body = guarded(task.body)
        task.auto_shortflags = False
    for below in collection.collections.values():
        guard_all(below)
    return collection


def guarded(body: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a task raises into a message and an exit code."""

    @functools.wraps(body)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return body(*args, **options)
        except GoldnodeError as error:
            raise ending(error.message, error.hint, error.exit_code) from error
        except KeyboardInterrupt as error:
            raise ending(
                "interrupted; nothing half done is left", "run the same command to go on", INTERRUPTED
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                where = error.filename or "a temporary folder"
                raise ending(f"no space left while writing {where}", "df -h", HostError.exit_code) from error
            if error.filename is None:
                raise
            what = f"this machine refuses {error.filename}: {error.strerror}"
            raise ending(what, f"ls -ld {shlex.quote(str(error.filename))}", HostError.exit_code) from error

    return run


def _before(body: Callable[..., Any], needs: Iterable[host.Need]) -> Callable[..., Any]:
    @functools.wraps(body)
    def run(*args: Any, **options: Any) -> Any:
        host.require(needs)
        return body(*args, **options)

    return run


def ending(message: str, hint: str, code: int) -> Exit:
    """Say what went wrong and what to type next; with ``--debug`` show the traceback first.

    Returns:
        What to raise, so that the program ends with ``code``.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        stderr.print_exception()
    stderr.print(f"[red]goldnode:[/red] {_plain(message)}", soft_wrap=True)
    if hint:
        stderr.print(f"  try: {_plain(hint)}", soft_wrap=True)
    return Exit(code=code)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


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
        print(f"{title}: {time.monotonic() - started:.1f} s{remark}", file=sys.stderr, flush=True)


class _BarStep:
    def __init__(self, bars: Bars, number: Any) -> None:
        self._bars, self._number = bars, number

    def update(self, done: int, total: int | None = None) -> None:
        self._bars.update(self._number, completed=done, total=total)

    def note(self, text: str) -> None:
        self._bars.update(self._number, note=text)


class _Bars:
    """For terminals: a bar per step; finished ones stay."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        number = self._bars.add_task(title, total=None, note="")
        yield _BarStep(self._bars, number)
        self._bars.update(number, completed=1, total=1)
        self._bars.stop_task(number)
