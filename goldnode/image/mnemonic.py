"""Finds BIP39 mnemonics in raw bytes: 12 or 24 words of the English list with a valid checksum.

Prose is full of runs of lower-case words.  Three facts tell a wallet from prose: every word is on
the list (which has no `the`, `and`, `of`), single spaces separate the words, and the last bits
are a checksum of the others.  Chance passes the last test once in 16 (12 words) or 256 (24).

A run of twelve words is at least 47 bytes of letters and spaces.  So of a piece of disk every
eighth byte is looked at: five in a row must be a letter or a space, and ``bytes.find`` does that.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

LENGTHS = (24, 12)
STRIDE = 8
#: Samples that any run of twelve words covers: (12 words of 3 letters + 11 spaces) // STRIDE.
SAMPLES = (12 * 3 + 11) // STRIDE
_RUN = re.compile(rb"(?<![A-Za-z])[a-z]{3,8}(?: [a-z]{3,8}){11,}(?![A-Za-z])")
_CLASS = bytes(ord("a") if chr(byte) in string.ascii_lowercase + " " else 0 for byte in range(256))
_LIST = Path(__file__).with_name("bip39-english.txt")


def find(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and words of every mnemonic in a piece of a disk."""
    for begin, end in _candidates(chunk):
        for run in _RUN.finditer(chunk, begin, end):
            yield from _in_run(run.start(), run[0].split(b" "))


def is_mnemonic(words: Sequence[bytes]) -> bool:
    """Whether every word is on the list and the checksum is valid (BIP39, "Generating the mnemonic")."""
    index = _index()
    if len(words) not in LENGTHS or not all(word in index for word in words):
        return False
    bits = "".join(f"{index[word]:011b}" for word in words)
    length = len(bits) * 32 // 33
    entropy = int(bits[:length], 2).to_bytes(length // 8, "big")
    checksum = f"{hashlib.sha256(entropy).digest()[0]:08b}"[: len(bits) - length]
    return bits[length:] == checksum


def _in_run(offset: int, words: list[bytes]) -> Iterator[tuple[int, bytes]]:
    index = _index()
    at = 0
    while at < len(words):
        fits = (length for length in LENGTHS if words[at] in index and is_mnemonic(words[at : at + length]))
        length = next(fits, 0)
        if length:
            yield offset + sum(len(word) + 1 for word in words[:at]), b" ".join(words[at : at + length])
        at += length or 1


def _candidates(chunk: bytes) -> Iterator[tuple[int, int]]:
    """Ranges that may hold a mnemonic, widened to letters and spaces on both sides."""
    samples = chunk[::STRIDE].translate(_CLASS)
    needle = b"a" * SAMPLES
    at = samples.find(needle)
    while at >= 0:
        end = at + SAMPLES
        while samples[end : end + 1] == b"a":
            end += 1
        yield max(0, (at - 1) * STRIDE), min(len(chunk), (end + 1) * STRIDE)
        at = samples.find(needle, end)


@cache
def _index() -> dict[bytes, int]:
    return {word: number for number, word in enumerate(_LIST.read_bytes().split())}
