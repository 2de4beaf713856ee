"""Finds secrets in raw bytes: scans the whole disk, including what lies between its files.

Works in two steps, because regular expressions over a gigabyte are slow in Python and
``bytes.find`` is not: a fixed word that every secret of a kind contains (an *anchor*) is looked
for first, and only around it the expression that tells a secret from a mention of one.
Mnemonics have no such word; see ``mnemonic``.  Holes of the sparse file hold nothing and are
skipped.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from goldnode.image import mnemonic
from goldnode.image.disk import Disk
from goldnode.image.ext4 import Ext4
from goldnode.image.tree import FileKind, Tree, fits
from goldnode.progress import SILENT, Progress

CHUNK = 16 << 20
#: Longest secret that is recognised across the edge of two chunks, in bytes.
OVERLAP = 8 << 10


class Secret(StrEnum):
    """The kinds of secrets; rules are named after the values."""

    PRIVATE_KEY = "private-key"
    VALIDATOR_KEY = "validator-key"
    MNEMONIC = "mnemonic"
    INVITE = "invite"
    CLOUD_TOKEN = "cloud-token"  # noqa: S105 - a name, not a token
    PASSWORD_HASH = "password-hash"  # noqa: S105
    WIREGUARD_KEY = "wireguard-key"
    BUILDER_KEY = "builder-key"


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret found on the disk.

    Attributes:
        kind: What it is.
        offset: Where it begins, in bytes from the start of the disk.
        preview: Its first characters, never enough to use it.
        path: The file that holds it; empty for free space, slack and the journal.
    """

    kind: Secret
    offset: int
    preview: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How to find one kind: every match of ``expression`` has an anchor at most ``before`` bytes after its start."""

    kind: Secret
    anchors: tuple[bytes, ...]
    expression: re.Pattern[bytes]
    before: int = 64


_NEWLINE = rb"(?:\r?\n|\\r\\n|\\n)"
PATTERNS = (
    Pattern(Secret.PRIVATE_KEY, (b"PRIVATE KEY",), re.compile(
        rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----" + _NEWLINE
        + rb"(?:[ \t]*[A-Za-z-]{1,30}: [^\n]{0,200}\n|[ \t]*" + _NEWLINE + rb"){0,8}[ \t]*[A-Za-z0-9+/=]{40}")),
    Pattern(Secret.VALIDATOR_KEY, (b"/PrivKey",), re.compile(
        rb'"type"\s*:\s*"[a-z]+/PrivKey\w+"\s*,\s*"value"\s*:\s*"[A-Za-z0-9+/]{40}'
        rb'|"value"\s*:\s*"[A-Za-z0-9+/]{40,100}=*"\s*,\s*"type"\s*:\s*"[a-z]+/PrivKey\w+"'), before=192),
    Pattern(Secret.INVITE, (b"gn1_",), re.compile(rb"gn1_[a-z2-7]{60}"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"AKIA", b"ASIA"), re.compile(
        rb"(?<![A-Za-z0-9+/])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9+/])"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"aws_secret_access_key",), re.compile(
        rb"aws_secret_access_key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"ghp_", b"ghs_"), re.compile(rb"gh[ps]_[A-Za-z0-9]{36}"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"github_pat_",), re.compile(rb"github_pat_[A-Za-z0-9_]{60}"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"glpat-",), re.compile(rb"glpat-[A-Za-z0-9_-]{20}"), before=0),
    Pattern(Secret.CLOUD_TOKEN, (b"dop_v1_",), re.compile(rb"dop_v1_[a-f0-9]{64}"), before=0),
    Pattern(Secret.PASSWORD_HASH, (b":$y$", b":$6$", b":$5$", b":$2b$"), re.compile(
        rb"[a-z_][a-z0-9_-]{0,31}:\$(?:y|6|5|2b)\$[./A-Za-z0-9$=]{30,200}:\d"), before=32),
    Pattern(Secret.WIREGUARD_KEY, (b"PrivateKey",), re.compile(
        rb"PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{42}[A-Za-z0-9+/=]{2}"), before=0),
)  # fmt: skip

#: Published examples and test keys that packages ship: path pattern, kind, reason.
ALLOWED: tuple[tuple[str, Secret, str], ...] = (
    ("/usr/lib/*/libgnutls.so.*", Secret.PRIVATE_KEY, "keys of GnuTLS's self-test, public in its source"),
)


def scan(
    disk: Disk,
    builder_keys: Sequence[str] = (),
    progress: Progress = SILENT,
    ranges: Iterable[tuple[int, int]] | None = None,
) -> list[Hit]:
    """Find every secret on the disk, in order of offset.

    Args:
        disk: The disk.
        builder_keys: Public keys that opened the machine during the bake, as ``ssh-ed25519 AAAA… comment``.
        progress: Told how many bytes are done.
        ranges: Look only there, when the rest is known to be clean; None for the whole disk.
    """
    patterns = [*PATTERNS, *(_builder(key) for key in builder_keys)]
    hits: dict[tuple[int, Secret], Hit] = {}
    with progress.step("scan the raw bytes") as step:
        for start, end in disk.data_ranges() if ranges is None else _widened(ranges, len(disk.data)):
            for at in range(start, end, CHUNK):
                chunk = bytes(disk.data[at : min(at + CHUNK + OVERLAP, end)])
                for kind, offset, match in find(chunk, patterns):
                    hits.setdefault((at + offset, kind), Hit(kind, at + offset, preview(match)))
                step.update(at + len(chunk), len(disk.data))
    return [hits[key] for key in sorted(hits)]


def _widened(ranges: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """The ranges with a margin, because a secret may begin before a range and end inside it."""
    for start, end in ranges:
        yield max(0, start - OVERLAP), min(size, end + OVERLAP)


def find(chunk: bytes, patterns: Sequence[Pattern] = PATTERNS) -> Iterator[tuple[Secret, int, bytes]]:
    """Secrets in one piece of a disk: kind, offset in the piece, the bytes that matched."""
    for pattern in patterns:
        for anchor in pattern.anchors:
            at = chunk.find(anchor)
            while at >= 0:
                begin = max(0, at - pattern.before)
                match = pattern.expression.search(chunk, begin, at + OVERLAP)
                if match and match.start() <= at < match.end():
                    yield pattern.kind, match.start(), match[0]
                at = chunk.find(anchor, at + len(anchor))
    for offset, words in mnemonic.find(chunk):
        yield Secret.MNEMONIC, offset, words


def located(hits: Sequence[Hit], filesystem: Ext4, root: Tree) -> tuple[Hit, ...]:
    """Name the file that holds each secret, and drop what ``ALLOWED`` permits."""
    if not hits:
        return ()
    spans = sorted(_spans(filesystem, root))
    starts = [start for start, _, _ in spans]
    named = []
    for hit in hits:
        index = bisect.bisect_right(starts, hit.offset) - 1
        path = spans[index][2] if index >= 0 and hit.offset < spans[index][1] else ""
        if not any(kind is hit.kind and fits(path, pattern) for pattern, kind, _ in ALLOWED):
            named.append(Hit(hit.kind, hit.offset, hit.preview, path))
    return tuple(named)


def preview(secret: bytes) -> str:
    """Enough of a secret to recognise it, too little to use it."""
    return secret[:12].decode("ascii", "replace") + "…"


def _builder(public_key: str) -> Pattern:
    blob = public_key.split()[1].encode()
    return Pattern(Secret.BUILDER_KEY, (blob,), re.compile(re.escape(blob)), before=0)


def _spans(filesystem: Ext4, root: Tree) -> Iterator[tuple[int, int, str]]:
    size = filesystem.block_size
    for file in root:
        if file.kind is FileKind.FILE and file.size:
            for extent in filesystem.extents(filesystem.inode(file.number)):
                start = filesystem.start + extent.physical * size
                yield start, start + extent.count * size, file.path
