"""A job beside ours: in a thread of its own, its programs ended when we give it up.

Two things that don't depend on each other, as a base and a daemon, are made at the same time.  When
one fails, or a person presses Ctrl-C, nothing of the other may go on.
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
    """Start a job; its result, or what it raised, is asked of the future inside the block.

    At the end of the block the job has ended: programs that it still runs are told to.
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
            with suppress(BaseException):  # told already, by result(), or of no interest any more
                future.exception()
