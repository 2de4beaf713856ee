"""What makes one machine differ from another must be made on that machine, never shipped."""

from __future__ import annotations

from collections.abc import Iterator

from goldnode.image.rule import Finding, Image, absent, rule
from goldnode.image.tree import FileKind

LOOPBACK = {"127.0.0.1", "127.0.1.1", "::1", "fe00::", "fe00::0", "ff00::", "ff00::0", "ff02::1", "ff02::2", "ff02::3"}
CLEAN = "packer/scripts/clean.sh"

absent(
    "ssh-host-keys", "/etc/ssh/ssh_host_*",
    promise="Every machine makes its own SSH host keys.",
    why="who owns one machine could impersonate all others",
    source="image-builder, amazon-eks-ami, Debian cloud images",
)  # fmt: skip


@rule(
    "machine-id",
    promise="/etc/machine-id is empty or `uninitialized`, and D-Bus has no copy.",
    why="machines with one id get the same DHCP lease and journal, and systemd treats them as one",
    source="systemd machine-id(5); lavabit/robox #5",
    fix=f"echo uninitialized > /etc/machine-id in {CLEAN}",
)
def machine_id(image: Image) -> Iterator[Finding]:
    """An id on disk, or a missing file, because a read-only boot cannot make one."""
    if not image.root.get("/etc/machine-id"):
        yield Finding("/etc/machine-id", "is missing")
    if image.root.read("/etc/machine-id").strip() not in (b"", b"uninitialized"):
        yield Finding("/etc/machine-id", "names a machine")
    copy = image.root.get("/var/lib/dbus/machine-id")
    if copy and copy.kind is FileKind.FILE:
        yield Finding(copy.path, "is a copy, not a link to /etc/machine-id")


@rule(
    "hostname",
    promise="The image has no host name: the cloud or cloud-init gives one.",
    why="the builder's name would show in logs and monikers of every machine",
    source="image-builder, Debian cloud images",
    fix=f"truncate -s 0 /etc/hostname in {CLEAN}",
)
def hostname(image: Image) -> Iterator[Finding]:
    """Anything other than an empty file or `localhost`."""
    name = image.root.read("/etc/hostname").decode("utf-8", "replace").strip()
    if name not in ("", "localhost"):
        yield Finding("/etc/hostname", f"says {name!r}")


@rule(
    "hosts",
    promise="/etc/hosts names the loopback addresses and nothing else.",
    why="a name left by the builder would lead a node to the wrong address",
    source="image-builder, Debian cloud images",
    fix=f"write the default /etc/hosts in {CLEAN}",
)
def hosts(image: Image) -> Iterator[Finding]:
    """Other addresses, or a machine's names."""
    for line in image.root.lines("/etc/hosts"):
        address, *names = line.split()
        if address not in LOOPBACK or not all(n.startswith(("localhost", "ip6-")) for n in names):
            yield Finding("/etc/hosts", f"has the line {line!r}")


@rule(
    "resolv-conf",
    promise="/etc/resolv.conf is absent, empty, or a link into /run.",
    why="the builder's name server does not exist where the image runs",
    source="Debian cloud images, amazon-eks-ami",
    fix=f"rm -f /etc/resolv.conf, or link it, in {CLEAN}",
)
def resolv_conf(image: Image) -> Iterator[Finding]:
    """A file with content, or a link to a place on the disk."""
    file = image.root.get("/etc/resolv.conf")
    if file and file.kind is FileKind.LINK and "/run/" not in f"/{file.target}":
        yield Finding(file.path, f"links to {file.target}")
    if file and file.size:
        yield Finding(file.path, "has content")


absent(
    "random-seed", "/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed",
    promise="No random seed ships.",
    why="machines that credit one seed may make the same keys",
    source="systemd, Building Images Safely",
)  # fmt: skip


@rule(
    "esp-random-seed",
    promise="No random seed ships on the EFI system partition.",
    why="machines that credit one seed may make the same keys",
    source="systemd, Building Images Safely",
    fix="remove /loader/random-seed from the ESP",
)
def esp_random_seed(image: Image) -> Iterator[Finding]:
    """systemd-boot's seed and the token beside it."""
    for file in image.esp.regular("/loader/random-seed", "/loader/*token*"):
        yield Finding(f"esp:{file.path}", "must not ship")


absent(
    "credential-secret", "/var/lib/systemd/credential.secret",
    promise="No host secret of systemd-creds ships.",
    why="whoever has the image could decrypt credentials of every machine",
    source="systemd, Building Images Safely",
)  # fmt: skip
absent(
    "cloud-init-state", "/var/lib/cloud/**", "/run/cloud-init/**",
    promise="cloud-init knows of no instance: it will run as for the first time.",
    why="a machine that believes it has booted before ignores its user-data",
    source="image-builder, amazon-eks-ami; cloud-init clean",
    fix=f"cloud-init clean --logs --seed --configs all --machine-id in {CLEAN}",
)  # fmt: skip
absent(
    "cloud-init-config",
    "/etc/cloud/cloud-init.disabled", "/etc/cloud/ds-identify.cfg", "/etc/cloud/cloud.cfg.d/*installer*",
    "/etc/cloud/cloud.cfg.d/*curtin*", "/etc/cloud/cloud.cfg.d/*subiquity*",
    promise="Nothing an installer left turns cloud-init off or narrows its sources.",
    why="the image would ignore user-data on some clouds",
    source="image-builder",
)  # fmt: skip
absent(
    "cloud-init-network",
    "/etc/netplan/*", "/etc/systemd/network/*-cloud-init-*", "/etc/network/interfaces.d/*cloud*",
    "/etc/NetworkManager/system-connections/*", "/run/systemd/network/*",
    promise="No network configuration of the build machine ships.",
    why="the machine waits for a network card that it does not have",
    source="image-builder, amazon-eks-ami; cloud-init clean --configs network",
)  # fmt: skip
absent(
    "udev-net-rules", "/etc/udev/rules.d/*persistent*", "/etc/systemd/network/*.link",
    promise="No network card is remembered by its address.",
    why="the first card of the next machine would not be the first any more",
    source="image-builder",
)  # fmt: skip
absent(
    "dhcp-leases",
    "/var/lib/dhcp/*", "/var/lib/dhclient/*", "/var/lib/dhcpcd/*", "/var/lib/NetworkManager/*",
    "/var/lib/systemd/network/*",
    promise="No DHCP lease ships.",
    why="machines would ask for one and the same address",
    source="amazon-eks-ami; kubermatic #253",
)  # fmt: skip
absent(
    "chrony-drift", "/var/lib/chrony/*",
    promise="The clock's drift was not measured on the build machine.",
    why="a wrong drift makes the first blocks' times wrong",
    source="Debian cloud images",
)  # fmt: skip
absent(
    "node-state",
    "/var/lib/goldnode/**", "/etc/goldnode/node.yaml", "/etc/goldnode/genesis.json", "/etc/wireguard/*",
    promise="The image belongs to no node: no keys, no roster, no node.yaml, no tunnel.",
    why="two nodes with one key sign twice",
    source="docs/boot.md: keys are made on first boot",
)  # fmt: skip
