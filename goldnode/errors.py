"""Every error goldnode raises on purpose, and the exit code its class maps to.

    GoldnodeError            1   anything below; never raised itself
    ├── UsageError           2   the command line is wrong
    ├── InputError           3   a file people write is wrong (network, node.yaml, invite, roster)
    ├── HostError            4   this machine lacks a tool, a permission, or disk space
    ├── ArtifactError        5   something from outside is unreachable, unpinned, or not what its pin says
    ├── BakeError            6   Packer, QEMU or a daemon failed while an image was made
    ├── ImageError           7   an image or a release is not what it claims to be
    ├── SafetyError          8   refused, because a key could be lost or sign twice
    ├── ExchangeError        9   the rendezvous, or a record from it, was refused
    └── PublishError        10   a cloud or a store refused, or holds something other than what was sent

A user sees one sentence (what, where, why) and one hint, a command to type next; ``--debug``
shows the traceback.  Standard library only: the node imports this at boot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GoldnodeError(Exception):
    """Base of the tree.

    Args:
        message: One sentence: what went wrong, where (file, line, path), and why.
        hint: What to do next, a command wherever there is one; empty when nothing helps.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GoldnodeError):
    """The command line is wrong."""

    exit_code = 2


class InputError(GoldnodeError):
    """A file that people write is wrong; carries every fault found, not only the first."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__("\n".join([message, *(f"  {fault}" for fault in faults)]), hint=hint)
        self.faults = tuple(faults)


class HostError(GoldnodeError):
    """This machine lacks a tool, a permission, or disk space."""

    exit_code = 4


class ArtifactError(GoldnodeError):
    """Something from outside is unreachable, unpinned, or not what its pin says."""

    exit_code = 5


class BakeError(GoldnodeError):
    """Packer, QEMU or a daemon failed while an image was made."""

    exit_code = 6


class ImageError(GoldnodeError):
    """An image or a release is not what it claims to be."""

    exit_code = 7


class SafetyError(GoldnodeError):
    """Refused, because a key could be lost or could sign twice."""

    exit_code = 8


class ExchangeError(GoldnodeError):
    """The rendezvous, or a record from it, was refused.

    Args:
        code: The protocol's stable error code (docs/rendezvous-protocol.md).
    """

    exit_code = 9

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class PublishError(GoldnodeError):
    """A cloud or a store refused, or holds something other than what was sent."""

    exit_code = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file that people write.

    Attributes:
        file: The file's name as the user gave it.
        line: 1-based line, or 0 where none is known.
        path: Where in the document, as ``daemon.release.amd64.sha256``; empty for the whole.
        value: What is there, shortened; empty when it is missing.
        reason: Why it is wrong, a clause without a full stop.
        fix: What to write instead, or the command to type.
    """

    file: str
    line: int
    path: str
    value: str
    reason: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        value = f" ({self.value})" if self.value else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{where}: {self.path or 'file'}{value}: {self.reason}{fix}"
