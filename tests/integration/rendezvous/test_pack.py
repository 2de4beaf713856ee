"""The rendezvous alone, as one file: it serves on a host where nothing else of goldnode is."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

from goldnode.run import clean_env, stop_group
from tests.support.baking import invoke


def test_one_file_serves(tmp_path: Path) -> None:
    """`./invoke rendezvous --pack FILE` writes a program that answers, started from an empty folder; twice the same."""
    program, again = tmp_path / "rendezvous.pyz", tmp_path / "again.pyz"
    first, second = invoke("rendezvous", "--pack", program), invoke("rendezvous", "--pack", again)
    assert (0, 0) == (first.code, second.code), first.stderr
    assert program.read_bytes() == again.read_bytes()
    empty = tmp_path / "elsewhere"
    empty.mkdir()

    # Isolated, as its first line says: not even the folder it stands in is on the path.
    words: list[str | Path] = [sys.executable, "-I", program, "--listen", "127.0.0.1:0", "--database", empty / "db"]
    with subprocess.Popen(words, cwd=empty, env=clean_env(), stdout=subprocess.PIPE, start_new_session=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().decode().split()[-1]
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:  # noqa: S310 - our own server
            code = answer.status
        stop_group(server)

    assert 200 == code
    assert 0o755 == program.stat().st_mode & 0o777
