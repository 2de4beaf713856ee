"""Extracts one file from a download: raw, .gz, .zip, .tar.gz, or an RPC server's answer.

Only the named member is read, under our own name, and never more than the limit: an archive
cannot write elsewhere, or fill the disk.  Standard library only: a node unpacks what was deferred.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, cast

from goldnode.errors import ArtifactError
from goldnode.fetch.artifact import Artifact, Format
from goldnode.fetch.download import MAX_BYTES, TooLargeError
from goldnode.files import CHUNK, replacing


def unpack(archive: Path, artifact: Artifact, destination: Path, mode: int = 0o644) -> None:
    """Put the file at ``destination``, whole or not at all.

    Raises:
        ArtifactError: The archive is damaged, or has no such file.
        TooLargeError: The file unpacks to more than ``MAX_BYTES``.
    """
    try:
        with _opened(archive, artifact) as source, replacing(destination, mode) as draft, draft.open("wb") as sink:
            _copy(source, sink, artifact)
    except (gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise ArtifactError(f"{artifact.url} is not a readable {artifact.format}: {error}") from error


def _copy(source: IO[bytes], sink: IO[bytes], artifact: Artifact) -> None:
    if artifact.format is Format.RAW:
        shutil.copyfileobj(source, sink, CHUNK)
        return
    done = 0
    while chunk := source.read(CHUNK):
        done += len(chunk)
        if done > MAX_BYTES:
            raise TooLargeError(f"{artifact.url} unpacks to more than {MAX_BYTES} bytes")
        sink.write(chunk)


def _opened(archive: Path, artifact: Artifact) -> AbstractContextManager[IO[bytes]]:
    match artifact.format:
        case Format.TAR_GZ:
            return _tar(archive, artifact)
        case Format.ZIP:
            return _zip(archive, artifact)
        case Format.GZ:
            return _gzip(archive)
        case Format.RPC:
            return _answer(archive, artifact)
        case Format.RAW:
            return archive.open("rb")


@contextmanager
def _answer(archive: Path, artifact: Artifact) -> Iterator[IO[bytes]]:
    """The genesis inside ``{"jsonrpc": …, "result": {"genesis": …}}``; no RPC server sends a large one so."""
    try:
        answer = json.loads(archive.read_bytes())
        genesis = answer["result"]["genesis"]
        content = json.dumps(genesis, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{artifact.url} is not an RPC server's answer with a genesis in it") from error
    yield io.BytesIO(content)


@contextmanager
def _gzip(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as wrapped, gzip.GzipFile(fileobj=wrapped) as stream:
        yield cast("IO[bytes]", stream)


@contextmanager
def _tar(archive: Path, artifact: Artifact) -> Iterator[IO[bytes]]:
    with tarfile.open(archive, "r:gz") as tar:
        for entry in tar:
            if entry.isfile() and entry.name.removeprefix("./") == artifact.member.removeprefix("./"):
                stream = tar.extractfile(entry)
                assert stream is not None  # noqa: S101 - true of every regular file
                yield stream
                return
        raise _absent(artifact, tar.getnames())


@contextmanager
def _zip(archive: Path, artifact: Artifact) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as bundle:
        if artifact.member not in bundle.namelist():
            raise _absent(artifact, bundle.namelist())
        with bundle.open(artifact.member) as stream:
            yield stream


def _absent(artifact: Artifact, names: list[str]) -> ArtifactError:
    return ArtifactError(
        f"{artifact.url} does not contain {artifact.member}; it holds {', '.join(names[:8]) or 'nothing'}",
        hint="./invoke network check, after correcting member in the network file",
    )
