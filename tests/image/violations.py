"""One planted violation for every hygiene rule: what a careless bake leaves behind.

A rule without a plant is a rule that nobody has seen fail; ``tests/repo/test_hygiene_plants.py``
holds that there is none.  Secrets are made up here at import, so that no secret stands in the
repository.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.image import mnemonic
from tests.image.seeding import Bed

Plant = Callable[[Bed], object]
SHADOW_HASH = "$y$j9T$" + "a" * 22 + "$" + "b" * 43
WANTS = "/etc/systemd/system/multi-user.target.wants"
_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"planted").digest())
#: The public key of a builder that "made" the spoiled disk; pass it to the check.
BUILDER_KEY = _KEY.public_key().public_bytes(
    serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
).decode() + " builder"  # fmt: skip


def openssh_key() -> bytes:
    """A private key as ssh-keygen writes it."""
    return _KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def validator_key() -> bytes:
    """A priv_validator_key.json as CometBFT writes it."""
    value = base64.b64encode(bytes(range(64))).decode()
    return f'{{"priv_key": {{\n  "type": "tendermint/PrivKeyEd25519",\n  "value": "{value}"\n}}}}'.encode()


def phrase(entropy: bytes) -> bytes:
    """The BIP39 mnemonic of 16 or 32 bytes."""
    words = {number: word for word, number in mnemonic._index().items()}
    bits = "".join(f"{byte:08b}" for byte in entropy)
    bits += f"{hashlib.sha256(entropy).digest()[0]:08b}"[: len(entropy) // 4]
    return b" ".join(words[int(bits[at : at + 11], 2)] for at in range(0, len(bits), 11))


JOURNALD = (
    "/etc/systemd/journald.conf.d/10-goldnode.conf", "/usr/lib/systemd/journald.conf.d/10-goldnode.conf",
    "/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d/50-goldnode.conf",
    "/usr/lib/systemd/journald.conf.d/50-goldnode.conf",
)  # fmt: skip


def _unbound_journal(bed: Bed) -> None:
    for path in JOURNALD:
        bed.remove(path)


def _orphan(bed: Bed) -> None:
    bed.write("/opt/theirs")
    bed.debugfs("sif /opt/theirs uid 4242")


VIOLATIONS: dict[str, Plant] = {
    # identity
    "ssh-host-keys": lambda bed: bed.write("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA host\n"),
    "machine-id": lambda bed: bed.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    "hostname": lambda bed: bed.write("/etc/hostname", "packer\n"),
    "hosts": lambda bed: bed.append("/etc/hosts", "10.0.2.2 builder"),
    "resolv-conf": lambda bed: bed.write("/etc/resolv.conf", "nameserver 10.0.2.3\n"),
    "random-seed": lambda bed: bed.write("/var/lib/systemd/random-seed", bytes(range(200)), 0o600),
    "esp-random-seed": lambda bed: bed.write_esp("/loader/random-seed", bytes(32)),
    "credential-secret": lambda bed: bed.write("/var/lib/systemd/credential.secret", bytes(64), 0o400),
    "cloud-init-state": lambda bed: bed.write("/var/lib/cloud/data/instance-id", "i-builder\n"),
    "cloud-init-config": lambda bed: bed.write("/etc/cloud/cloud-init.disabled", ""),
    "cloud-init-network": lambda bed: bed.write("/etc/systemd/network/10-cloud-init-eth0.network", "[Match]\n"),
    "udev-net-rules": lambda bed: bed.write("/etc/udev/rules.d/70-persistent-net.rules", "# eth0\n"),
    "dhcp-leases": lambda bed: bed.write("/var/lib/dhcp/dhclient.eth0.leases", "lease {}\n"),
    "chrony-drift": lambda bed: bed.write("/var/lib/chrony/chrony.drift", "1.0 0.1\n"),
    "node-state": lambda bed: bed.write("/var/lib/goldnode/keys/node.json", "{}\n", 0o600),
    # access
    "authorized-keys": lambda bed: bed.write("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA somebody\n", 0o600),
    "ssh-client-files": lambda bed: bed.write("/root/.ssh/known_hosts", "host ssh-ed25519 AAAA\n"),
    "home-folders": lambda bed: bed.write("/home/packer/.profile"),
    "password-hashes": lambda bed: bed.append("/etc/gshadow", f"operators:{'x' * 13}::"),
    "root-locked": lambda bed: bed.edit("/etc/shadow", r"^root:[^:]*:", "root::"),
    "users": lambda bed: bed.append("/etc/passwd", "packer:x:1000:65534::/nonexistent:/usr/sbin/nologin"),
    "groups": lambda bed: bed.edit("/etc/group", r"^sudo:(.*)$", r"sudo:\1sshd"),
    "login-shells": lambda bed: bed.edit("/etc/passwd", r"^(sshd:.*):[^:]*$", r"\1:/bin/bash"),
    "sudoers": lambda bed: bed.write("/etc/sudoers.d/90-cloud-init-users", "debian ALL=(ALL) NOPASSWD:ALL\n", 0o440),
    "ssh-passwords": lambda bed: bed.write("/etc/ssh/sshd_config.d/00-cloud.conf", "PasswordAuthentication yes\n"),
    # permissions
    "privileged-files": lambda bed: bed.write("/usr/local/bin/rootshell", "#!/bin/sh\n", 0o4755),
    "world-writable": lambda bed: bed.write("/usr/local/bin/open", "#!/bin/sh\n", 0o777),
    "unowned-files": _orphan,
    "device-nodes": lambda bed: bed.debugfs("cd /opt", "mkdir /opt", "cd /opt", "mknod disk b 8 0"),
    # leftovers
    "logs": lambda bed: bed.write("/var/log/apt/history.log", "Start-Date: 2026-11-20\n"),
    "journal": lambda bed: bed.write("/var/log/journal/0123456789abcdef0123456789abcdef/system.journal", "LPKSHHRH"),
    "journal-bounded": _unbound_journal,
    "temporary-files": lambda bed: bed.write("/tmp/provision.sh", "#!/bin/sh\n"),  # noqa: S108 - on the disk
    "histories": lambda bed: bed.write("/root/.bash_history", "ls\n", 0o600),
    "root-home": lambda bed: bed.write("/root/payload.tar", "archive\n"),
    "user-caches": lambda bed: bed.write("/root/.cache/pip/http/a", "wheel\n"),
    "core-dumps": lambda bed: bed.write("/var/lib/systemd/coredump/core.osmosisd.0", "ELF\n"),
    "swap": lambda bed: bed.append("/etc/fstab", "/swapfile none swap sw 0 0"),
    "editor-backups": lambda bed: bed.write("/etc/fstab~", "old\n"),
    "lost-and-found": lambda bed: bed.write("/lost+found/#42", "found\n"),
    # packages
    "package-state": lambda bed: bed.append(
        "/var/lib/dpkg/status", "\nPackage: half\nStatus: install ok half-configured\nArchitecture: all\nVersion: 1\n"
    ),
    "packaged-files": lambda bed: bed.append("/var/lib/dpkg/info/base-files.md5sums", f"{'0' * 32}  usr/bin/gone"),
    "build-tools": lambda bed: bed.append(
        "/var/lib/dpkg/status", "\nPackage: gcc\nStatus: install ok installed\nArchitecture: amd64\nVersion: 14\n"
    ),
    "dpkg-leftovers": lambda bed: bed.write("/etc/sudo.conf.dpkg-dist", "new\n"),
    "apt-lists": lambda bed: bed.write("/var/lib/apt/lists/mirror_dists_trixie_InRelease", "Origin: Debian\n"),
    "apt-caches": lambda bed: bed.write("/var/cache/apt/archives/tool_1_amd64.deb", "!<arch>\n"),
    "policy-rc-d": lambda bed: bed.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755),
    "force-unsafe-io": lambda bed: bed.write("/etc/dpkg/dpkg.cfg.d/bake", "force-unsafe-io\n"),
    "proxies": lambda bed: bed.write("/etc/apt/apt.conf.d/99proxy", 'Acquire::http::Proxy "http://10.0.2.2:3142";\n'),
    "apt-sources": lambda bed: bed.write(
        "/etc/apt/sources.list.d/extra.list", "deb http://packages.example.org x main\n"
    ),
    # boot
    "one-kernel": lambda bed: bed.write("/boot/initrd.img-6.1.0-old", "initrd\n"),
    "boot-bios": lambda bed: bed.write_raw(bytes(440), 0),
    "boot-uefi": lambda bed: bed.write_esp("/EFI/BOOT/BOOTX64.EFI", b""),
    "grub-config": lambda bed: bed.append("/boot/grub/grub.cfg", "initrd /boot/initrd.img-gone"),
    "serial-console": lambda bed: bed.edit("/boot/grub/grub.cfg", r" console=ttyS0\S*", ""),
    "grub-timeout": lambda bed: bed.append("/boot/grub/grub.cfg", "set timeout=-1"),
    "portable-disk": lambda bed: bed.append("/etc/fstab", "/dev/vdb1 /data ext4 defaults 0 2"),
    "free-space": lambda bed: bed.debugfs("ssv free_blocks_count 1000"),
    "clean-filesystem": lambda bed: bed.debugfs("ssv state 2"),
    # units
    "goldnode-installed": lambda bed: bed.remove("/usr/lib/goldnode/network.json"),
    "role-units-off": lambda bed: bed.link(
        f"{WANTS}/goldnode-node@main.service", "/usr/lib/systemd/system/goldnode-node@.service"
    ),
    "role-presets": lambda bed: bed.write("/etc/systemd/system-preset/00-all.preset", "enable goldnode-*\n"),
    "enabled-units": lambda bed: bed.link(f"{WANTS}/rpcbind.service", "/usr/lib/systemd/system/rpcbind.service"),
    "unit-files": lambda bed: bed.write("/etc/systemd/system/debug.service", "[Service]\n"),
    # raw bytes
    "raw-private-key": lambda bed: bed.write_free_block(openssh_key()),
    "raw-validator-key": lambda bed: bed.write_free_block(validator_key()),
    "raw-mnemonic": lambda bed: bed.write_free_block(b"mnemonic: " + phrase(bytes(range(32))) + b"\n"),
    "raw-invite": lambda bed: bed.write_free_block(b"join: gn1_" + b"abcdefgh234567" * 10 + b"\n"),
    "raw-cloud-token": lambda bed: bed.write_free_block(b"key = AKIA" + b"Q3" * 8 + b"\n"),
    "raw-password-hash": lambda bed: bed.write_free_block(f"\npacker:{SHADOW_HASH}:20000:0:99999:7:::\n".encode()),
    "raw-wireguard-key": lambda bed: bed.write_free_block(
        b"PrivateKey = " + base64.b64encode(bytes(range(32))) + b"\n"
    ),
    "raw-builder-key": lambda bed: bed.write_free_block(BUILDER_KEY.encode()),
}
