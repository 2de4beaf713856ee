"""How the world's validators pass an upgrade: a program that starts the next version once the first has stopped.

As cosmovisor does it: it looks for ``upgrade-info.json``, and for nothing else.

    python -m tests.integration.node.switching NEXT PROGRAM ARGUMENTS...
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

INFO = Path("data/upgrade-info.json")


def main() -> None:
    """Run the program until it stops for an upgrade, then become the next one."""
    following, *argv = sys.argv[1:]
    process = subprocess.Popen(argv)
    while not INFO.exists():
        if process.poll() is not None:
            raise SystemExit(process.returncode)
        time.sleep(0.2)
    process.terminate()
    process.wait()
    os.environ["LD_LIBRARY_PATH"] = str(Path(following).parent / "lib")
    os.execv(following, [following, *argv[1:]])  # noqa: S606 - becomes the program


if __name__ == "__main__":
    main()
