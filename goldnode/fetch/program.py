"""What a file that should be a Linux program really is, judged by its first bytes.

A web page, a Debian package or a Mac's program has a hash like everything else, and would be pinned as
readily; so it is looked at before that.  Standard library only: a node fetches deferred programs.
"""

from __future__ import annotations

import struct
from pathlib import Path

from goldnode.errors import ArtifactError

#: e_machine of an ELF header (System V ABI), per architecture.
MACHINES = {"amd64": 62, "arm64": 183}
NAMES = {3: "386", 8: "MIPS", 40: "32-bit ARM", 62: "amd64", 183: "arm64", 243: "RISC-V"}
#: e_type of an executable, and of one that can be loaded anywhere.
EXECUTABLE = (2, 3)
MAGICS = (
    (b"!<arch>\n", "a Debian package or an ar archive"), (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"\x1f\x8b", "a gzip archive"), (b"PK\x03\x04", "a zip archive"), (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"), (b"\x28\xb5\x2f\xfd", "a zstd archive"), (b"MZ", "a Windows program"),
    (b"#!", "a script"), (b"\xcf\xfa\xed\xfe", "a macOS program"), (b"\xca\xfe\xba\xbe", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"), (b"{", "JSON"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
)  # fmt: skip


def check_program(path: Path, arch: str, what: str) -> None:
    """Refuse a file that Linux on ``arch`` cannot execute.

    Args:
        path: The unpacked file.
        arch: amd64 or arm64.
        what: Its name in messages: its URL.

    Raises:
        ArtifactError: It is something else; the message says what.
    """
    found = kind(path)
    if found != f"a Linux program for {arch}":
        raise ArtifactError(
            f"{what} is {found}, not a Linux program for {arch}", hint="name the program itself, or format and member"
        )


def kind(path: Path) -> str:
    """What a file is, in a few words."""
    with path.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(b"\x7fELF"):
        return _elf(head)
    if head.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page"
    return next((name for magic, name in MAGICS if head.startswith(magic)), "empty" if not head else "of no known kind")


def _elf(head: bytes) -> str:
    if len(head) < 20:  # noqa: PLR2004 - the header up to e_machine
        return "a broken ELF file"
    order = "<" if head[5] == 1 else ">"
    bits = {1: 32, 2: 64}.get(head[4], 0)
    kind_of, machine = struct.unpack_from(f"{order}HH", head, 16)
    name = NAMES.get(machine, f"machine {machine}")
    if kind_of not in EXECUTABLE:
        return f"an ELF object for {name} that is not executable"
    if bits != 64 or order != "<" or machine not in MACHINES.values():  # noqa: PLR2004 - amd64 and arm64 are
        return f"a {bits}-bit ELF program for {name}"
    return f"a Linux program for {name}"
