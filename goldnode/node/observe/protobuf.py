"""The little of protobuf's wire format that is asked of a chain: numbers and bytes, each behind a field number.

Chains have their own generated readers, in Go; a node asks for a handful of fields that have not moved in years.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Kinds of fields in front of a value, by the low bits of the tag.
_NUMBER, _BYTES = 0, 2


def fields(data: bytes) -> dict[int, int | bytes]:
    """The fields of a message that has numbers and bytes only; of a repeated one the last.

    Raises:
        ValueError: It is no such message.
    """
    return dict(_fields(data))


def number(data: bytes, field: int) -> int:
    """A signed number of a message; 0 where it is absent, as protobuf has it.

    Raises:
        ValueError: It is no such message, or the field is none.
    """
    match fields(data).get(field, 0):
        case int(value):
            return value - (1 << 64) if value >> 63 else value
        case _:
            raise ValueError(f"field {field} is no number")


def part(data: bytes, field: int) -> bytes:
    """The bytes, text or message in a field; empty where it is absent.

    Raises:
        ValueError: It is no such message, or the field is none.
    """
    match fields(data).get(field, b""):
        case bytes(value):
            return value
        case _:
            raise ValueError(f"field {field} is no part")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == _NUMBER:
            yield tag >> 3, value
        elif tag & 7 == _BYTES:
            if at + value > len(data):
                raise ValueError("it ends in the middle")
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            raise ValueError(f"field {tag >> 3} is neither number nor bytes")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("it ends in the middle")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ValueError("a number is too long")
