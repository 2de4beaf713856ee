"""What ``./invoke`` becomes, with the environment's Python: Invoke, with the commands of this checkout."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Not this folder, which Python put there: its modules have names like `test`.
sys.path[0] = str(ROOT)

from goldnode.tasks.terminal import lazy, streams  # noqa: E402

with lazy.waiting():
    from goldnode.tasks.program import CommandLine
    from tasks import ns

streams.survive_readers()
try:
    CommandLine(ns).run(["./invoke", *sys.argv[1:]])
finally:
    sys.stdout.flush()
    sys.stderr.flush()
