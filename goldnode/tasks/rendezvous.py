"""The task that runs a rendezvous on this machine."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from goldnode import files
from goldnode.bake import zipapp
from goldnode.paths import cache
from goldnode.protocol import limits
from goldnode.rendezvous import __main__ as server
from goldnode.rendezvous import address, config
from goldnode.tasks.terminal import output

#: What the one file does when it is started.
MAIN = "from goldnode.rendezvous.__main__ import main\n\nraise SystemExit(main())\n"


@task(
    positional=[],
    iterable=["trusted_proxy"],
    help={
        "listen": "HOST:PORT to listen on (default: port 8700 of every address)",
        "database": "file to keep records in; it may be deleted whenever the server is down",
        "address_rate": f"requests per second from one address (default: {limits.ADDRESS_RATE})",
        "room_rate": f"requests per second from one address to one room (default: {limits.ROOM_RATE})",
        "new_rooms": f"new rooms per hour from one address (default: {limits.NEW_ROOMS_PER_HOUR})",
        "address_connections": f"connections of one address at once (default: {limits.ADDRESS_CONNECTIONS})",
        "pack": "write the server as one file, for any host with python3 and its uvicorn, instead of running it",
        "trusted_proxy": "CIDR whose X-Forwarded-For is believed; may be repeated",
    },
)
def rendezvous(
    _: Context,
    trusted_proxy: list[str],
    listen: str = "",
    database: str = "",
    address_rate: float = float(limits.ADDRESS_RATE),
    room_rate: float = float(limits.ROOM_RATE),
    new_rooms: float = float(limits.NEW_ROOMS_PER_HOUR),
    address_connections: int = limits.ADDRESS_CONNECTIONS,
    pack: str = "",
) -> None:
    """Run the rendezvous, where the nodes of a cluster find each other."""
    if pack:
        files.write_atomic(Path(pack), zipapp.pack(MAIN, zipapp.reached_from(["goldnode.rendezvous"])), 0o755)
        install = "apt-get install python3-uvicorn python3-httptools python3-uvloop"
        output.say(f"{pack}: the rendezvous; there: {install}, then {Path(pack).name} --help")
        return
    file = Path(database) if database else cache() / "rendezvous" / "store.sqlite"
    limited = config.Config(
        address_rate, room_rate, new_rooms, address_connections, address.parse_proxies(trusted_proxy)
    )
    server.run(listen or server.LISTEN, file, limited)
