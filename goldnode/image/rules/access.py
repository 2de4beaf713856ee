"""Nothing on the image lets anybody log in: no key, no password, no builder."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldnode.image.allowed import GROUPS, LOGIN_SHELLS, SHELL_USERS, USERS
from goldnode.image.rule import Finding, Image, absent, rule

CLEAN = "packer/scripts/clean.sh"
LOCKED = re.compile(r"[!*]+")

absent(
    "authorized-keys",
    "/root/.ssh/authorized_keys*", "/home/*/.ssh/authorized_keys*", "/etc/ssh/authorized_keys*",
    "/var/**/authorized_keys*",
    promise="No SSH key opens a fresh machine.",
    why="the builder, or whoever stole the key, could enter every machine",
    source="image-builder CVE-2024-9486, amazon-eks-ami",
)  # fmt: skip
absent(
    "ssh-client-files",
    "/root/.ssh/id_*", "/root/.ssh/known_hosts*", "/root/.ssh/config", "/root/.ssh/environment",
    promise="Root has no SSH client files.",
    why="they lead to the builder's other machines",
    source="image-builder",
)  # fmt: skip


@rule(
    "home-folders",
    promise="/home is empty: there was never a builder.",
    why="a builder's home holds keys and history, and its account may still open",
    source="image-builder: the builder user is deleted at shutdown",
    fix=f"userdel -r BUILDER in {CLEAN}",
)
def home_folders(image: Image) -> Iterator[Finding]:
    """Any home folder, without listing its content."""
    return (Finding(file.path, "is somebody's home") for file in image.root.match("/home/*"))


@rule(
    "password-hashes",
    promise="No account has a password.",
    why="a hash can be cracked, and the password then opens every machine",
    source="Debian cloud images; image-builder CVE-2024-9486",
    fix=f"passwd --lock USER in {CLEAN}",
)
def password_hashes(image: Image) -> Iterator[Finding]:
    """A second field that is not `*`, `!`, `!*` and the like; an empty one lets everybody in.

    Root's own line in /etc/shadow is the rule `root-locked`.
    """
    for path in ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"):
        for name, secret, *_ in image.root.records(path, 2):
            group = "gshadow" in path
            if (name != "root" or path != "/etc/shadow") and not (LOCKED.fullmatch(secret) or (group and not secret)):
                yield Finding(path, f"{name} has a password" if secret else f"{name} needs no password")


@rule(
    "root-locked",
    promise="Root cannot log in with a password.",
    why="root's password opens every machine",
    source="Debian cloud images",
    fix=f"passwd --lock root in {CLEAN}",
)
def root_locked(image: Image) -> Iterator[Finding]:
    """Root's line in /etc/shadow is missing or not locked."""
    secrets = [secret for name, secret, *_ in image.root.records("/etc/shadow", 2) if name == "root"]
    if len(secrets) != 1 or not LOCKED.fullmatch(secrets[0]):
        yield Finding("/etc/shadow", "root is not locked")


@rule(
    "users",
    promise="Only Debian's accounts and goldnode's own exist.",
    why="an account nobody knows of is a way in",
    source="Debian cloud images",
    fix="userdel USER, or add it to goldnode/image/allowed.py with its reason",
)
def users(image: Image) -> Iterator[Finding]:
    """Users not on the list, and any second account with uid 0."""
    for name, _, uid, *_ in image.root.records("/etc/passwd", 3):
        if name not in USERS:
            yield Finding("/etc/passwd", f"has the unknown user {name}")
        elif uid == "0" and name != "root":
            yield Finding("/etc/passwd", f"gives {name} root's uid 0")


@rule(
    "groups",
    promise="Only Debian's groups and goldnode's own exist, and nobody is in those that give root.",
    why="members of sudo, adm, disk or kvm get more than their role needs",
    source="Debian cloud images",
    fix="delgroup GROUP, or add it to goldnode/image/allowed.py with its reason",
)
def groups(image: Image) -> Iterator[Finding]:
    """Groups not on the list, and members of powerful groups."""
    for name, _, _, members, *_ in image.root.records("/etc/group", 4):
        if name not in GROUPS:
            yield Finding("/etc/group", f"has the unknown group {name}")
        elif members and name in ("root", "sudo", "adm", "disk", "shadow", "kmem", "wheel"):
            yield Finding("/etc/group", f"puts {members} into {name}")


@rule(
    "login-shells",
    promise="Nobody but root, and PostgreSQL where there is one, has a shell.",
    why="a service that is broken into must not become a login",
    source="Debian cloud images",
    fix="usermod --shell /usr/sbin/nologin USER",
)
def login_shells(image: Image) -> Iterator[Finding]:
    """Shells that are not on the list of harmless ones."""
    for name, *_, shell in image.root.records("/etc/passwd", 7):
        if name not in SHELL_USERS and shell not in LOGIN_SHELLS:
            yield Finding("/etc/passwd", f"{name} has the shell {shell or '(default)'}")


absent(
    "sudoers", "/etc/sudoers.d/90-cloud-init-users", "/etc/sudoers.d/*builder*", "/etc/sudoers.d/*packer*",
    "/etc/polkit-1/rules.d/*", "/etc/doas.conf",
    promise="Nobody may become root: there is no rule for a builder.",
    why="a rule without password outlives the account it was made for",
    source="image-builder: 90-cloud-init-users",
)  # fmt: skip


@rule(
    "ssh-passwords",
    promise="sshd asks nobody for a password, whatever account comes later.",
    why="machines on the internet are tried all day",
    source="Debian cloud images",
    fix="PasswordAuthentication no and KbdInteractiveAuthentication no in /etc/ssh/sshd_config.d/",
)
def ssh_passwords(image: Image) -> Iterator[Finding]:
    """The first value of each keyword wins, drop-ins before the main file (sshd_config(5))."""
    if not image.root.get("/usr/sbin/sshd"):
        return
    files = [*(file.path for file in image.root.regular("/etc/ssh/sshd_config.d/*.conf")), "/etc/ssh/sshd_config"]
    first: dict[str, tuple[str, str]] = {}
    for path in files:
        for line in image.root.lines(path):
            word, _, value = line.replace("=", " ").partition(" ")
            if word.lower() == "match":
                break
            first.setdefault(word.lower(), (value.strip().lower(), path))
    for keyword in ("PasswordAuthentication", "KbdInteractiveAuthentication"):
        value, path = first.get(keyword.lower(), ("yes by default", "/etc/ssh/sshd_config"))
        if value != "no":
            yield Finding(path, f"{keyword} is {value}")
