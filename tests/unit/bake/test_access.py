"""The credentials by which Packer gets in: they fit each other, and nothing of them is meant for the disk."""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.bake.vm import access


def credential(folder: Path, name: str) -> str:
    """What systemd reads out of one credential file."""
    kind, _, encoded = (folder / name).read_text().partition("=")

    assert f"io.systemd.credential.binary:{name}" == kind
    return base64.b64decode(encoded, validate=True).decode()


def test_keys_fit(tmp_path: Path) -> None:
    """The private key that Packer gets belongs to the public key that the guest's SSH server lets in."""
    entry = access.grant(tmp_path)
    private = serialization.load_ssh_private_key(entry.private_key.read_bytes(), None)
    openssh = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    lines = credential(tmp_path, "tmpfiles.extra").splitlines()
    (authorized,) = [line.split()[-1] for line in lines if "authorized_keys" in line]

    assert entry.public_key.startswith(private.public_key().public_bytes(*openssh).decode())
    assert entry.public_key == base64.b64decode(authorized).decode()


def test_the_host_key_is_a_key(tmp_path: Path) -> None:
    """The guest's SSH server gets a host key of its own that is not the client's."""
    entry = access.grant(tmp_path)
    lines = credential(tmp_path, "tmpfiles.extra").splitlines()
    (host,) = [base64.b64decode(line.split()[-1]) for line in lines if "host_key" in line]

    assert isinstance(serialization.load_ssh_private_key(host, None), Ed25519PrivateKey)
    assert host != entry.private_key.read_bytes()


def test_nothing_touches_the_disk(tmp_path: Path) -> None:
    """Every file that the credentials make lies under /run, which is memory."""
    access.grant(tmp_path)
    made = [line.split()[1] for line in credential(tmp_path, "tmpfiles.extra").splitlines()]
    service = credential(tmp_path, "systemd.extra-unit.goldnode-bake-ssh.service")

    assert all(path.startswith("/run/") for path in made)
    assert {"/run/goldnode-bake/host_key", "/run/goldnode-bake/authorized_keys"} <= set(made)
    assert not re.search(r"(HostKey|AuthorizedKeysFile)=(?!/run/)", service)
    assert "PasswordAuthentication=no" in service


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    """Key and credential files are the baker's alone from the first moment on."""
    entry = access.grant(tmp_path)

    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in (entry.private_key, *entry.credentials)}


def test_every_bake_has_its_own_keys(tmp_path: Path) -> None:
    """No key serves two bakes."""
    first, second = access.grant(tmp_path / "a"), access.grant(tmp_path / "b")

    assert first.public_key != second.public_key
    assert credential(tmp_path / "a", "tmpfiles.extra") != credential(tmp_path / "b", "tmpfiles.extra")
