"""Many command lines in one process, because starting it takes longer than any mistake: JSON in, JSON out."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from goldnode.tasks.program import CommandLine
from tasks import ns


def typed(words: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command line."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            CommandLine(ns).run(["./invoke", *words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    print(json.dumps([typed(words) for words in json.load(sys.stdin)]))
