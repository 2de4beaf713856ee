"""The Python environment of a checkout: .venv, with exactly what the locks under requirements/ name.

pip's reading of a lock changes with its version (23.0 treats `coverage[toml]` as a separate
requirement and picks another version than the lock's), so pip installs only uv, one hashed
wheel, which installs the rest.  Standard library only: ``./invoke`` runs this before anything else
is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
INSTALLER = REQUIREMENTS / "installer.lock"
#: packer.py is published as source: the pinned tools of build.lock make a wheel of it, not whatever is newest.
RUN = (REQUIREMENTS / "build.lock", REQUIREMENTS / "run.lock")
TEST = (REQUIREMENTS / "test.lock",)
#: uv's names for pip's settings about where packages come from.
SOURCES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
#: A line of `pip config list`: `global.index-url='https://…'`, or `:env:.index-url='https://…'`.
SETTING = re.compile(r"\S+\.(?P<name>[a-z-]+)='(?P<value>[^']*)'")


class InstallError(Exception):
    """A lock could not be installed.

    Attributes:
        lock: The lock.
        said: The end of the installer's output.
    """

    def __init__(self, lock: Path, said: str) -> None:
        super().__init__(f"{_name(lock)} could not be installed: {said}")
        self.lock = lock
        self.said = said


def install(venv: Path, locks: Sequence[Path], stamp: str) -> None:
    """Bring an environment up to date with some locks, unless it already is; safe to call from many processes.

    Args:
        venv: The environment.
        locks: What to install, in this order.
        stamp: The name of the file in ``venv`` that records what was installed.

    Raises:
        InstallError: A lock could not be installed; nothing is recorded.
    """
    remembered = venv / f"goldnode-{stamp}.stamp"
    wanted = digest(locks)
    with (venv / f"goldnode-{stamp}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if remembered.exists() and remembered.read_text() == wanted:
            return
        print(f"installing the packages of {', '.join(_name(each) for each in locks)} (once) ...",
              file=sys.stderr, flush=True)  # fmt: skip
        _install_uv(venv)
        for each in locks:
            _must(uv_command(venv, each), each, uv_environment(venv))
        remembered.write_text(wanted)


def digest(locks: Sequence[Path]) -> str:
    """The digest that identifies an environment made from these locks by this Python."""
    content = b"".join(lock.read_bytes() for lock in (INSTALLER, *locks))
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def uv_command(venv: Path, lock: Path) -> list[str | Path]:
    """The command line that installs one lock."""
    return [venv / "bin" / "uv", "--no-config", "--quiet", "pip", "install", "--python", venv / "bin" / "python",
            "--require-hashes", "--no-build-isolation", "-r", lock]  # fmt: skip


def uv_environment(venv: Path) -> dict[str, str]:
    """This process's environment, with pip's settings for the package index, which uv does not read."""
    answer = subprocess.run(
        [venv / "bin" / "python", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings = (SETTING.fullmatch(line) for line in answer.stdout.splitlines())
    told = {SOURCES[each["name"]]: each["value"] for each in settings if each and each["name"] in SOURCES}
    return {"UV_SYSTEM_CERTS": "true", **told, **os.environ}


def _install_uv(venv: Path) -> None:
    _must([venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
           "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", INSTALLER], INSTALLER)  # fmt: skip


def _must(command: Sequence[str | Path], lock: Path, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InstallError(lock, str(error)) from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise InstallError(lock, " ".join(said[-6:]))


def _name(lock: Path) -> str:
    return f"requirements/{lock.name}"
