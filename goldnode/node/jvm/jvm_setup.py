"""Prepares the JVM host's start: every node gets its directory, its file and, if needed, its database.

Run by root at each start of goldnode-jvm.service; running it twice changes nothing.  A node's database
has its own user, whose password never leaves this machine.

The service's user owns the homes and nothing else: what root reads and writes is in root's
folders, and a home replaced by a link is refused, so that malicious code in the JVM cannot
make root hand over, copy or remove anything.
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
from goldnode.config.node_config import MAX_NODES, NodeConfig
from goldnode.errors import ArtifactError, SafetyError, UsageError
from goldnode.files import write_atomic
from goldnode.node.jvm import canary, jvm
from goldnode.node.jvm.jvm import HostedNode
from goldnode.run import run

#: The user that the service runs as.
USER = "gn-jvm"
#: PostgreSQL's port on Debian.
POSTGRES = 5432
#: Debian's name of a machine's first database cluster, and our file in it.
CLUSTER, SETTINGS = "main", "conf.d/goldnode.conf"
#: The form of our passwords, which go into SQL that PostgreSQL's administrator runs, and into a URL.
PASSWORD = re.compile(r"[0-9a-f]{48}")
#: PostgreSQL's default is 100, and a Daml ledger keeps 38 open (measured): the third one could not start.
CONNECTIONS = 40 * MAX_NODES


@dataclass(frozen=True, slots=True)
class JvmPaths:
    """Where things are on the machine.

    Attributes:
        state: What outlives a reboot: homes and logs; the service's user may do as it likes there.
        runtime: What the host reads: options, and a file per node; owned by root.
        jars: The network's jars.
        secrets: The databases' passwords; owned by root.
        canaries: Jars that single nodes have instead of the image's; owned by root.
    """

    state: Path = Path("/var/lib/goldnode/jvm")
    runtime: Path = Path("/run/goldnode/hosted")
    jars: Path = Path("/usr/lib/goldnode/jars")
    secrets: Path = Path("/var/lib/goldnode/jvm-secrets")
    canaries: Path = Path("/var/lib/goldnode/jvm-jars")


def setup(
    network: Network,
    config: NodeConfig,
    blocks: Mapping[str, int],
    paths: JvmPaths,
    *,
    server: Callable[[], None],
    psql: Callable[[str], None],
    give: Callable[[Path], None],
    share: Callable[[Path], None],
    port: int = POSTGRES,
) -> None:
    """Prepare the machine so that the JVM host can start.

    Args:
        network: The image's network, of kind jvm.
        config: The machine's node.yaml.
        blocks: The machine's nodes, each with its block of ports.
        paths: Where everything goes.
        server: Starts PostgreSQL; called only for a network whose nodes need it.
        psql: Runs SQL as PostgreSQL's administrator.
        give: Makes the service's user the owner of a node's home.
        share: Lets the service's user read one of root's files or folders.
        port: PostgreSQL's port.

    Raises:
        UsageError: The network does not run in a JVM.
    """
    options = network.daemon.jvm
    if options is None:
        raise UsageError(f"{network.name} does not run in a JVM")
    stored = any("{database}" in word for word in network.daemon.start_args)
    if stored:
        server()
    jars = sorted(paths.jars.glob("*.jar"))
    nodes, entries = [], {entry.name: entry for entry in config.nodes}
    for name, index in blocks.items():
        home = paths.state / name
        home.mkdir(parents=True, exist_ok=True)
        give(home)
        database = _database(name, paths, psql, port) if stored else ""
        own = entries[name]
        try:
            classes = tuple(canary.classpath(paths.canaries / name, jars))
        except ArtifactError as error:
            print(f"goldnode: {name} is left out: {error.message}; try: {error.hint}")
            continue
        nodes.append(HostedNode(name, index, home, database, own.arguments, own.properties, own.log, classes))
    folder = paths.runtime / "nodes"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = jvm.files(network.daemon, network.ports, nodes, jars, paths.state) if nodes else {}
    for file, text in wanted.items():
        write_atomic(folder / file, text, 0o640)
        share(folder / file)
    for stale in set(folder.glob("*.properties")) - {folder / file for file in wanted}:
        stale.unlink()
    write_atomic(paths.runtime / "options", jvm.options(options, config.jvm))
    for path in (paths.runtime, folder, paths.runtime / "options"):
        share(path)


def start_postgres(root: Path = Path("/")) -> None:
    """Start PostgreSQL, with a database cluster made on this machine: the image has none.

    Our settings file is written last in a new cluster, and before any database, so if it is missing,
    the power failed while the cluster was made, and it holds nobody's data.
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
        SafetyError: It is something else, such as a link to somebody else's folder.
    """
    user = pwd.getpwnam(USER)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SafetyError(f"{path} is not a plain folder: {error.strerror}; nothing was changed",
                          hint=f"ls -ld {path}, and put the node's folder back") from error  # fmt: skip
    try:
        os.fchown(handle, user.pw_uid, user.pw_gid)
    finally:
        os.close(handle)


def share_with_service(path: Path) -> None:
    """Let the service's user read one of root's files in one of root's folders."""
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
    """Make sure that the node's database and user exist; returns its JDBC URL."""
    password, identifier = _password(paths.secrets / name), f"gn_{name}"
    psql(database_sql(identifier, password))
    return f"jdbc:postgresql://127.0.0.1:{port}/{identifier}?user={identifier}&password={password}"


def _password(path: Path) -> str:
    """A node's password; a damaged one is replaced, and the database gets the new one."""
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
    """SQL for psql that makes a database with an owner of the same name; running it twice changes nothing.

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
