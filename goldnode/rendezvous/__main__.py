"""The rendezvous as a program: `python3 -m goldnode.rendezvous`, on any host and on our image."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from goldnode import forms
from goldnode.errors import GoldnodeError, UsageError
from goldnode.protocol import limits
from goldnode.rendezvous.address import parse_proxies
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.server import Options, serve

#: Where it listens by default: every address, IPv4 and IPv6.
LISTEN = "[::]:8700"
#: Thresholds of the garbage collector: new objects per run, and how often older ones are examined.
GC_THRESHOLD = (50_000, 20, 50)


def parse_listen(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` or `[HOST]:PORT`.

    Raises:
        UsageError: It is neither.
    """
    host, _, port = text.rpartition(":")
    if not forms.is_host(host) or not forms.is_port(port, least=0):
        raise UsageError(f"--listen {text}: not HOST:PORT", hint="./invoke rendezvous --listen '[::]:8700'")
    return host.strip("[]"), int(port)


def run(listen: str, database: Path, config: Config) -> None:
    """Serve until Ctrl-C or SIGTERM; prints on standard output where, how to stop, and which limits were raised.

    Raises:
        UsageError: `listen` is not an address.
        HostError: The address or the database cannot be used.
    """
    host, port = parse_listen(listen)

    def ready(url: str, _: Callable[[], None]) -> None:
        lines = [f"rendezvous listens on {url}", f"keeps its records in {database}"]
        lines += [f"raised: {sentence}" for sentence in config.raised()]
        lines += [f"believes X-Forwarded-For from {network}" for network in config.proxies]
        print("\n".join([*lines, "stop it with Ctrl-C"]), flush=True)

    gc.freeze()  # what is here now stays, and thousands of connections should not be searched for garbage all the time
    gc.set_threshold(*GC_THRESHOLD)
    serve(Options(host, port, database, config), ready)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and serve; the exit code is that of the error's class (goldnode/errors.py)."""
    parser = argparse.ArgumentParser(prog="goldnode.rendezvous", description=__doc__)
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT")
    parser.add_argument("--database", type=Path, required=True, help="file to keep records in; it may be deleted")
    parser.add_argument("--address-rate", type=float, default=limits.ADDRESS_RATE, help="requests/s from one address")
    parser.add_argument(
        "--room-rate", type=float, default=limits.ROOM_RATE, help="requests/s from one address to one room"
    )
    parser.add_argument("--new-rooms", type=float, default=limits.NEW_ROOMS_PER_HOUR, help="per hour and address")
    parser.add_argument("--address-connections", type=int, default=limits.ADDRESS_CONNECTIONS, help="at once")
    parser.add_argument("--trusted-proxy", action="append", default=[], metavar="CIDR", help="may be repeated")
    asked = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        proxies = parse_proxies(asked.trusted_proxy)
        rates = (asked.address_rate, asked.room_rate, asked.new_rooms)
        run(asked.listen, asked.database, Config(*rates, asked.address_connections, proxies))
    except GoldnodeError as error:
        print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
