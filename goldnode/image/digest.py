"""The file-tree digest: one hash over everything that a machine started from this image will find.

Two images with the same digest hold the same files; disk layout, timestamps and inode numbers do
not count.  The canonical text behind it has one line per file, so that ``diff`` of two such texts
is the difference between two images.  docs/image-hygiene.md tells how to recompute it by hand.
"""

from __future__ import annotations

import hashlib
import string
import urllib.parse
from collections.abc import Iterator

from goldnode.image.tree import File, FileKind, Tree

#: First line of the canonical text: its format and version.
HEADER = "goldnode file tree 1"
#: Characters that are not encoded.
PLAIN = (string.ascii_letters + string.digits + string.punctuation).replace("%", "")


def canonical(root: Tree, esp: Tree | None) -> str:
    """The text whose SHA-256 is the digest: header, then root's lines, then the ESP's, each sorted by path."""
    lines = [HEADER, *_lines(root, "")]
    if esp is not None:
        lines += _lines(esp, "esp:")
    return "\n".join(lines) + "\n"


def tree_digest(root: Tree, esp: Tree | None) -> str:
    """Lower-case hex SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(root, esp).encode()).hexdigest()


def _lines(tree: Tree, prefix: str) -> Iterator[str]:
    order = sorted(tree, key=lambda file: file.path.encode("utf-8", "surrogateescape"))
    for file in order:
        fields = [quote(prefix + file.path), file.kind.value, f"{file.mode:04o}", f"{file.uid}:{file.gid}"]
        yield " ".join([*fields, _what(tree, file), *_xattrs(file)])


def _what(tree: Tree, file: File) -> str:
    if file.kind is FileKind.FILE:
        return f"{file.size} sha256:{tree.digest(file)}"
    return quote(file.target) or file.device or "-"


def _xattrs(file: File) -> Iterator[str]:
    return (f"{quote(name)}={value.hex()}" for name, value in sorted(file.xattrs.items()))


def quote(text: str) -> str:
    """Percent-encode whatever would break a line's fields: bytes outside ``!`` to ``~``, and ``%``."""
    return urllib.parse.quote(text.encode("utf-8", "surrogateescape"), safe=PLAIN)
