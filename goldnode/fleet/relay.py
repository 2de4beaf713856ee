"""Lets a browser of this machine read a page inside a fleet's namespaces.

    python3 -I relay.py DESCRIPTOR ADDRESS PORT

A socket stays on the network that it was made on, whoever holds it: the descriptor listens on this machine's loopback,
and was handed to us, who are inside.  Standard library only, as ``namespace_init.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

#: Bytes at a time.
CHUNK = 65536


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what one side says, until it says no more."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def relay(listener: socket.socket, address: str, port: int) -> None:
    """Connect whoever comes to an address inside, for ever."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(address, port)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
            inner_writer.close()
        writer.close()

    server = await asyncio.start_server(connect, sock=listener)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
