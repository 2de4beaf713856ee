"""What may be on an image although a rule forbids it in general: short lists, each with its reason."""

from __future__ import annotations

import fnmatch
import functools

from goldnode import paths

#: Accounts of Debian's base system, of packages that we install, and goldnode's own.
USERS = frozenset({
    # base-passwd, on every Debian
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data",
    "backup", "list", "irc", "_apt", "nobody",
    # systemd, D-Bus, SSH, chrony, DHCP, polkit, time and TPM
    "systemd-network", "systemd-resolve", "systemd-timesync", "systemd-coredump", "messagebus", "sshd", "_chrony",
    "dhcpcd", "polkitd", "tss", "uuidd", "tcpdump",
    # goldnode: what hosts several nodes, and the rendezvous; a node's own user is made at boot
    "gn-jvm", "gn-rendezvous",
    # PostgreSQL, where a JVM network asks for it; node_exporter and etcd, where a network file does
    "postgres", "prometheus", "etcd",
})  # fmt: skip
GROUPS = USERS | frozenset({
    # base-passwd, on every Debian
    "adm", "tty", "disk", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip",
    "operator", "src", "shadow", "utmp", "video", "sasl", "plugdev", "staff", "users", "nogroup",
    # systemd and udev
    "systemd-journal", "input", "sgx", "clock", "kvm", "render", "crontab", "netdev",
    # PostgreSQL brings it
    "ssl-cert",
    # OpenSSH's agent
    "_ssh",
})  # fmt: skip
#: Accounts with a shell: root for the console, and the user of PostgreSQL's own scripts. Neither has a password.
SHELL_USERS = frozenset({"root", "postgres"})
#: Shells that allow no login; `sync` runs the program of that name.
LOGIN_SHELLS = frozenset({"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync", "/bin/sh"})

#: Programs that Debian itself runs with more rights than their caller: passwd, util-linux, PAM, OpenSSH, sudo, D-Bus.
PRIVILEGED = frozenset({
    "/usr/bin/chage", "/usr/bin/chfn", "/usr/bin/chsh", "/usr/bin/expiry", "/usr/bin/gpasswd", "/usr/bin/mount",
    "/usr/bin/newgrp", "/usr/bin/passwd", "/usr/bin/su", "/usr/bin/sudo", "/usr/bin/umount", "/usr/bin/ssh-agent",
    "/usr/bin/crontab", "/usr/bin/dotlockfile", "/usr/bin/write", "/usr/bin/ping", "/usr/sbin/unix_chkpwd",
    "/usr/lib/openssh/ssh-keysign", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
    "/usr/lib/polkit-1/polkit-agent-helper-1",
})  # fmt: skip
#: World-writable folders with the sticky bit, as on every Debian.
WORLD_WRITABLE = frozenset({"/tmp", "/var/tmp", "/run/lock", "/dev/shm", "/dev/mqueue", "/var/mail"})  # noqa: S108

#: Where Debian's own cloud images omit packages' files, in addition to left_out().
UNSHIPPED = ("/usr/share/lintian/", "/usr/share/bug/", "/usr/share/groff/", "/usr/share/linda/")


@functools.cache
def left_out() -> tuple[tuple[str, bool], ...]:
    """Patterns in packer/packages/left-out.txt: files that the base leaves out, or (False) keeps after all."""
    lines = (paths.REPOSITORY / "packer" / "packages" / "left-out.txt").read_text().splitlines()
    return tuple((line.removeprefix("+"), line[0] != "+") for line in lines if line and not line.startswith("#"))


def is_left_out(path: str) -> bool:
    """Whether a packaged file is missing on purpose; as in dpkg, the last matching pattern decides."""
    fitting = [out for pattern, out in left_out() if fnmatch.fnmatchcase(path, pattern)]
    return path.startswith(UNSHIPPED) or (bool(fitting) and fitting[-1])


#: Packages that build software, or images.
BUILD_TOOLS = frozenset({
    "gcc", "g++", "clang", "make", "cmake", "golang-go", "rustc", "cargo", "git", "packer", "mmdebstrap", "genimage",
    "debootstrap", "build-essential", "python3-pip", "npm", "qemu-system-x86",
})  # fmt: skip

#: Units that /etc may enable at boot.
ENABLED = frozenset({
    "goldnode-configure.service",
    # cloud-init
    "cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service", "cloud-init.service",
    "cloud-config.service", "cloud-final.service", "cloud-init-hotplugd.socket",
    # network, names, time
    "systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
    "systemd-network-generator.service", "systemd-resolved.service", "chrony.service", "chrony-wait.service",
    "nftables.service",
    # login; SSH itself is started only when node.yaml gives a key
    "getty@tty1.service", "serial-getty@ttyS0.service", "sshd-keygen.service",
    # housekeeping that changes no package
    "remote-fs.target", "fstrim.timer", "dpkg-db-backup.timer",
    "systemd-pstore.service", "grub-common.service", "apparmor.service",
    # the machine's own metrics, where a network file asks for them; on loopback, by roles/common
    "prometheus-node-exporter.service",
})  # fmt: skip
