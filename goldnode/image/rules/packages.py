"""Packages: all complete and as Debian made them, without the tools and caches that installed them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldnode.image.allowed import BUILD_TOOLS, is_left_out
from goldnode.image.packages import installed, packages
from goldnode.image.rule import Finding, Image, absent, rule
from goldnode.image.tree import FileKind

CLEAN = "packer/scripts/clean.sh"
PROXY = re.compile(
    r"Acquire::\S*proxy|^\s*(?:export\s+)?(?:https?|ftp|all)_proxy\s*=|^\s*(?:index-url|extra-index-url|registry)\s*=",
    re.IGNORECASE,
)
SOURCE = re.compile(r"^(?:deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s+)?|URIs:\s*)(?P<uri>\S+)")
#: Debian's own servers, however the base was made.
DEBIAN = re.compile(r"https?://(?:[a-z0-9-]+\.)*debian\.org/|mirror\+file:")


@rule(
    "package-state",
    promise="Every package is installed whole.",
    why="a half-configured package breaks at the first upgrade, or at boot",
    source="Debian cloud images",
    fix="dpkg --configure -a; apt-get purge what is left",
)
def package_state(image: Image) -> Iterator[Finding]:
    """Any state other than `installed`, and interrupted dpkg operations."""
    for package in packages(image.root):
        if package.state != "installed":
            yield Finding("/var/lib/dpkg/status", f"{package.name} is {package.state}")
    for file in image.root.regular("/var/lib/dpkg/updates/*"):
        yield Finding(file.path, "waits for dpkg")


@rule(
    "packaged-files",
    promise="Every packaged file is what its package says.",
    why="a changed or missing file is a fault or an intruder",
    source="debsums; Debian cloud images",
    fix="apt-get install --reinstall PACKAGE; put goldnode's settings into drop-ins",
)
def packaged_files(image: Image) -> Iterator[Finding]:
    """Differences from /var/lib/dpkg/info/*.md5sums, which do not list configuration files."""
    diverted = set(image.root.lines("/var/lib/dpkg/diversions")[0::3])
    for sums in image.root.regular("/var/lib/dpkg/info/*.md5sums"):
        for line in image.root.lines(sums.path):
            digest, _, name = line.partition("  ")
            path = f"/{name}"
            if path in diverted:
                continue
            file = image.root.follow(path)
            if file is None and is_left_out(path):
                continue
            if file is None:
                yield Finding(path, f"is missing ({sums.path.rsplit('/', 1)[1]})")
            elif file.kind is FileKind.FILE and image.root.digest(file, "md5") != digest:
                yield Finding(path, "is not what its package holds")


@rule(
    "build-tools",
    promise="No compiler and no build tool is installed.",
    why="nothing is built on a node, and an intruder should find no tools",
    source="docs/image-hygiene.md; CIS",
    fix="apt-get purge PACKAGE",
)
def build_tools(image: Image) -> Iterator[Finding]:
    """Packages on the list."""
    for name in sorted(set(installed(image.root)) & BUILD_TOOLS):
        yield Finding("/var/lib/dpkg/status", f"{name} is installed")


absent(
    "dpkg-leftovers", "/etc/**.dpkg-*", "/etc/**.ucf-*", "/usr/**.dpkg-new", "/usr/**.dpkg-tmp",
    promise="No configuration file waits for somebody to merge it.",
    why="it means that an upgrade asked and nobody answered",
    source="Debian cloud images",
)  # fmt: skip


@rule(
    "apt-lists",
    promise="No package lists ship.",
    why="they are stale on the first day, and big",
    source="image-builder, Debian cloud images, diskimage-builder",
    fix=f"rm -rf /var/lib/apt/lists/* in {CLEAN}",
)
def apt_lists(image: Image) -> Iterator[Finding]:
    """Files with content; apt's empty lock may stay."""
    return (
        Finding(file.path, "is a package list") for file in image.root.regular("/var/lib/apt/lists/**") if file.size
    )


@rule(
    "apt-caches",
    promise="No downloaded package and no apt cache ships.",
    why="they are big, and stale",
    source="image-builder, Debian cloud images, diskimage-builder",
    fix=f"apt-get clean; rm -f /var/cache/apt/*.bin in {CLEAN}",
)
def apt_caches(image: Image) -> Iterator[Finding]:
    """Files with content in apt's and debconf's caches."""
    for file in image.root.regular("/var/cache/apt/**", "/var/cache/debconf/*-old", "/var/lib/dpkg/available*"):
        if file.size:
            yield Finding(file.path, f"holds {file.size} bytes")


absent(
    "policy-rc-d", "/usr/sbin/policy-rc.d", "/usr/sbin/start-stop-daemon.REAL",
    promise="Packages may start their services again.",
    why="what keeps daemons quiet during a bake would keep them quiet for ever",
    source="aminator, diskimage-builder",
)  # fmt: skip


@rule(
    "force-unsafe-io",
    promise="dpkg writes safely.",
    why="unsafe writes are for builds: a power cut during an upgrade would break a node",
    source="diskimage-builder, mkosi",
    fix=f"rm /etc/dpkg/dpkg.cfg.d/*unsafe* in {CLEAN}",
)
def force_unsafe_io(image: Image) -> Iterator[Finding]:
    """The option in any of dpkg's configuration files."""
    for file in image.root.regular("/etc/dpkg/dpkg.cfg", "/etc/dpkg/dpkg.cfg.d/*"):
        if any("unsafe-io" in line for line in image.root.lines(file.path)):
            yield Finding(file.path, "switches safe writes off")


@rule(
    "proxies",
    promise="No proxy or private index of the build machine is configured.",
    why="it does not answer where the image runs, or it answers with something else",
    source="image-builder, diskimage-builder",
    fix=f"remove the setting in {CLEAN}",
)
def proxies(image: Image) -> Iterator[Finding]:
    """Proxies in apt's, pip's, npm's and the environment's files."""
    for file in image.root.regular(
        "/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*", "/etc/environment", "/etc/environment.d/*", "/etc/profile.d/*",
        "/etc/pip.conf", "/root/.pip/*", "/root/.npmrc", "/etc/npmrc", "/etc/systemd/system.conf.d/*",
    ):  # fmt: skip
        for line in image.root.lines(file.path):
            if PROXY.search(line):
                yield Finding(file.path, f"has the line {line!r}")


@rule(
    "apt-sources",
    promise="Packages come from Debian alone, signed.",
    why="whoever runs another source owns every machine that updates",
    source="image-builder: extra repositories",
    fix="remove the line from /etc/apt/sources.list.d/",
)
def apt_sources(image: Image) -> Iterator[Finding]:
    """Other servers, and sources marked as trusted without a signature."""
    for file in image.root.regular("/etc/apt/sources.list", "/etc/apt/sources.list.d/*"):
        for line in image.root.lines(file.path):
            source = SOURCE.match(line)
            if source and not DEBIAN.match(source["uri"]):
                yield Finding(file.path, f"names {source['uri']}")
            if re.search(r"trusted\s*[=:]\s*yes|allow-insecure\s*[=:]\s*yes", line, re.IGNORECASE):
                yield Finding(file.path, "trusts a source without a signature")
