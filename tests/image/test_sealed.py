"""The sealed image offline: packages, accounts, units, settings, as its own tools see them."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from goldnode.image.rule import Image

pytestmark = [pytest.mark.root, pytest.mark.any_image]
ROLES = ["common", "validator", "sentry", "multi-node", "hosted", "rendezvous"]


@pytest.mark.parametrize(
    "name",
    [
        "cloud-init", "systemd", "nftables", "wireguard-tools", "chrony", "openssh-server", "python3",
        "python3-cryptography", "python3-yaml", "python3-tomlkit", "python3-jinja2",
    ],
)  # fmt: skip
def test_what_a_node_needs_is_installed(host: Host, name: str) -> None:
    """Nothing is installed at boot: every package is there already."""
    assert host.package(name).is_installed


def test_the_node_program_runs_on_the_images_own_python(host: Host) -> None:
    """The zipapp imports and answers with Debian's interpreter and modules."""
    done = host.run("/usr/bin/goldnode --help")

    assert (0, True) == (done.rc, "usage" in done.stdout.lower()), done.stderr


def test_the_daemon_runs_with_the_images_own_libraries(host: Host) -> None:
    """The daemon on the image says the version that the image claims."""
    facts = json.loads(host.file("/usr/lib/goldnode/image.json").content_string)
    done = host.run("/usr/lib/goldnode/bin/%s version", facts["daemon"]["name"])

    assert facts["daemon"]["version"] in done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_there(host: Host, role: str) -> None:
    """One image holds all roles; user-data picks."""
    assert host.file(f"/usr/lib/goldnode/roles/{role}/role.yaml").is_file


def test_only_the_configuring_unit_is_enabled(host: Host) -> None:
    """Systemctl itself says that no unit of a role starts at boot."""
    listed = host.check_output("systemctl list-unit-files --no-legend 'goldnode-*'").splitlines()
    enabled = [line.split()[0] for line in listed if line.split()[1].startswith("enabled")]

    assert ["goldnode-configure.service"] == enabled


def test_presets_change_nothing_on_first_boot(host: Host) -> None:
    """An `uninitialized` machine-id makes systemd apply presets: afterwards the same goldnode units are enabled."""
    listed = host.check_output("systemctl list-unit-files --no-legend 'goldnode-*'").splitlines()
    wanted = {line.split()[0]: line.split()[2] for line in listed if line.split()[1] in ("enabled", "disabled")}

    assert ["goldnode-configure.service"] == [unit for unit, preset in wanted.items() if preset == "enabled"]


@pytest.mark.parametrize("unit", ["cloud-init-main.service", "nftables.service", "chrony.service"])
def test_what_every_machine_needs_is_enabled(host: Host, unit: str) -> None:
    """User-data is read, the firewall is up, the clock is right."""
    assert "enabled" == host.run("systemctl is-enabled %s", unit).stdout.strip()


@pytest.mark.parametrize("unit", ["apt-daily.timer", "apt-daily-upgrade.timer"])
def test_what_no_machine_asked_for_is_off(host: Host, unit: str) -> None:
    """A golden image is replaced, not upgraded behind its operator's back."""
    assert "enabled" != host.run("systemctl is-enabled %s", unit).stdout.strip()


@pytest.mark.parametrize("folder", ["/etc", "/var"])
def test_the_first_boot_repeats_nothing(host: Host, folder: str) -> None:
    """To systemd itself all is done that follows a change of /usr."""
    assert 0 == host.run("systemd-analyze condition 'ConditionNeedsUpdate=!%s'", folder).rc


def test_the_bake_has_done_it(host: Host) -> None:
    """The journal's catalogue is there, which the first boot would have made."""
    assert host.file("/var/lib/systemd/catalog/database").size


def test_units_are_valid(host: Host) -> None:
    """No unit of goldnode's is faulty to systemd's own checker; a network may leave out a program it never starts."""
    done = host.run("systemd-analyze verify --man=no --recursive-errors=no /usr/lib/systemd/system/goldnode-*.service")
    complaints = [line for line in done.stderr.splitlines() if line and "is not executable" not in line]

    assert [] == complaints


def test_sshd_accepts_its_configuration(host: Host) -> None:
    """Sshd's own reading: no passwords, no root password, for whatever account comes later."""
    host.run("mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /run/sshd/host_key")
    told = host.check_output("sshd -T -h /run/sshd/host_key").splitlines()

    assert {"passwordauthentication no", "kbdinteractiveauthentication no"} <= set(told)


def test_the_firewall_loads(host: Host) -> None:
    """Nft accepts the rules that stand until a role brings its own."""
    done = host.run("nft --check --file /etc/nftables.conf")

    assert "" == done.stderr


def test_root_is_locked_and_nobody_has_a_password(host: Host) -> None:
    """Passwd's own view of every account: locked, never with a usable password."""
    states = {line.split()[1] for line in host.check_output("passwd --status --all").splitlines()}

    assert {"L"} == states


def test_dpkg_has_nothing_left_to_do(host: Host) -> None:
    """Dpkg's own audit is silent."""
    assert "" == host.check_output("dpkg --audit")


def test_the_kernel_settings_are_there(sealed: Image) -> None:
    """Goldnode's sysctls are on the image, where packages' defaults do not override them."""
    lines = sealed.root.lines("/usr/lib/sysctl.d/60-goldnode.conf")

    assert lines
    assert all("=" in line for line in lines)


def test_a_seed_on_a_cd_is_seen_in_time(host: Host) -> None:
    """cloud-init looks for its seed when systemd starts: the driver of CD-ROMs has to be in the initrd."""
    listed = host.check_output("lsinitramfs $(echo /boot/initrd.img-*)")

    assert "/sr_mod.ko" in listed
