"""One file out of an archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from goldnode.errors import ArtifactError
from goldnode.fetch import unpack as module
from goldnode.fetch.artifact import Artifact, Format
from goldnode.fetch.download import TooLargeError
from goldnode.fetch.unpack import unpack

CONTENT = b"\x7fELF" + b"".join(hashlib.sha256(bytes([index])).digest() for index in range(160))


def archive(folder: Path, form: Format, member: str = "bin/daemon") -> Path:
    """An archive of a format with one file in it, beside decoys."""
    path = folder / "archive"
    if form is Format.RAW:
        path.write_bytes(CONTENT)
    elif form is Format.GZ:
        path.write_bytes(gzip.compress(CONTENT))
    elif form is Format.ZIP:
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.writestr("README", "read me")
            bundle.writestr(member, CONTENT)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name, content in (("README", b"read me"), (member, CONTENT)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.RPC])
def test_every_format_gives_the_file(tmp_path: Path, form: Format) -> None:
    """Raw, gz, zip and tar.gz yield the same bytes with the mode asked for."""
    target = tmp_path / "out" / "daemon"

    unpack(archive(tmp_path, form), Artifact("https://h/a", format=form, member="bin/daemon"), target, 0o755)

    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_leading_dot_does_not_matter(tmp_path: Path) -> None:
    """``tar`` writes ./daemon as often as daemon."""
    target = tmp_path / "daemon"

    unpack(archive(tmp_path, Format.TAR_GZ, "./daemon"), Artifact("u", format=Format.TAR_GZ, member="daemon"), target)

    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("form", [Format.ZIP, Format.TAR_GZ])
def test_a_missing_member_is_named_with_what_is_there(tmp_path: Path, form: Format) -> None:
    """The message tells what the archive holds, so that `member` can be mended."""
    with pytest.raises(ArtifactError, match="does not contain other; it holds README, bin/daemon"):
        unpack(archive(tmp_path, form), Artifact("u", format=form, member="other"), tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", [Format.GZ, Format.ZIP, Format.TAR_GZ])
@pytest.mark.parametrize("damage", [b"no archive", None])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, form: Format, damage: bytes | None) -> None:
    """Something else, or a truncated archive, leaves nothing behind."""
    path = archive(tmp_path, form)
    path.write_bytes(damage or path.read_bytes()[:60])

    with pytest.raises(ArtifactError, match="not a readable"):
        unpack(path, Artifact("https://h/a", format=form, member="bin/daemon"), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_link_is_not_the_file(tmp_path: Path) -> None:
    """Only a regular file counts: a link could point anywhere."""
    path = tmp_path / "archive"
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("daemon")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/shadow"
        tar.addfile(entry)

    with pytest.raises(ArtifactError, match="does not contain daemon"):
        unpack(path, Artifact("u", format=Format.TAR_GZ, member="daemon"), tmp_path / "out")


@pytest.mark.parametrize("form", [Format.GZ, Format.ZIP, Format.TAR_GZ])
def test_a_bomb_does_not_fill_the_disk(tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking stops at the limit."""
    monkeypatch.setattr(module, "MAX_BYTES", 1000)

    with pytest.raises(TooLargeError, match="more than 1000 bytes"):
        unpack(archive(tmp_path, form), Artifact("u", format=form, member="bin/daemon"), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_the_genesis_is_taken_out_of_an_rpc_servers_answer(tmp_path: Path) -> None:
    """What stands under result.genesis, and nothing around it."""
    whole, target = tmp_path / "answer", tmp_path / "genesis.json"
    whole.write_text('{"jsonrpc": "2.0", "id": -1, "result": {"genesis": {"chain_id": "a-1", "initial_height": "1"}}}')

    unpack(whole, Artifact("https://h/genesis", format=Format.RPC), target)

    assert target.read_text() == '{"chain_id":"a-1","initial_height":"1"}'


@pytest.mark.parametrize(
    "content", ["{}", "[1]", "<html>", '{"result": 1}', '{"error": {"code": -32603}}', "[" * 100_000]
)
def test_another_answer_is_not_a_genesis(tmp_path: Path, content: str) -> None:
    """An error of the server, a page, too many brackets: refused by name, nothing is left."""
    whole, target = tmp_path / "answer", tmp_path / "genesis.json"
    whole.write_text(content)

    with pytest.raises(ArtifactError, match="not an RPC server's answer"):
        unpack(whole, Artifact("https://h/genesis", format=Format.RPC), target)

    assert not target.exists()
