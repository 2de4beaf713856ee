"""Our own standard output and error, whose reader may go away.

`./invoke bake 2>&1 | head` has no reader after ten lines.  A write then raises ``BrokenPipeError``
in the middle of the bake, which ends without an image; or it comes from a pipe to a child, and is
taken for a reader that went.  Here a stream without a reader is quiet, the work goes on to its end,
and the exit code says what came of the work.
"""

from __future__ import annotations

import io
import sys
from typing import TextIO


class _Raw(io.FileIO):
    """A file descriptor that takes everything once nobody reads it."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def survive_readers() -> None:
    """Let this process's standard output and error outlive whoever reads them."""
    sys.stdout = _surviving(sys.stdout)
    sys.stderr = _surviving(sys.stderr)


def _surviving(stream: TextIO) -> TextIO:
    stream.flush()
    raw = _Raw(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=True
    )
