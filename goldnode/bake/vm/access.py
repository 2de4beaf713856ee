"""How Packer logs in to a machine without key, password or cloud-init: by credentials in memory.

The firmware tables hand systemd a handful of units and files (``systemd.system-credentials(7)``).
They bring up the network card and an SSH server of the bake's own; its host key and the one
authorized key lie under /run.  Nothing of it ever touches the disk, so there is nothing to forget.
The target leaves out everything a bake has no use for, which also makes the boot shorter.
"""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode import files

#: QEMU's user network gives the guest this address; DHCP would only cost time.
ADDRESS, GATEWAY = "10.0.2.15/24", "10.0.2.2"
#: Printed on the console as soon as the server listens: probing the port to find out would cost the guest
#: an SSH process each time, and its server answers such callers with a penalty (measured: a minute lost).
READY = "goldnode-bake-ready"
PRIVATE_KEY = "bake_key"
#: The files of the credentials, named as systemd names them.
CREDENTIALS = (
    "tmpfiles.extra",
    "systemd.extra-unit.goldnode-bake.target",
    "systemd.extra-unit.goldnode-bake-ssh.service",
)

TARGET = """[Unit]
Description=Bake
Requires=local-fs.target goldnode-bake-ssh.service
After=local-fs.target goldnode-bake-ssh.service
AllowIsolate=yes
"""
SERVICE = f"""[Unit]
Description=SSH for the bake
DefaultDependencies=no
Requires=systemd-tmpfiles-setup.service systemd-udev-trigger.service
Wants=sys-subsystem-net-devices-eth0.device
After=systemd-tmpfiles-setup.service systemd-udev-trigger.service local-fs.target sys-subsystem-net-devices-eth0.device
[Service]
Type=notify
ExecStartPre=ip link set lo up
ExecStartPre=ip link set eth0 up
ExecStartPre=ip address add {ADDRESS} dev eth0
ExecStartPre=ip route add default via {GATEWAY}
ExecStart=/usr/sbin/sshd -D -e -f /dev/null -o HostKey=/run/goldnode-bake/host_key -o UsePAM=no -o StrictModes=no \\
  -o AuthorizedKeysFile=/run/goldnode-bake/authorized_keys -o PasswordAuthentication=no \\
  -o PermitRootLogin=prohibit-password -o UseDNS=no -o Subsystem='sftp internal-sftp'
ExecStartPost=sh -c 'echo {READY} >/dev/console'
"""


@dataclass(frozen=True, slots=True)
class Access:
    """What one bake needs to get in.

    Attributes:
        private_key: File with the client's key, OpenSSH format, mode 0600.
        public_key: Its public half, in the format of authorized_keys.
        credentials: Files for QEMU's ``-smbios type=11,path=``.
    """

    private_key: Path
    public_key: str
    credentials: tuple[Path, ...]


def grant(folder: Path) -> Access:
    """Make the keys and credential files of one bake in ``folder``, which is deleted with the bake."""
    client, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    private_key = folder / PRIVATE_KEY
    files.write_atomic(private_key, _private(client), 0o600)
    public = _public(client)
    tmpfiles = (
        "d /run/sshd 0755\nd /run/goldnode-bake 0700\n"
        f"f~ /run/goldnode-bake/host_key 0600 - - - {_base64(_private(host))}\n"
        f"f~ /run/goldnode-bake/authorized_keys 0600 - - - {_base64(public.encode())}\n"
    )
    for name, text in zip(CREDENTIALS, (tmpfiles, TARGET, SERVICE), strict=True):
        files.write_atomic(folder / name, f"io.systemd.credential.binary:{name}={_base64(text.encode())}", 0o600)
    return Access(private_key, public, tuple(folder / name for name in CREDENTIALS))


def copy(entry: Access, folder: Path) -> None:
    """Copy an entry's files into another folder, for a machine that outlives its bake."""
    for file in (entry.private_key, *entry.credentials):
        shutil.copy(file, folder)


def granted(folder: Path) -> Access:
    """The entry whose files lie in ``folder``.

    Raises:
        OSError: They do not.
        ValueError: There is no key in its file.
    """
    private_key = folder / PRIVATE_KEY
    key = serialization.load_ssh_private_key(private_key.read_bytes(), password=None)
    return Access(private_key, _public(key), tuple(folder / name for name in CREDENTIALS))


def _private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _public(key: serialization.SSHPrivateKeyTypes) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{public.decode()} goldnode-bake"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
