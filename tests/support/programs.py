"""Bytes that look like programs."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from tests.support.release_host import ReleaseHost


def elf(machine: int = 62, kind: int = 2, bits: int = 2) -> bytes:
    """The header of an ELF file: an executable for 64-bit amd64 unless said otherwise."""
    return b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + struct.pack("<HH", kind, machine) + bytes(44)


def script(answer: str) -> bytes:
    """A program that answers a version; this machine can start it, so it is started."""
    return f"#!/bin/sh\necho {answer}\n".encode()


def step(
    host: ReleaseHost, plan: str, height: int, version_: str, content: bytes, *, pin: bool = True
) -> dict[str, Any]:
    """A step of the ladder whose binary is published."""
    host.add(f"/{plan}", content)
    entry = {"url": host.url(f"/{plan}")} | ({"sha256": hashlib.sha256(content).hexdigest()} if pin else {})
    return {"name": plan, "height": height, "version": version_, "release": {"amd64": entry}}
