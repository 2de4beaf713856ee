"""A disk of a few megabytes that keeps every promise: GPT, GRUB's marks, an ESP, an ext4 root.

Made by the tools that make real disks (``mke2fs -d``, genimage, mtools) from the table below, so
that the rules can be shown red and green in seconds, without a bake.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from goldnode.image.rules.units import INSTALLED
from goldnode.run import run

MIB = 1 << 20
ROOT_SIZE = 116 * MIB
KERNEL = "6.12.1-cloud-amd64"
TOOL = b"#!/bin/sh\nexit 0\n"

FILES: dict[str, str | bytes] = {
    "etc/machine-id": "uninitialized\n",
    "etc/hostname": "",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nadm:x:4:\nsudo:x:27:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\nsshd:!:20000::::::\n",
    "etc/gshadow": "root:*::\nadm:*::\nsudo:*::\nnogroup:!::\n",
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
    "etc/environment": "",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
    "etc/ssh/sshd_config.d/50-goldnode.conf": "PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
    "etc/apt/sources.list": "deb http://mirror.debian.org/debian trixie main\n",
    "usr/sbin/sshd": TOOL,
    "usr/bin/tool": TOOL,
    "var/lib/dpkg/status": "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 13.8\n\n"
    "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n",
    "var/lib/dpkg/info/tool.md5sums": f"{hashlib.md5(TOOL, usedforsecurity=False).hexdigest()}  usr/bin/tool\n",
    "var/lib/dpkg/diversions": "",
    "var/lib/apt/lists/lock": "",
    "var/log/wtmp": "",
    "usr/lib/systemd/journald.conf.d/50-goldnode.conf": "[Journal]\nSystemMaxUse=200M\n",
    "usr/lib/systemd/system-preset/50-goldnode.preset": "enable goldnode-configure.service\ndisable goldnode-*\n",
    "root/.profile": "umask 077\n",
    f"boot/vmlinuz-{KERNEL}": b"kernel",
    f"boot/initrd.img-{KERNEL}": b"initrd",
    f"usr/lib/modules/{KERNEL}/modules.dep": "",
    "boot/grub/grub.cfg": f"set timeout=0\nlinux /boot/vmlinuz-{KERNEL} root=LABEL=root console=ttyS0\n"
    f"initrd /boot/initrd.img-{KERNEL}\n",
    **{path[1:]: "" for path in INSTALLED},
    "usr/lib/goldnode/image.json": '{"version": 1, "daemon": {"name": "cometbft", "version": "0.38.19"}}\n',
    "usr/lib/goldnode/bin/cometbft": TOOL,
    "usr/lib/goldnode/daemons/cometbft/0.39.0/bin/cometbft": TOOL,
}
LINKS = {
    "bin": "usr/bin",
    "etc/resolv.conf": "/run/systemd/resolve/stub-resolv.conf",
    "etc/systemd/system/multi-user.target.wants/goldnode-configure.service":
        "/usr/lib/systemd/system/goldnode-configure.service",
}  # fmt: skip
GENIMAGE = """
image disk.raw {
    hdimage { partition-table-type = "gpt" }
    partition bios {
        image = "bios.img"
        offset = 1M
        size = 1M
        partition-type-uuid = "21686148-6449-6E6F-744E-656564454649"
    }
    partition esp { image = "esp.vfat" partition-type-uuid = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" }
    partition root { image = "root.ext4" partition-type-uuid = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709" }
}
"""
FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "run": 0o755, "home": 0o755, "var/log/journal": 0o755, "boot/efi": 0o755}


def make(folder: Path) -> Path:
    """Make the disk in an empty folder and return its path."""
    inputs = folder / "input"
    inputs.mkdir()
    (inputs / "bios.img").write_bytes(b"GRUB core image")
    _make_root(folder / "tree", inputs / "root.ext4")
    _make_esp(inputs / "esp.vfat")
    config = folder / "genimage.cfg"
    config.write_text(GENIMAGE)
    run([
        "genimage", "--config", config, "--rootpath", folder / "tree", "--tmppath", folder / "tmp",
        "--inputpath", inputs, "--outputpath", folder,
    ])  # fmt: skip
    disk = folder / "disk.raw"
    with disk.open("r+b") as stream:
        stream.seek(0x180)
        stream.write(b"GRUB ")
    return disk


def _make_root(tree: Path, image: Path) -> None:
    _write_tree(tree)
    with image.open("wb") as stream:
        stream.truncate(ROOT_SIZE)
    options = ["-t", "ext4", "-b", "4096", "-L", "root", "-m", "0", "-E", "root_owner=0:0,lazy_itable_init=1"]
    run(["mke2fs", "-q", *options, "-d", tree, image])
    _own_by_root(tree, image)


def _make_esp(image: Path) -> None:
    with image.open("wb") as stream:
        stream.truncate(8 * MIB)
    loader = image.with_name("loader.efi")
    loader.write_bytes(b"MZ loader")
    run(["mformat", "-i", image, "-v", "ESP", "::"])
    run(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"])
    run(["mcopy", "-i", image, loader, "::/EFI/BOOT/BOOTX64.EFI"])


def _write_tree(tree: Path) -> None:
    for name, content in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    for name, target in LINKS.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    for name, mode in FOLDERS.items():
        (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / name).chmod(mode)


def _own_by_root(tree: Path, image: Path) -> None:
    """Whoever runs the tests, the files belong to root."""
    names = [f"/{path.relative_to(tree)}" for path in tree.rglob("*")]
    script = image.with_suffix(".debugfs")
    script.write_text("".join(f"sif {name} uid 0\nsif {name} gid 0\n" for name in names))
    run(["debugfs", "-w", "-f", script, image])
