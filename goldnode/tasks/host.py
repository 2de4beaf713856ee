"""What a command needs from this machine beyond Python, and how it is installed.

Nothing is installed before a command needs it.  On Debian or Ubuntu, as root or with passwordless
sudo, missing packages are installed; otherwise the command to type is printed.
Standard library only: it runs before the test packages are there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldnode.errors import HostError
from goldnode.run import CommandError, run
from goldnode.tasks import environment

#: Folders with Debian's programs that are not on an ordinary user's PATH.
SYSTEM_PATHS = ("/usr/sbin", "/sbin")


class Need(StrEnum):
    """A group of things that commands need together."""

    MACHINE = "machine"
    IMAGE = "image"
    BAKE = "bake"
    C_COMPILER = "c-compiler"
    RUST = "rust"
    JDK = "jdk"
    MAVEN = "maven"
    PROOF = "proof"
    TEST_PACKAGES = "test-packages"


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that Debian packages.

    Attributes:
        what: A program on PATH, or an absolute path that must exist.
        package: The Debian package that has it.
    """

    what: str
    package: str

    @property
    def present(self) -> bool:
        """Whether it is installed."""
        if self.what.startswith("/"):
            return Path(self.what).exists()
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_PATHS])
        return shutil.which(self.what, path=search) is not None


TOOLS: dict[Need, tuple[Tool, ...]] = {
    Need.MACHINE: (
        Tool("qemu-system-x86_64", "qemu-system-x86"),
        Tool("qemu-img", "qemu-utils"),
        Tool("/usr/share/ovmf/OVMF.fd", "ovmf"),
        Tool("xorriso", "xorriso"),
        Tool("ssh", "openssh-client"),
    ),
    Need.IMAGE: (Tool("qemu-img", "qemu-utils"), Tool("mcopy", "mtools")),
    Need.BAKE: (
        Tool("git", "git"),
        Tool("bwrap", "bubblewrap"),
        Tool("mmdebstrap", "mmdebstrap"),
        Tool("newuidmap", "uidmap"),
        Tool("genimage", "genimage"),
        Tool("mke2fs", "e2fsprogs"),
        Tool("mcopy", "mtools"),
        Tool("mkfs.vfat", "dosfstools"),
        Tool("grub-mkimage", "grub-common"),
        Tool("/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
        Tool("/usr/lib/grub/x86_64-efi/moddep.lst", "grub-efi-amd64-bin"),
        Tool("packer", "packer"),
        Tool("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
        Tool("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ),
    Need.C_COMPILER: (Tool("gcc", "gcc"), Tool("/usr/include/stdio.h", "libc6-dev")),
    Need.RUST: (Tool("cargo", "cargo"), Tool("rustc", "rustc")),
    Need.JDK: (Tool("javac", "default-jdk-headless"),),
    Need.MAVEN: (Tool("mvn", "maven"),),
    Need.PROOF: (
        Tool("systemd-nspawn", "systemd-container"),
        Tool("zstd", "zstd"),
        Tool("ip", "iproute2"),
        Tool("nft", "nftables"),
        Tool("/etc/protocols", "netbase"),
        Tool("wg", "wireguard-tools"),
        Tool("etcd", "etcd-server"),
        Tool("etcdctl", "etcd-client"),
        Tool("promtool", "prometheus"),
        Tool("prometheus-alertmanager", "prometheus-alertmanager"),
        Tool("prometheus-node-exporter", "prometheus-node-exporter"),
        Tool("ssh-keygen", "openssh-client"),
        Tool("sfdisk", "fdisk"),
        Tool("cryptsetup", "cryptsetup-bin"),
        Tool("pvcreate", "lvm2"),
    ),
    Need.TEST_PACKAGES: (),
}


def require(needs: Iterable[Need]) -> None:
    """Make sure that everything in ``needs`` is installed.

    Raises:
        HostError: Something is missing and cannot be installed; the hint is the command to type.
    """
    wanted = tuple(needs)
    missing = sorted({tool.package for need in wanted for tool in TOOLS[need] if not tool.present})
    if missing:
        _install(missing)
    if Need.TEST_PACKAGES in wanted:
        _test_packages()


def _install(packages: list[str]) -> None:
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    prefix = _privilege()
    if prefix is None:
        raise HostError(f"this machine lacks {', '.join(packages)}", hint=f"sudo {' '.join(command)}")
    print(f"installing {' '.join(packages)} (once) ...", file=sys.stderr, flush=True)
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run([*prefix, "apt-get", "update", "-q"], env=env)
        run([*prefix, *command], env=env)
    except CommandError as error:
        raise HostError(
            f"packages could not be installed: {error.message}", hint=f"sudo {' '.join(command)}"
        ) from error


def _privilege() -> list[str] | None:
    """The prefix for a command that needs root; None if there is none without a password."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not run(["sudo", "-n", "true"], check=False).returncode:
        return ["sudo", "-n", "-E"]
    return None


def _test_packages() -> None:
    """Bring the environment up to requirements/test.lock; instant when it already is."""
    try:
        environment.install(Path(sys.prefix), environment.TEST, "test")
    except environment.InstallError as error:
        raise HostError(str(error), hint="./invoke test, when the package index answers again") from error
