"""A second job in its own thread; when we give it up, its programs are ended.

Two things that don't depend on each other, such as a base and a daemon, are made at the same time.  When
one fails, or a person presses Ctrl-C, nothing of the other may keep running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from goldnode.run import Programs, running

T = TypeVar("T")


@contextmanager
def beside(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Start a job; ask the future for its result, or for what it raised, inside the block.

    The job has ended when the block has: programs that it still runs are told to stop.
    """
    programs = Programs()

    def job() -> T:
        with running(programs):
            return work()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(job)
        try:
            yield future
        finally:
            if not future.done():
                programs.end()
            with suppress(BaseException):  # already reported by result(), or no longer of interest
                future.exception()
