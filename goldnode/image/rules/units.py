"""All roles installed, none enabled: a machine that was told nothing does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

from goldnode.image.allowed import ENABLED
from goldnode.image.rule import Finding, Image, rule
from goldnode.image.tree import FileKind, Tree

CONFIGURE = "goldnode-configure.service"
UNITS = "/usr/lib/systemd/system"
ROLES = ("common", "validator", "sentry", "multi-node", "hosted", "rendezvous")
FACTS, NETWORK = "/usr/lib/goldnode/image.json", "/usr/lib/goldnode/network.json"
#: What runs the nodes of a JVM network: Java, the host, and at least one jar.
JVM = ("/usr/bin/java", "/usr/lib/goldnode/jvm/goldnode-jvm.jar", "/usr/lib/goldnode/jars/*.jar")
INSTALLED = (
    "/usr/bin/goldnode", "/usr/lib/goldnode/node.pyz", FACTS, NETWORK,
    f"{UNITS}/{CONFIGURE}", f"{UNITS}/goldnode-user-data.service",
    f"{UNITS}/goldnode-agent.service", f"{UNITS}/goldnode-node@.service",
    f"{UNITS}/goldnode-rendezvous.service", f"{UNITS}/goldnode-jvm.service",
    *(f"/usr/lib/goldnode/roles/{role}/role.yaml" for role in ROLES),
)  # fmt: skip
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system",
    "/run/systemd/system",
)


@rule(
    "goldnode-installed",
    promise="The node's program, its network and every role are on the image.",
    why="nothing is installed or fetched at boot",
    source="docs/image-hygiene.md",
    fix="./invoke bake; see packer/scripts/provision.sh",
)
def goldnode_installed(image: Image) -> Iterator[Finding]:
    """Missing files, and a daemon that is neither present nor deferred."""
    yield from (Finding(path, "is missing") for path in INSTALLED if not image.root.follow(path))
    name = _daemon(image, FACTS).get("name")
    if name is None:
        yield Finding(FACTS, "names no daemon")
        return
    if _daemon(image, NETWORK).get("kind") == "jvm":
        yield from (Finding(path, "is missing") for path in JVM if not any(image.root.match(path)))
        return
    daemon = f"/usr/lib/goldnode/bin/{name}"
    file = image.root.follow(daemon)
    if not image.root.get("/usr/lib/goldnode/deferred.json") and not (file and file.mode & 0o111):
        yield Finding(daemon, "is not a program, and nothing is deferred")


@rule(
    "role-units-off",
    promise="No unit of a role is enabled.",
    why="a machine without user-data would listen, or sign",
    source="docs/boot.md: role units are wanted from /run only",
    fix="systemctl disable UNIT; no [Install] section in role units",
)
def role_units_off(image: Image) -> Iterator[Finding]:
    """Links in any unit's .wants, .requires or .upholds that lead to a role unit."""
    for path, unit in _links(image.root):
        if _is_role_unit(unit):
            yield Finding(path, f"starts {unit} at boot")


@rule(
    "role-presets",
    promise="A preset says `disable` for every unit of a role.",
    why="an `uninitialized` machine-id makes systemd apply presets, and without one the policy is enable",
    source="systemd.preset(5); systemd #22225",
    fix="disable UNIT in /usr/lib/systemd/system-preset/ (roles/common)",
)
def role_presets(image: Image) -> Iterator[Finding]:
    """The first matching line decides, files in order of name; a file in /etc hides one of the same name."""
    verdicts = list(_presets(image.root))
    units = [file.path.rsplit("/", 1)[1] for file in image.root.regular(f"{UNITS}/goldnode-*")]
    for unit in filter(_is_role_unit, units):
        verdict = next((word for word, pattern in verdicts if fnmatchcase(unit, pattern)), "enable (no preset)")
        if verdict != "disable":
            yield Finding("/usr/lib/systemd/system-preset", f"{unit}: {verdict}")


@rule(
    "enabled-units",
    promise="Only known units start at boot: nothing that listens unasked.",
    why="a service nobody thought of is an open port, or a timer that upgrades a validator",
    source="Debian cloud images; apt-daily: image-builder",
    fix="systemctl disable UNIT, or add it to goldnode/image/allowed.py with its reason",
)
def enabled_units(image: Image) -> Iterator[Finding]:
    """Links in /etc's .wants and .requires folders that are not on the list; role units have their own rule."""
    for path, unit in _links(image.root):
        if path.startswith("/etc/") and unit not in ENABLED and not _is_role_unit(unit):
            yield Finding(path, f"starts {unit} at boot")


@rule(
    "unit-files",
    promise="Units come from packages and from /usr/lib, none from /etc.",
    why="a unit written into /etc hides the packaged one and survives its upgrade",
    source="systemd.unit(5)",
    fix="put the unit into roles/*/rootfs/usr/lib/systemd/system/",
)
def unit_files(image: Image) -> Iterator[Finding]:
    """Regular unit files in /etc/systemd/system and /usr/local; drop-in folders may stay."""
    for file in image.root.match("/etc/systemd/system/*", "/usr/local/lib/systemd/system/*"):
        if file.kind is FileKind.FILE:
            yield Finding(file.path, "is a unit that no package and no role owns")


def _daemon(image: Image, path: str) -> dict[str, str]:
    """The daemon's entry in a document; empty if it is missing."""
    try:
        return dict(json.loads(image.root.read(path))["daemon"])
    except (ValueError, KeyError, TypeError):
        return {}


def _links(root: Tree) -> Iterator[tuple[str, str]]:
    patterns = [f"{folder}/*.{kind}/*" for folder in UNIT_FOLDERS for kind in ("wants", "requires", "upholds")]
    return ((file.path, file.path.rsplit("/", 1)[1]) for file in root.match(*patterns))


def _is_role_unit(unit: str) -> bool:
    """Whether a unit is goldnode's, other than the one that reads user-data and decides."""
    return unit.startswith("goldnode-") and unit != CONFIGURE


def _presets(root: Tree) -> Iterator[tuple[str, str]]:
    files: dict[str, str] = {}
    for folder in ("/usr/lib/systemd/system-preset", "/run/systemd/system-preset", "/etc/systemd/system-preset"):
        files |= {file.path.rsplit("/", 1)[1]: file.path for file in root.regular(f"{folder}/*.preset")}
    for name in sorted(files):
        for line in root.lines(files[name]):
            word, *patterns = line.split()
            yield from ((word, pattern) for pattern in patterns[:1])
