"""Standard output and error that survive the loss of their reader.

`./invoke bake 2>&1 | head` has no reader after ten lines.  A write would then raise ``BrokenPipeError``
in the middle of the bake, which would end without an image; and one from a pipe to a child could be
mistaken for it.  Here a stream without a reader is silent, the work runs to its end, and the exit code
tells the result.
"""

from __future__ import annotations

import io
import sys
from typing import TextIO


class _Raw(io.FileIO):
    """A file descriptor that swallows everything once nobody reads it."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def survive_readers() -> None:
    """Let this process's standard output and error outlive their readers."""
    sys.stdout = _surviving(sys.stdout)
    sys.stderr = _surviving(sys.stderr)


def _surviving(stream: TextIO) -> TextIO:
    stream.flush()
    raw = _Raw(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=True
    )
