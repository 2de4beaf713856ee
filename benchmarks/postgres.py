"""A PostgreSQL server of one's own for a while: Debian's programs, a folder of its own, loopback only."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goldnode.errors import HostError
from goldnode.run import run, spawn

#: What a node of a JVM network uses, times ten nodes.
CONNECTIONS = 600
#: Who may do everything.
ADMINISTRATOR = "goldnode"
#: Seconds until the server must answer.
TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Database:
    """A running server.

    Attributes:
        port: Its loopback port.
        programs: The folder of its programs.
    """

    port: int
    programs: Path

    def create(self, name: str) -> str:
        """Make a database; its JDBC URL."""
        run([self.programs / "psql", *self._where(), "postgres", "-qc", f'CREATE DATABASE "{name}"'])
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{name}?user={ADMINISTRATOR}"

    def run(self, sql: str) -> None:
        """Run SQL as the administrator."""
        run([self.programs / "psql", *self._where(), "-qX", "-v", "ON_ERROR_STOP=1", "postgres"], stdin=sql)

    def query(self, database: str, sql: str, *, user: str = ADMINISTRATOR, password: str = "") -> str:
        """The one value that a query gives."""
        command: list[str | Path] = [self.programs / "psql", *self._where(user), database, "-Atc", sql]
        return run(command, env={"PGPASSWORD": password}).stdout.strip()

    def answers(self) -> bool:
        """Whether it takes connections yet."""
        return run([self.programs / "pg_isready", *self._where()], check=False).returncode == 0

    def _where(self, user: str = ADMINISTRATOR) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", user]


@contextlib.contextmanager
def database_server(port: int, *, passwords: bool = False) -> Iterator[Database]:
    """Run a fresh server; at the end of the block neither it nor its folder is left.

    Args:
        port: Where it listens.
        passwords: Whether others than the administrator need one.

    Raises:
        HostError: PostgreSQL is not installed, or does not start.
    """
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="goldnode-pg-") as name:
        folder = Path(name)
        as_user = _unprivileged(folder)
        run([*as_user, programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", ADMINISTRATOR, "-E", "UTF8"],
            cwd=folder)  # fmt: skip
        if passwords:
            rules = f"host all {ADMINISTRATOR} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
            (folder / "data" / "pg_hba.conf").write_text(rules)
        settings = ("listen_addresses=127.0.0.1", f"max_connections={CONNECTIONS}", "fsync=off")
        server = [*as_user, programs / "postgres", "-D", folder / "data", "-p", port, "-k", folder]
        server += [word for setting in settings for word in ("-c", setting)]
        with (
            (folder / "log").open("wb") as log,
            spawn([str(word) for word in server], cwd=folder, stdout=log) as process,
        ):
            database = Database(port, programs)
            deadline = time.monotonic() + TIMEOUT
            while not database.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise HostError(f"PostgreSQL does not start: {(folder / 'log').read_text()[-500:]}")
                time.sleep(0.1)
            yield database


def _programs() -> Path:
    """The newest installed PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise HostError("PostgreSQL is not installed", hint="apt-get install postgresql")
    return found[-1].parent


def _unprivileged(folder: Path) -> list[str]:
    """What PostgreSQL is started with, which refuses to run as root; hands the folder over."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    shutil.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
