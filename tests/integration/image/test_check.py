"""What the check says about a disk: places, reasons, and no secrets."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from goldnode.errors import ImageError
from goldnode.image.check import check_image
from goldnode.image.disk import PartitionType
from goldnode.image.secrets import Secret
from goldnode.run import run
from tests.image.seeding import Bed
from tests.image.violations import openssh_key

#: Where the GPT's first entry begins.
FIRST_PARTITION = 1024


@pytest.fixture
def bed(clean_disk: Path, tmp_path: Path) -> Bed:
    """A copy that may be spoiled."""
    copy = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, copy])
    return Bed(copy)


def test_a_clean_image_passes(clean_disk: Path) -> None:
    """Nothing is raised, and the document says so."""
    report = check_image(clean_disk)
    report.raise_if_broken()

    assert report.document()["clean"]


def test_a_broken_image_is_named_with_its_rules(bed: Bed) -> None:
    """The error names every broken rule; its class is the one of exit code 7."""
    bed.write("/etc/hostname", "packer\n")
    bed.write("/root/.bash_history")
    report = check_image(bed.disk)
    with pytest.raises(ImageError) as caught:
        report.raise_if_broken()

    assert "disk.raw breaks 2 of" in caught.value.message
    assert "hostname, histories" in caught.value.message
    assert 7 == caught.value.exit_code


def test_a_secret_in_a_file_is_reported_with_its_path_and_without_itself(bed: Bed) -> None:
    """The report helps to find the key, and does not spread it."""
    key = openssh_key()
    bed.write("/opt/backup/id_ed25519", key, 0o600)
    report = check_image(bed.disk)
    text = json.dumps(report.document())

    assert ["raw-private-key"] == [result.rule.id for result in report.broken]
    assert "/opt/backup/id_ed25519" in text
    assert key.splitlines()[2].decode() not in text


def test_a_published_test_key_of_a_package_is_allowed(bed: Bed) -> None:
    """What the list of reasons names is not reported, elsewhere it is."""
    bed.write("/usr/lib/x86_64-linux-gnu/libgnutls.so.30.40.3", openssh_key())

    assert () == check_image(bed.disk).broken


def test_a_secret_that_was_deleted_is_found(bed: Bed) -> None:
    """Deleting a file does not delete its bytes: the reason for looking at the disk."""
    bed.write("/opt/key", openssh_key())
    bed.remove("/opt/key")
    (broken,) = check_image(bed.disk).broken

    assert f"raw-{Secret.PRIVATE_KEY.value}" == broken.rule.id
    assert "free space" in broken.findings[0].what


@pytest.mark.parametrize("plant", ["/swapfile", "/run/provision.pid"])
def test_leftovers_at_unusual_places_are_found(plant: str, bed: Bed) -> None:
    """A swap file beside fstab, a file on the disk under /run."""
    bed.write(plant)

    assert [plant] == [finding.where for result in check_image(bed.disk).broken for finding in result.findings]


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nsshd:x:0:65534::/:/usr/sbin/nologin\n", "root's uid 0"),
        ("/etc/group", "root:x:0:\nsudo:x:27:\nnogroup:x:65534:\nadm:x:4:\nbuilder:x:1000:\n", "unknown group builder"),
        ("/etc/shadow-", "sshd:$y$j9T$abc$def:1::::::\n", "sshd has a password"),
        ("/etc/shadow-", "sshd::1::::::\n", "sshd needs no password"),
        ("/etc/ssh/sshd_config.d/50-goldnode.conf", "Match User x\nPasswordAuthentication no\n", "is yes by default"),
        ("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n", "is a copy"),
        (
            "/etc/apt/sources.list",
            "deb [trusted=yes] http://mirror.debian.org/debian trixie main\n",
            "without a signature",
        ),
        ("/etc/apt/sources.list.d/x.sources", "Types: deb\nURIs: https://example.org/\n", "names https://example.org/"),
        ("/var/lib/dpkg/updates/0001", "Package: tool\n", "waits for dpkg"),
        ("/usr/bin/tool", "changed", "is not what its package holds"),
        ("/boot/grub/grub.cfg", "set timeout=30\nlinux /boot/gone console=ttyS0\n", "waits 30 s"),
        ("/boot/grub/grub.cfg", "set timeout=0\n", "starts no kernel"),
        ("/usr/lib/goldnode/bin/cometbft", "", "is not a program"),
        ("/usr/lib/goldnode/image.json", "[]", "names no daemon"),
        ("/usr/lib/goldnode/image.json", "not JSON", "names no daemon"),
        ("/etc/passwd", "garbage\n", "unknown user garbage"),
        ("/etc/shadow", "garbage\n", "root is not locked"),
        ("/var/lib/dpkg/status", "Package: tool\nStatus: \n", "tool is unknown"),
        ("/boot/vmlinuz-6.1.0-old", "kernel", "holds 2 kernels"),
        ("/etc/sudoers.d/90-cloud-init-users", "debian ALL=(ALL) NOPASSWD:ALL\n", "must not ship"),
    ],
)
def test_each_way_of_breaking_a_rule_is_told(path: str, content: str, what: str, bed: Bed) -> None:
    """A rule that looks at several things says which one it is."""
    bed.write(path, content)
    findings = [finding.what for result in check_image(bed.disk).broken for finding in result.findings]

    assert any(what in finding for finding in findings), findings


def test_a_missing_machine_id_and_a_resolv_conf_that_links_to_disk_are_told(bed: Bed) -> None:
    """A read-only boot cannot make the id; a link to the disk keeps the builder's servers."""
    bed.remove("/etc/machine-id")
    bed.link("/etc/resolv.conf", "/etc/resolv.build")

    assert {"machine-id", "resolv-conf"} == {result.rule.id for result in check_image(bed.disk).broken}


def test_boot_code_and_swap_are_looked_for_on_the_disk(bed: Bed) -> None:
    """A core image of zeros; then a partition table that says swap where GRUB should be."""
    bed.write_raw(bytes(4096), 1 << 20)
    empty = _findings(bed)
    bed.write_raw(uuid.UUID(PartitionType.SWAP).bytes_le, FIRST_PARTITION)

    assert {"has no GRUB core image"} == empty
    assert {"has no BIOS boot partition", "is swap"} == _findings(bed)


def test_an_image_of_a_jvm_network_has_java_the_host_and_jars(bed: Bed) -> None:
    """There the daemon is no program of its own, and each of the three is looked for."""
    bed.write("/usr/lib/goldnode/network.json", '{"daemon": {"kind": "jvm"}}')
    bed.remove("/usr/lib/goldnode/bin/cometbft")
    report = check_image(bed.disk)
    missing = [finding.where for result in report.broken for finding in result.findings]
    for path in ("/usr/bin/java", "/usr/lib/goldnode/jvm/goldnode-jvm.jar", "/usr/lib/goldnode/jars/a-1.jar"):
        bed.write(path, "", 0o755)

    assert [
        "/usr/bin/java",
        "/usr/lib/goldnode/jvm/goldnode-jvm.jar",
        "/usr/lib/goldnode/jars/*.jar",
    ] == missing
    assert () == check_image(bed.disk).broken


def test_arm64_boots_by_uefi_alone(bed: Bed) -> None:
    """Its loader and its console have other names, and there is no BIOS."""
    bed.edit("/var/lib/dpkg/status", "Architecture: amd64", "Architecture: arm64")
    bed.write_raw(bytes(440), 0)

    assert {"boot-uefi", "serial-console"} == {result.rule.id for result in check_image(bed.disk).broken}


def test_file_capabilities_are_found(bed: Bed) -> None:
    """A program may have more rights without a mode that shows it."""
    bed.debugfs("ea_set /usr/bin/tool security.capability x")

    assert {"has file capabilities"} == _findings(bed)


def test_what_is_left_out_on_purpose_is_not_missing(bed: Bed) -> None:
    """Documentation, and files that another package diverted."""
    bed.append("/var/lib/dpkg/info/tool.md5sums", f"{'0' * 32}  usr/share/doc/tool/README\n{'0' * 32}  usr/bin/old")
    bed.write("/var/lib/dpkg/diversions", "/usr/bin/old\n/usr/bin/old.distrib\ntool\n")

    assert set() == _findings(bed)


def test_an_image_without_ssh_needs_no_ssh_settings(bed: Bed) -> None:
    """No sshd, no rule about its passwords."""
    bed.remove("/usr/sbin/sshd")
    bed.remove("/etc/ssh/sshd_config.d/50-goldnode.conf")

    assert set() == _findings(bed)


def _findings(bed: Bed) -> set[str]:
    return {finding.what for result in check_image(bed.disk).broken for finding in result.findings}


def test_a_deferred_daemon_may_be_absent(bed: Bed) -> None:
    """What is fetched at first boot by its hash is not missing."""
    bed.remove("/usr/lib/goldnode/bin/cometbft")
    bed.write("/usr/lib/goldnode/deferred.json", "[]\n")

    assert () == check_image(bed.disk).broken
