"""Build information in Go programs."""

from __future__ import annotations

import pytest

from goldnode.publish import gobinary

TEXT = (
    "path\texample.org/daemon/cmd\nmod\texample.org/daemon\tv1.0.0\th1:m\n"
    "dep\texample.org/a\tv1.2.3\th1:a\ndep\texample.org/b\tv0.0.1\n=>\texample.org/c\tv2.0.0\th1:c\nbuild\tCGO_ENABLED=0\n"
)


def program(text: str, flags: int = 2, offset: int = 32) -> bytes:
    """A program with the build information at ``offset``."""

    def string(data: bytes) -> bytes:
        length, number = b"", len(data)
        while number >= 0x80:
            length += bytes([number & 0x7F | 0x80])
            number >>= 7
        return length + bytes([number]) + data

    header = b"\xff Go buildinf:" + bytes([8, flags]) + bytes(16)
    body = b"<" * 16 + text.encode() + b">" * 16
    return b"\x7fELF".ljust(offset, b"\0") + header + string(b"go1.25.5") + string(body)


def test_reads_modules() -> None:
    """Toolchain, main module and dependencies come out, a replaced module as its replacement."""
    build = gobinary.read(program(TEXT))

    assert build == gobinary.GoBuild(
        "go1.25.5",
        gobinary.Module("example.org/daemon", "v1.0.0", "h1:m"),
        (gobinary.Module("example.org/a", "v1.2.3", "h1:a"), gobinary.Module("example.org/c", "v2.0.0", "h1:c")),
    )


@pytest.mark.parametrize("data", [b"", b"\x7fELF", program(TEXT, flags=0), program(TEXT, offset=33)])
def test_other_programs_have_none(data: bytes) -> None:
    """What is not Go's, older than 1.18, or merely contains the magic, has no build information."""
    assert gobinary.read(data) is None
