"""Traces of the build: logs, caches, histories, temporary files."""

from __future__ import annotations

from collections.abc import Iterator

from goldnode.image.disk import PartitionType
from goldnode.image.rule import Finding, Image, absent, rule
from goldnode.image.tree import FileKind

CLEAN = "packer/scripts/clean.sh"


@rule(
    "logs",
    promise="Logs are empty: a machine's first line is its own.",
    why="the builder's addresses and commands would ship, and hide the first real error",
    source="image-builder, runner-images, amazon-eks-ami",
    fix=f"find /var/log -type f -exec truncate -s 0 {{}} + in {CLEAN}",
)
def logs(image: Image) -> Iterator[Finding]:
    """Files with content in /var/log, and rotated ones; the journal has its own rule."""
    for file in image.root.match("/var/log/**"):
        rotated = file.kind is FileKind.FILE and file.path.endswith((".gz", ".xz", ".1", ".old"))
        if (file.size or rotated) and not file.path.startswith("/var/log/journal/"):
            yield Finding(file.path, f"holds {file.size} bytes")


@rule(
    "journal",
    promise="The journal holds nothing, and no folder named after a machine.",
    why="it names the build machine and all it did",
    source="runner-images; systemd, Building Images Safely",
    fix=f"rm -rf /var/log/journal/* in {CLEAN}",
)
def journal(image: Image) -> Iterator[Finding]:
    """Anything in /var/log/journal."""
    return (Finding(file.path, "was left by journald") for file in image.root.match("/var/log/journal/*"))


@rule(
    "journal-bounded",
    promise="The journal has a ceiling (SystemMaxUse).",
    why="logs that grow without end stop a node that holds a key",
    source="amazon-eks-ami, image-builder: /var/log ceiling",
    fix="SystemMaxUse= in /usr/lib/systemd/journald.conf.d/ (roles/common)",
)
def journal_bounded(image: Image) -> Iterator[Finding]:
    """SystemMaxUse missing from all of journald's files."""
    files = image.root.regular(
        "/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d/*.conf", "/usr/lib/systemd/journald.conf.d/*.conf"
    )
    if not any(line.startswith("SystemMaxUse=") for file in files for line in image.root.lines(file.path)):
        yield Finding("/usr/lib/systemd/journald.conf.d/", "nothing sets SystemMaxUse")


@rule(
    "temporary-files",
    promise="No temporary file ships: not in /tmp, not in /var/tmp, not in /run.",
    why="provisioning scripts and payloads lie there",
    source="image-builder, Debian cloud images",
    fix=f"find /tmp /var/tmp -mindepth 1 -delete in {CLEAN}",
)
def temporary_files(image: Image) -> Iterator[Finding]:
    """Anything in /tmp and /var/tmp; files in /run, where packages leave empty folders."""
    for file in image.root.match("/tmp/*", "/var/tmp/*"):  # noqa: S108 - paths on the image
        yield Finding(file.path, "is a temporary file")
    for file in image.root.regular("/run/**"):
        if not file.path.startswith(("/run/cloud-init/", "/run/systemd/network/")):
            yield Finding(file.path, "lies on the disk under /run")


absent(
    "histories",
    "/root/.*_history", "/root/.lesshst", "/root/.viminfo", "/root/.wget-hsts", "/root/.selected_editor",
    promise="No shell or editor history ships.",
    why="people type secrets",
    source="image-builder, runner-images",
    fix=f"rm -f /root/.*_history in {CLEAN}; unset HISTFILE in its shell",
)  # fmt: skip


@rule(
    "root-home",
    promise="Root's home holds nothing that the builder brought.",
    why="sources, archives and notes of the build have no place on a machine",
    source="Debian cloud images",
    fix=f"rm -rf /root/* in {CLEAN}",
)
def root_home(image: Image) -> Iterator[Finding]:
    """Everything that is not hidden; hidden files have their own rules."""
    for file in image.root.match("/root/*"):
        if not file.path.startswith("/root/."):
            yield Finding(file.path, "was left by the builder")


absent(
    "user-caches",
    "/root/.cache/**", "/root/.npm/**", "/root/.cargo/**", "/root/.config/**", "/root/.local/**", "/root/.ansible/**",
    "/root/.gnupg/**", "/var/cache/pip/**", "/usr/local/go/**", "/root/.docker/**", "/root/.aws/**",
    promise="No cache or configuration of pip, npm, Go, Cargo or a cloud's client ships.",
    why="they are big, and may hold credentials of registries",
    source="runner-images",
)  # fmt: skip
absent(
    "core-dumps", "/var/lib/systemd/coredump/*", "/var/crash/*", "/core", "/core.*", "/root/core",
    promise="No core dump ships.",
    why="a dump holds the memory of whatever crashed, keys included",
    source="image-builder",
)  # fmt: skip


@rule(
    "swap",
    promise="There is no swap: no file, no partition, no line in fstab.",
    why="keys in memory would be written to disk in the clear",
    source="image-builder",
    fix="swapoff -a, rm the file, remove the line",
)
def swap(image: Image) -> Iterator[Finding]:
    """The usual names, the partition type, fstab."""
    for file in image.root.regular("/swapfile", "/swap.img", "/swap", "/var/swap*"):
        yield Finding(file.path, "is a swap file")
    for line in image.root.lines("/etc/fstab"):
        if "swap" in line.split()[1:3]:
            yield Finding("/etc/fstab", f"has the line {line!r}")
    if part := image.disk.partition(PartitionType.SWAP):
        yield Finding(f"partition {part.number}", "is swap")


absent(
    "editor-backups", "/etc/**~", "/etc/**.bak", "/etc/**.orig", "/etc/**.swp", "/usr/lib/goldnode/**/__pycache__/**",
    promise="No backup an editor made, and no bytecode of ours, ships.",
    why="drop-in folders may read them, and they make two bakes differ",
    source="reproducible builds",
)  # fmt: skip


@rule(
    "lost-and-found",
    promise="/lost+found is empty.",
    why="files there mean that the filesystem was repaired",
    source="e2fsck(8)",
    fix="bake again",
)
def lost_and_found(image: Image) -> Iterator[Finding]:
    """Anything that e2fsck put there."""
    return (Finding(file.path, "was recovered by e2fsck") for file in image.root.match("/lost+found/*"))
