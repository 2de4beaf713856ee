"""What a command needs from this machine beyond Python, and how it is installed.

Nothing is installed before a command needs it.  On Debian or Ubuntu, as root or with passwordless
sudo, missing packages are installed; otherwise the command to type is printed.
Standard library only: it runs before the test packages are there.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldnode import paths
from goldnode.errors import HostError
from goldnode.run import CommandError, run
from goldnode.tasks import environment

#: Folders with Debian's programs that are not on an ordinary user's PATH.
SYSTEM_PATHS = ("/usr/sbin", "/sbin")
#: Installs packages, and asks nobody.
APT = ("apt-get", "install", "-y", "-q", "--no-install-recommends")
UNATTENDED = {"DEBIAN_FRONTEND": "noninteractive"}


class Need(StrEnum):
    """A group of things that commands need together."""

    MACHINE = "machine"
    IMAGE = "image"
    BAKE = "bake"
    C_COMPILER = "c-compiler"
    RUST = "rust"
    JDK = "jdk"
    MAVEN = "maven"
    FLEET = "fleet"
    LEASE_STORE = "lease-store"
    MONITORING = "monitoring"
    BROWSER = "browser"
    PROOF = "proof"
    TEST_PACKAGES = "test-packages"


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that Debian packages.

    Attributes:
        what: A program on PATH, or an absolute path that must exist.
        package: The Debian package that has it.
        suite: The last Debian release that has the package, where later ones have dropped it.
    """

    what: str
    package: str
    suite: str = ""

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
        Tool("packer", "packer", suite="bookworm"),
        Tool("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
        Tool("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    ),
    Need.C_COMPILER: (Tool("gcc", "gcc"), Tool("/usr/include/stdio.h", "libc6-dev")),
    Need.RUST: (Tool("cargo", "cargo"), Tool("rustc", "rustc")),
    Need.JDK: (Tool("javac", "default-jdk-headless"),),
    Need.MAVEN: (Tool("mvn", "maven"),),
    Need.FLEET: (Tool("ip", "iproute2"), Tool("mke2fs", "e2fsprogs")),
    Need.LEASE_STORE: (Tool("etcd", "etcd-server"),),
    Need.MONITORING: (
        Tool("prometheus", "prometheus"),
        Tool("prometheus-alertmanager", "prometheus-alertmanager"),
    ),
    Need.BROWSER: (Tool("chromium", "chromium"),),
    Need.PROOF: (
        Tool("systemd-nspawn", "systemd-container"),
        Tool("zstd", "zstd"),
        Tool("lz4", "lz4"),
        Tool("curl", "curl"),
        Tool("sysctl", "procps"),
        Tool("nft", "nftables"),
        Tool("/etc/protocols", "netbase"),
        Tool("wg", "wireguard-tools"),
        Tool("etcdctl", "etcd-client"),
        Tool("prometheus-node-exporter", "prometheus-node-exporter"),
        Tool("/usr/sbin/rsyslogd", "rsyslog"),
        Tool("/usr/share/doc/rsyslog-gnutls", "rsyslog-gnutls"),
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
    missing = {tool for need in wanted for tool in TOOLS[need] if not tool.present}
    if missing:
        _install(missing)
    if Need.TEST_PACKAGES in wanted:
        _test_packages()


def _install(tools: set[Tool]) -> None:
    packages = sorted({tool.package for tool in tools})
    prefix = _privilege()
    if prefix is None:
        own = [package for package in packages if package not in _dropped(tools)]
        needed = own or [str(download(tool.package, tool.suite, files_of_packages())) for tool in tools]
        raise HostError(f"this machine lacks {', '.join(packages)}", hint=" ".join(["sudo", *APT, *needed]))
    print(f"installing {' '.join(packages)} (once) ...", file=sys.stderr, flush=True)
    own = packages
    try:
        run([*prefix, "apt-get", "update", "-q"], env=UNATTENDED)
        dropped = _dropped(tools)
        if own := [package for package in packages if package not in dropped]:
            run([*prefix, *APT, *own], env=UNATTENDED)
        for package, suite in sorted(dropped.items()):
            own = [str(download(package, suite, files_of_packages()))]
            run([*prefix, *APT, *own], env=UNATTENDED)
    except CommandError as error:
        hint = " ".join(["sudo", *APT, *own])
        raise HostError(f"packages could not be installed: {error.message}", hint=hint) from error


def files_of_packages() -> Path:
    """Where packages are that this machine's own sources do not have."""
    folder = paths.cache() / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _dropped(tools: Iterable[Tool]) -> dict[str, str]:
    """The packages that this machine's Debian no longer has, and the release that has them."""
    return {tool.package: tool.suite for tool in tools if tool.suite and not _offered(tool.package)}


def _offered(package: str) -> bool:
    """Whether this machine's own sources have the package."""
    if not shutil.which("apt-cache"):
        return True  # no Debian: what is installed there, and how, is not ours to say
    found = re.search(r"^  Candidate: (.*)$", run(["apt-cache", "policy", package]).stdout, re.MULTILINE)
    return found is not None and found[1] != "(none)"


def download(package: str, suite: str, folder: Path) -> Path:
    """A package of another Debian release, whose index and file apt has verified by Debian's signature.

    mmdebstrap gives apt that release's sources in a folder of their own: the machine's sources stay as they are.

    Raises:
        HostError: No mirror has it, or what it gave is not what Debian signed.
    """
    file = f"{package}.deb"
    fetch = f'cd "$1" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download -q {package} && mv {package}_*.deb {file}'
    try:
        run(["mmdebstrap", "--quiet", "--variant=custom", f"--customize-hook={fetch}",
             f"--customize-hook=copy-out /{file} {folder}", suite, "/dev/null"], env=UNATTENDED)  # fmt: skip
    except CommandError as error:
        raise HostError(
            f"this Debian has no {package}, and that of {suite} cannot be had: {error.message}",
            hint=f"install {package} yourself, then try again",
        ) from error
    return folder / file


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
