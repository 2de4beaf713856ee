"""A name server that fails its clients in every way: how it does stands in a file, read anew for each question.

python -m tests.integration.node.nameserver ADDRESS FILE
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from enum import StrEnum
from pathlib import Path

PORT = 53
#: Flags of an answer, and its codes.
ANSWER, SERVER_FAILURE, NO_NAME = 0x8180, 2, 3
HEADER = 12


class Misdeed(StrEnum):
    """What it does; anything else in the file is an address, which every name has then."""

    SILENT = "silent"
    FAILS = "fails"
    DENIES = "denies"
    GARBAGE = "garbage"


def answer(question: bytes, way: str) -> bytes:
    """What it says; nothing when it is silent."""
    match way:
        case Misdeed.SILENT:
            return b""
        case Misdeed.GARBAGE:
            return question[:2] + os.urandom(60)
        case Misdeed.FAILS | Misdeed.DENIES:
            return _header(question, SERVER_FAILURE if way == Misdeed.FAILS else NO_NAME, 0) + question[HEADER:]
    address = ipaddress.ip_address(way).packed
    kind = question[question.index(b"\0", HEADER) + 1 :][:2]
    if kind != b"\0\1":
        return _header(question, 0, 0) + question[HEADER:]
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1" + len(address).to_bytes(2, "big") + address
    return _header(question, 0, 1) + _name(question) + record


def _header(question: bytes, code: int, answers: int) -> bytes:
    numbers = (ANSWER | code, 1, answers, 0, int.from_bytes(question[10:12], "big") if answers == 0 else 0)
    return question[:2] + b"".join(number.to_bytes(2, "big") for number in numbers)


def _name(question: bytes) -> bytes:
    """The question itself: name, type and class, without what may follow."""
    return question[HEADER : question.index(b"\0", HEADER) + 5]


def main(address: str, file: str) -> None:
    """Serve until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind((address, PORT))
        while True:
            question, who = served.recvfrom(1500)
            said = answer(question, Path(file).read_text().strip())
            if said:
                served.sendto(said, who)


if __name__ == "__main__":
    main(*sys.argv[1:])
