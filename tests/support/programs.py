"""Bytes that look like programs."""

from __future__ import annotations

import struct


def elf(machine: int = 62, kind: int = 2, bits: int = 2) -> bytes:
    """The header of an ELF file: an executable for 64-bit amd64 unless said otherwise."""
    return b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + struct.pack("<HH", kind, machine) + bytes(44)
