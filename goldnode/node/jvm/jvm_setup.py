"""Before the JVM host starts: every node has its directory, its file and, where needed, its database.

Run at each start of goldnode-jvm.service, by root; twice changes nothing.  A node's database has a
user of its own, whose password never leaves this machine.

The service's user owns the homes and nothing else: what root reads and writes lies in folders of
root's, and a home that was replaced by a link is refused, so that code which broke into the JVM
cannot have root hand over, copy or remove anything.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldnode.config.network import Network
from goldnode.config.node_config import MAX_NODES
from goldnode.errors import SafetyError, UsageError
from goldnode.files import write_atomic
from goldnode.node.jvm import jvm
from goldnode.node.jvm.jvm import HostedNode
from goldnode.run import run

#: The user that the service runs as.
USER = "gn-jvm"
#: PostgreSQL's port on Debian.
POSTGRES = 5432
#: Debian's name of the first database cluster of a machine, and its file of ours.
CLUSTER, SETTINGS = "main", "conf.d/goldnode.conf"
#: What a password of ours is: it goes into SQL that PostgreSQL's administrator runs, and into a URL.
PASSWORD = re.compile(r"[0-9a-f]{48}")
#: PostgreSQL's default is 100, and a Daml ledger keeps 38 open (measured): the third one could not start.
CONNECTIONS = 40 * MAX_NODES


@dataclass(frozen=True, slots=True)
class JvmPaths:
    """Where things are on the machine.

    Attributes:
        state: What outlives a reboot: homes and logs; the service's user may do there what it likes.
        runtime: What the host reads: options, and a file per node; root's.
        jars: The network's jars.
        secrets: The databases' passwords; root's.
    """

    state: Path = Path("/var/lib/goldnode/jvm")
    runtime: Path = Path("/run/goldnode/hosted")
    jars: Path = Path("/usr/lib/goldnode/jars")
    secrets: Path = Path("/var/lib/goldnode/jvm-secrets")


def setup(
    network: Network,
    blocks: Mapping[str, int],
    paths: JvmPaths,
    *,
    server: Callable[[], None],
    psql: Callable[[str], None],
    give: Callable[[Path], None],
    share: Callable[[Path], None],
    port: int = POSTGRES,
) -> None:
    """Bring the machine to where the JVM host can start.

    Args:
        network: The image's network, of kind jvm.
        blocks: The machine's nodes, each with its block of ports.
        paths: Where everything goes.
        server: Has PostgreSQL run; asked only for a network whose nodes store something there.
        psql: Runs SQL as PostgreSQL's administrator.
        give: Hands a node's home over to the service's user.
        share: Lets the service's user read a file or folder of root's.
        port: PostgreSQL's port.

    Raises:
        UsageError: The network is not one for the JVM.
    """
    options = network.daemon.jvm
    if options is None:
        raise UsageError(f"{network.name} runs no JVM")
    stored = any("{database}" in word for word in network.daemon.start_args)
    if stored:
        server()
    nodes = []
    for name, index in blocks.items():
        home = paths.state / name
        home.mkdir(parents=True, exist_ok=True)
        give(home)
        database = _database(name, paths, psql, port) if stored else ""
        nodes.append(HostedNode(name, index, home, database))
    folder = paths.runtime / "nodes"
    folder.mkdir(parents=True, exist_ok=True)
    jars = sorted(paths.jars.glob("*.jar"))
    wanted = jvm.files(network.daemon, network.ports, nodes, jars, paths.state)
    for file, text in wanted.items():
        write_atomic(folder / file, text, 0o640)
        share(folder / file)
    for stale in set(folder.glob("*.properties")) - {folder / file for file in wanted}:
        stale.unlink()
    write_atomic(paths.runtime / "options", "".join(f"{option}\n" for option in jvm.options(options)))
    for path in (paths.runtime, folder, paths.runtime / "options"):
        share(path)


def start_postgres(root: Path = Path("/")) -> None:
    """Have PostgreSQL run, with a database cluster that was made on this machine: the image has none.

    Our file of settings is the last thing of a new cluster and comes before any database, so where
    it is missing the power went while the cluster was made, and nobody's data is in what there is.
    """
    version = max((path.name for path in (root / "usr/lib/postgresql").iterdir()), key=int)
    config = root / "etc/postgresql" / version / CLUSTER
    if not (config / SETTINGS).exists():
        for folder in (config, root / "var/lib/postgresql" / version / CLUSTER):
            shutil.rmtree(folder, ignore_errors=True)
        run(["pg_createcluster", "--locale=C.UTF-8", "--encoding=UTF8", f"--port={POSTGRES}", version, CLUSTER],
            timeout=300)  # fmt: skip
        write_atomic(config / SETTINGS, f"max_connections = {CONNECTIONS}\n")
    run(["systemctl", "start", f"postgresql@{version}-{CLUSTER}.service"], timeout=300)


def give_to_service(path: Path) -> None:
    """Make the service's user the owner of a home.

    Raises:
        SafetyError: Something else lies there, such as a link to a folder of somebody else's.
    """
    user = pwd.getpwnam(USER)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SafetyError(f"{path} is not a folder of its own: {error.strerror}; nothing was handed over",
                          hint=f"ls -ld {path}, and put the node's folder back") from error  # fmt: skip
    try:
        os.fchown(handle, user.pw_uid, user.pw_gid)
    finally:
        os.close(handle)


def share_with_service(path: Path) -> None:
    """Let the service's user read what is root's, in a folder of root's."""
    os.chown(path, 0, pwd.getpwnam(USER).pw_gid, follow_symlinks=False)
    path.chmod(0o750 if path.is_dir() else 0o640)


def as_postgres(sql: str) -> None:
    """Run SQL as the administrator of Debian's PostgreSQL."""
    run(
        ["runuser", "-u", "postgres", "--", "psql", "-qX", "-v", "ON_ERROR_STOP=1", "postgres"],
        cwd=Path("/"),
        stdin=sql,
    )


def _database(name: str, paths: JvmPaths, psql: Callable[[str], None], port: int) -> str:
    """Have the node's database and its user; the JDBC URL that opens it."""
    password, identifier = _password(paths.secrets / name), f"gn_{name}"
    psql(database_sql(identifier, password))
    return f"jdbc:postgresql://127.0.0.1:{port}/{identifier}?user={identifier}&password={password}"


def _password(path: Path) -> str:
    """A password of ours; one that is damaged is made anew, and the database takes the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        known = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        known = ""
    if PASSWORD.fullmatch(known):
        return known
    made = secrets.token_hex(24)
    write_atomic(path, made, 0o600)
    return made


def database_sql(identifier: str, password: str) -> str:
    """SQL that makes a database with an owner of the same name, for psql; twice changes nothing.

    Args:
        identifier: Made of a node's name: small letters, digits and ``-``.
        password: Hex digits.
    """
    role, base = f"'{identifier}'", f'"{identifier}"'
    lines = (
        f"SELECT 'CREATE ROLE {base} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {role}) \\gexec",  # noqa: S608 - names
        f"ALTER ROLE {base} PASSWORD '{password}';",
        f"SELECT 'CREATE DATABASE {base} OWNER {base}'",
        f"  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {role}) \\gexec",
        f"REVOKE CONNECT ON DATABASE {base} FROM PUBLIC;",
    )
    return "\n".join(lines) + "\n"
