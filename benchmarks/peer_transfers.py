"""croc and magic-wormhole, each moving one short text one way through a relay of its own.

croc's relay listens on every address whatever it is told, so all of it happens inside a network
namespace that knows nothing but its own loopback:

    unshare --map-root-user --net python -m benchmarks.peer_transfers CROC WORMHOLE RUNS

CROC is the program, WORMHOLE the bin folder of its environment.  Prints one JSON object: the
seconds of every transfer, by tool.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldnode.run import CommandError, run, spawn

CROC_PORT, CROC_RELAY = 9009, "127.0.0.1:9009"
WORMHOLE_PORT = 4000
WORMHOLE_RELAY = ("--relay-url", f"ws://127.0.0.1:{WORMHOLE_PORT}/v1")
CROC_SECRET = "1234-apple-bear-cat"  # noqa: S105 - lives as long as the namespace
WORMHOLE_CODE = "7-apple-bear"
#: What a node would have to say: its ID and an address.
TEXT = "4a71e1c5d9d1f0b2a3948576c6d7e8f901234567@203.0.113.10:26656"
TIMEOUT = 60.0


def croc(program: Path, home: Path, runs: int) -> list[float]:
    """Seconds of each transfer, from the sender's start to the end of both."""
    env = {"CROC_SECRET": CROC_SECRET, "HOME": str(home)}
    relay = [str(program), "relay", "--host", "127.0.0.1", "--ports", f"{CROC_PORT},{CROC_PORT + 1}"]
    send = [str(program), "--relay", CROC_RELAY, "send", "--no-local", "--text", TEXT]
    receive = [str(program), "--relay", CROC_RELAY, "--yes"]
    with spawn(relay, env=env):
        _await_port(CROC_PORT)
        return [_transfer(send, receive, env, ready=b"CROC_SECRET=") for _ in range(runs)]


def wormhole(folder: Path, home: Path, runs: int) -> list[float]:
    """Seconds of each transfer, from the start of both to the end of both."""
    env = {"HOME": str(home)}
    mailbox = [str(folder / "twist"), "wormhole-mailbox", "--port", f"tcp:{WORMHOLE_PORT}:interface=127.0.0.1"]
    send = [str(folder / "wormhole"), *WORMHOLE_RELAY, "send", "--code", WORMHOLE_CODE, "--text", TEXT]
    receive = [str(folder / "wormhole"), *WORMHOLE_RELAY, "receive", WORMHOLE_CODE]
    with spawn(mailbox, cwd=home, env=env):
        _await_port(WORMHOLE_PORT)
        return [_transfer(send, receive, env) for _ in range(runs)]


def _transfer(send: Sequence[str], receive: Sequence[str], env: Mapping[str, str], ready: bytes = b"") -> float:
    """One transfer; a receiver that cannot wait for its sender starts once the sender printed ``ready``."""
    begin = time.perf_counter()
    with spawn(send, env=env, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None  # noqa: S101 - asked for a pipe
        with sender.stdout:
            while ready and ready not in (line := sender.stdout.readline()):
                if not line:
                    raise CommandError(send, sender.wait(), "", "the sender gave up")
            received = run(receive, env=env, timeout=TIMEOUT).stdout
            sender.stdout.read()
        sender.wait(TIMEOUT)
    if TEXT not in received:
        raise CommandError(receive, 0, received, "the text did not arrive")
    return time.perf_counter() - begin


def _await_port(port: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)


def main(croc_program: str, wormhole_folder: str, runs: str) -> None:
    """Measure both and print the seconds."""
    run(["ip", "link", "set", "lo", "up"])
    with tempfile.TemporaryDirectory() as home:
        seconds = {
            "croc": croc(Path(croc_program), Path(home), int(runs)),
            "magic-wormhole": wormhole(Path(wormhole_folder), Path(home), int(runs)),
        }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
