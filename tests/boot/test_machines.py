"""The sealed image as a machine: one boot per role and per way that user-data comes, BIOS and UEFI, reboot, clone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from goldnode.cluster import user_data
from goldnode.config import network as networks
from goldnode.fleet.genesis import Validator, plain
from goldnode.fleet.single_vm import FORWARD, HOST, RENDEZVOUS, Sandbox, SandboxVm
from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run
from goldnode.vm import accel, machine, monitor
from goldnode.vm.machine import Firmware, QemuSpec
from tests.support.cluster_lab import seed
from tests.support.node_lab import Cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.any_image, pytest.mark.timeout(3000)]
GENESIS_TIME = datetime(2026, 1, 1, tzinfo=UTC)
READY = r"goldnode: sentry sentry-1 ready ([0-9.]+) s after power-on"
METADATA = "169.254.169.254"
WITH_VOLUME = """\
#cloud-config
write_files:
  - path: /etc/goldnode/node.yaml
    content: |
      version: 1
      role: rendezvous
      data: /dev/disk/by-id/virtio-late
"""
#: A slot that a disk can be put into while the machine runs.
SLOT = ("-device", "pcie-root-port,id=bay,bus=pcie.0")
IDENTITY = "3f0f0a52-0d6e-4d6e-9d0c-5a3c6b1f0001"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A place for machines, with a rendezvous."""
    made = Sandbox(tmp_path_factory.mktemp("bench"), accel.choose(accel.AccelMode.AUTO))
    made.open()
    made.namespace.run(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"])
    yield made
    made.namespace.end()


@pytest.fixture(autouse=True)
def switched_off(bench: Sandbox) -> Iterator[None]:
    """Whatever a test leaves running is switched off: it would keep ports that the next one wants."""
    yield
    for log in bench.folder.glob("*/qemu.log"):
        bench.namespace.stop(log.parent.name)


def pasted(role: str, *names: str, ssh_keys: tuple[str, ...] = ()) -> str:
    """User-data as `cluster user-data` makes it."""
    cluster = Cluster()
    network = networks.load("localnet")
    key = Key(seed("world"))
    roles = [(name, "validator" if role == "multi-node" else role) for name in names]
    return user_data.render(
        user_data.UserData(
            cluster="lab",
            network=network.name,
            role=role,
            nodes=[user_data.NodeSpec(name, own, cluster.invite(own)) for name, own in roles],
            rendezvous=[RENDEZVOUS] if names else [],
            genesis=plain(network.chain_id, [Validator("world", key, 10)], GENESIS_TIME) if names else b"",
            ssh_keys=ssh_keys,
        )
    )


def answers(box: SandboxVm, port: int) -> bool:
    """Whether whoever listens on a guest's port says anything.

    QEMU accepts for the guest, and hangs up when the guest refuses; a silent firewall keeps it waiting.
    """
    ask = (
        f"import socket; s = socket.create_connection(('127.0.0.1', {FORWARD + port}), 5); s.settimeout(5);"
        "s.sendall(b'GET /v1/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); print(len(s.recv(64)))"
    )
    done = box.sandbox.namespace.run([sys.executable, "-I", "-c", ask], check=False)
    return done.stdout.strip().isdigit() and int(done.stdout) > 0


@pytest.fixture
def localnet(image: Path, network: str) -> Path:
    """The image, where it is localnet's: nodes of other networks get ready only when their world is there."""
    if network != "localnet":
        # A release of another network comes here: it boots with the tests that need no chain, as any_image says.
        pytest.skip(f"boots nodes of localnet, and this is an image of {network}")
    return image


def on_cd(bench: Sandbox, name: str, text: str) -> Path:
    """A seed CD."""
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    return machine.seed_iso(folder / "seed.iso", text, instance=name)


def test_a_sentry_boots_reboots_and_is_not_copied(bench: Sandbox, localnet: Path) -> None:
    """From a CD by UEFI it gets ready; after a reset it is the same node; a copy of its disk refuses."""
    disk = bench.folder / "sentry.qcow2"
    seed_cd = on_cd(bench, "sentry-1", pasted("sentry", "sentry-1"))
    first = bench.boot("sentry-1", localnet, QemuSpec(disk, seed=seed_cd, identity=IDENTITY), (26656,))
    first.wait_for(READY)
    node_id = first.wait_for(r"sentry sentry-1: configured, node id ([0-9a-f]{40})")

    first.reset()
    again = first.wait_for(r"sentry sentry-1: configured, node id ([0-9a-f]{40})", times=2)
    first.wait_for(READY, times=2)

    assert node_id == again
    first.off()
    copy = bench.boot("copy", localnet, QemuSpec(disk, identity=IDENTITY.replace("0001", "0002")), (26656,))
    refusal = copy.wait_for(r"sentry-1: REFUSED: (this disk is a copy.*)")
    assert node_id in refusal
    assert not answers(copy, 26656)
    copy.off()


def test_a_machine_that_nobody_told_anything(bench: Sandbox, image: Path) -> None:
    """Whatever its network, an image boots by UEFI without user-data, says that it has no role, and answers nobody."""
    box = bench.boot("idle", image, QemuSpec(bench.folder / "idle.qcow2"), (26656, 8700, 22))
    box.wait_for("this machine has no role")

    assert [False, False, False] == [answers(box, port) for port in (26656, 8700, 22)]
    box.off()


def test_a_rendezvous_boots_from_an_address_in_the_firmware(bench: Sandbox, image: Path) -> None:
    """By BIOS, with user-data behind a URL that SMBIOS names, it serves the world on its one port."""
    folder = bench.folder / "web"
    folder.mkdir()
    (folder / "user-data").write_text(pasted("rendezvous"))
    (folder / "meta-data").write_text("instance-id: rendezvous\n")
    bench.serve("web", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), "8000")
    smbios = ("-smbios", f"type=1,serial=ds=nocloud;s=http://{HOST}:8000/")
    spec = QemuSpec(bench.folder / "rendezvous.qcow2", firmware=Firmware.BIOS, extra=smbios)
    box = bench.boot("rendezvous-1", image, spec, (8700, 22))
    box.wait_for("rendezvous listens on")

    assert (True, False) == (answers(box, 8700), answers(box, 22))
    box.off()


def on_ec2(bench: Sandbox, localnet: Path) -> SandboxVm:
    """A validator on a machine that says it is EC2's, with a metadata service."""
    (bench.folder / "ec2").write_text(pasted("validator", "validator-1"))
    bench.serve("imds", "tests.boot.imds", METADATA, "80", str(bench.folder / "ec2"), "i-0123456789abcdef0")
    uuid = IDENTITY.replace("3f0f0a52", "ec2f0a52")
    smbios = ("-smbios", f"type=1,manufacturer=Amazon EC2,product=t3.micro,serial={uuid},uuid={uuid}")
    return bench.boot(
        "validator-1", localnet, QemuSpec(bench.folder / "validator.qcow2", extra=smbios), (26656, 26657, 22)
    )


def test_a_validator_boots_from_a_metadata_service(bench: Sandbox, localnet: Path) -> None:
    """On EC2 it waits, closed to everybody, until a sentry holds it; when the service is gone, a reboot is the same."""
    box = on_ec2(bench, localnet)
    node_id = box.wait_for(r"validator validator-1: configured, node id ([0-9a-f]{40})")
    box.wait_for("validator validator-1: stopped.*: (waiting.*)")

    assert [False, False, False] == [answers(box, port) for port in (26656, 26657, 22)]
    bench.namespace.stop("imds")
    box.reset()
    assert node_id == box.wait_for(r"validator validator-1: configured, node id ([0-9a-f]{40})", times=2)
    box.wait_for("validator validator-1: stopped.*: (waiting.*)", times=2)
    box.off()


def test_a_lost_metadata_service_costs_no_time(bench: Sandbox, localnet: Path) -> None:
    """A reboot without the service takes at most 1.2 times what a reboot with it takes."""
    box, configured = on_ec2(bench, localnet), r"files changed, ([0-9.]+) s after power-on"
    box.wait_for(configured)
    box.reset()
    usual = float(box.wait_for(configured, times=2))
    bench.namespace.stop("imds")
    box.reset()
    without = float(box.wait_for(configured, times=3))

    print(f"reboot with the metadata service {usual} s, without {without} s: {without / usual:.2f} times")
    assert without <= 1.2 * usual, f"{without} s without, {usual} s with"
    box.off()


def test_a_late_volume_is_taken_and_a_grown_one_is_filled(bench: Sandbox, image: Path) -> None:
    """Attached while the machine waits for it, and formatted; the next boot knows it by another name, and grows it."""
    volume = bench.folder / "volume.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", volume, "1G"])
    seed_cd = on_cd(bench, "grown", WITH_VOLUME)
    spec = QemuSpec(bench.folder / "grown.qcow2", seed=seed_cd, identity=IDENTITY, extra=SLOT)
    box = bench.boot("grown", image, spec, (8700,))
    box.wait_for(r"/dev/disk/by-id/virtio-late is not attached")
    box.wait_for(r"login:")
    assert not answers(box, 8700)
    disk: dict[str, Any] = {"driver": "qcow2", "file": {"driver": "file", "filename": str(volume)}, "node-name": "late"}
    monitor.tell(bench.folder / "grown", "blockdev-add", **disk)
    monitor.tell(bench.folder / "grown", "device_add", driver="virtio-blk-pci", drive="late", bus="bay", serial="late")
    box.wait_for("rendezvous listens on")
    assert "was grown" not in box.console
    box.off()
    run(["qemu-img", "resize", "-q", volume, "2G"])

    box = bench.boot("grown", image, replace(spec, volumes=(volume,)), (8700,))
    box.wait_for(r"/dev/vdb was grown with its disk")
    box.wait_for("rendezvous listens on")

    assert answers(box, 8700)
    box.off()


def test_a_daemon_that_the_kernel_ends_for_its_memory_says_so(bench: Sandbox, localnet: Path) -> None:
    """A real out-of-memory kill of a real daemon: `goldnode status` names memory, until there is enough again."""
    key = bench.folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    user = pasted("sentry", "sentry-1", ssh_keys=(key.with_suffix(".pub").read_text().strip(),))
    spec = QemuSpec(bench.folder / "memory.qcow2", seed=on_cd(bench, "memory", user), identity=IDENTITY)
    box = bench.boot("memory", localnet, spec, (22,))
    box.wait_for(READY)
    unit = "goldnode-node@sentry-1.service"

    def typed(command: str) -> str:
        words = ["ssh", "-i", key, "-p", str(FORWARD + 22), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
        argv = [*map(str, words), "-o", "UserKnownHostsFile=/dev/null", "root@127.0.0.1", command]
        return bench.namespace.run(argv, check=False, timeout=60).stdout

    def reason() -> str:
        return str(json.loads(typed("goldnode status --json"))["nodes"][0]["reason"])

    assert until(lambda: "sentry-1" in typed("goldnode status"), 120, 2)
    typed(f"systemctl set-property --runtime {unit} MemoryMax=12M MemorySwapMax=0")
    assert until(lambda: "memory is full" in reason(), 180, 2), typed(f"journalctl -u {unit} | tail -30")
    ended = typed(f"journalctl -o cat -u {unit}")
    typed(f"systemctl set-property --runtime {unit} MemoryMax=infinity")

    assert until(lambda: "memory is full" not in reason(), 180, 2), typed("goldnode status")
    assert "oom-kill" in ended
    box.off()


def test_a_multi_node_machine_boots_by_bios(bench: Sandbox, localnet: Path) -> None:
    """Each of its nodes is configured under its own name and ID."""
    seed_cd = on_cd(bench, "multi", pasted("multi-node", "one", "two"))
    box = bench.boot("multi", localnet, QemuSpec(bench.folder / "multi.qcow2", firmware=Firmware.BIOS, seed=seed_cd))
    ids = {box.wait_for(f"validator {name}: configured, node id ([0-9a-f]{{40}})") for name in ("one", "two")}

    assert 2 == len(ids)
    box.off()
