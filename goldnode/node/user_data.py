"""Reads user-data that cloud-init could not read: only what it says about /etc/goldnode.

Editors put a byte-order mark in front, PowerShell writes UTF-16, some consoles and scripts encode
their input again as base64, cloud-init replaces a list (``write_files``) where two parts have one,
and vendor data may disable the module that writes files.  In each case the person's text is on this
machine, complete, and cloud-init only logs a line.  The files below /etc/goldnode that it names and
cloud-init did not write are written here; nothing that exists is replaced.
"""

from __future__ import annotations

import base64
import binascii
import email
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from goldnode.files import write_atomic
from goldnode.node.layout import Layout

#: The provider's user-data, as cloud-init keeps it until it is scrubbed.
RAW = "/var/lib/cloud/instance/user-data.txt"
STATUS = "/run/cloud-init/status.json"
OURS = PurePosixPath("/etc/goldnode")
#: The largest document that is unpacked: a genesis of a private chain has a few MiB.
LARGEST = 64 << 20
#: How many layers of encoding text may have: base64 of gzip of UTF-16 has three.
WRAPPINGS = 4
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def recover(layout: Layout) -> list[str]:
    """Write the files that user-data names below /etc/goldnode and that are missing; returns lines for people."""
    try:
        raw = layout.at(RAW).read_bytes()
    except OSError:
        return []
    written = []
    for document in documents(raw):
        entries = document.get("write_files")
        for entry in entries if isinstance(entries, list) else ():
            path = PurePosixPath(str(entry.get("path"))) if isinstance(entry, Mapping) else OURS
            target = layout.at(str(path))
            if OURS not in path.parents or ".." in path.parts or target.exists():
                continue
            content = _content(entry)
            if content is not None:
                write_atomic(target, content, 0o600)
                written.append(str(path))
    if not written:
        return []
    names = " and ".join(written)
    return [f"cloud-init did not write {names}; read from user-data all the same", *warnings(layout)]


def warnings(layout: Layout) -> list[str]:
    """cloud-init's own warnings on this boot, in its words."""
    try:
        status = json.loads(layout.at(STATUS).read_bytes())["v1"]
        stages = [stage for stage in status.values() if isinstance(stage, Mapping)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    said = [line for stage in stages for line in stage.get("errors") or ()]
    said += [
        line
        for stage in stages
        for level, lines in (stage.get("recoverable_errors") or {}).items()
        if level in ("WARNING", "ERROR", "CRITICAL")
        for line in lines
    ]
    return [f"cloud-init says: {str(line)[:300]}" for line in dict.fromkeys(said)]


def documents(raw: bytes) -> Iterator[Mapping[str, Any]]:
    """The cloud-config documents in user-data, whatever its encoding."""
    text = _unwrapped(raw)
    if text is None:
        return
    if text.startswith("#cloud-config"):
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError):
            return
        if isinstance(document, dict):
            yield document
    elif "multipart/" in text[:4096]:
        message = email.message_from_string(text)
        for part in message.walk() if message.is_multipart() else ():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and not part.is_multipart():
                body = payload.lstrip()
                marked = part.get_content_type() == "text/cloud-config" and not body.startswith(b"#cloud-config")
                yield from documents(b"#cloud-config\n" + body if marked else body)


def _unwrapped(raw: bytes) -> str | None:
    """The text below byte-order marks, gzip and base64; None if there is none."""
    for _ in range(WRAPPINGS):
        encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
        if not encoding and raw[1:2] == b"\0":
            encoding = "utf-16-le"
        if raw.startswith(b"\x1f\x8b"):
            raw = _inflated(raw)
            continue
        try:
            text = raw.decode(encoding or "utf-8").lstrip("\ufeff").lstrip()
        except UnicodeDecodeError:
            return None
        if text.startswith("#") or "multipart/" in text[:4096]:
            return text
        try:
            raw = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
    return None


def _content(entry: Mapping[str, Any]) -> bytes | None:
    """The content in an entry of ``write_files``, decoded as cloud-init does; None if it cannot be decoded."""
    content, steps = entry.get("content"), str(entry.get("encoding", "")).lower()
    if not isinstance(content, str | bytes):
        return None
    data = content.encode() if isinstance(content, str) else content
    try:
        if "b64" in steps or "base64" in steps:
            data = base64.b64decode(data)
        return _inflated(data) if steps.startswith("gz") else data
    except (binascii.Error, ValueError):
        return None


def _inflated(data: bytes) -> bytes:
    """Unpack gzip, up to ``LARGEST``; empty if it is damaged."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, LARGEST)
    except zlib.error:
        return b""
