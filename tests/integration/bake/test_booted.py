"""The state of a machine that has booted: real QEMU writes it and goes on from it, or the bake boots."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake.base import Base
from goldnode.bake.vm import access, booted, golden_vm
from goldnode.config import network
from goldnode.errors import BakeError, HostError
from goldnode.progress import SILENT
from goldnode.run import run, spawn, stop_group
from goldnode.vm import machine, monitor
from goldnode.vm.accel import Accelerator
from tests.integration.bake import tiny
from tests.support.waiting import until

QEMU = "qemu-system-x86_64 "


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """A base whose machine sleeps for ever."""
    return tiny.base(tmp_path / "base")


@contextmanager
def started(folder: Path, base: Base, *more: str, backing: Path | None = None) -> Iterator[Path]:
    """A machine with a disk over the base's, in a folder with its monitor."""
    folder.mkdir()
    machine.overlay(backing or base.disk, folder / "disk.qcow2")
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-display", "none", "-m", "64"]
    argv += ["-kernel", str(base.folder / "vmlinuz"), "-drive", "file=disk.qcow2,if=virtio,format=qcow2"]
    with spawn([*argv, *monitor.ARGUMENTS, *more], cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            assert until((folder / monitor.SOCKET).exists)
            yield folder
        finally:
            stop_group(process)


def kept(base: Base, folder: Path) -> booted.Booted:
    """The state of a machine that was started for it, and whose disk was written to by then."""
    entry = access.grant(folder.parent)
    with started(folder, base) as running:
        write: dict[str, Any] = {"command-line": 'qemu-io virtio0 "write -P 0x74 0 4096"'}
        monitor.tell(running, "human-monitor-command", **write)
        booted.keep(base, tiny.ACCELERATION, running, running / "disk.qcow2", entry)

        assert monitor.tell(running, "query-status")["status"] == "running"
    found = booted.find(base, tiny.ACCELERATION, folder)
    assert found
    return found


def test_a_machine_goes_on_from_what_was_kept(base: Base, tmp_path: Path) -> None:
    """The machine that is kept runs on, and another begins where it was, though the state is removed."""
    state = kept(base, tmp_path / "first")
    mode, folders = state.folder.stat().st_mode, [it.name for it in base.folder.iterdir() if it.is_dir()]
    with started(tmp_path / "second", base, "-incoming", state.incoming, backing=state.disk) as running:
        goes_on = until(lambda: booted.resumed(running))
        status = monitor.tell(running, "query-status")["status"]
    booted.discard(state.folder)
    disk = tmp_path / "second" / "disk.qcow2"
    first = run(["qemu-io", "-U", "-r", "-f", "qcow2", "-c", "read -P 0x74 0 4096", disk]).stdout

    assert goes_on
    assert status == "running"
    assert "read 4096/4096" in first
    assert "verification failed" not in first
    assert state.entry.private_key.read_bytes() == (tmp_path / access.PRIVATE_KEY).read_bytes()
    assert state.entry.public_key == access.granted(tmp_path).public_key
    assert (0, [state.folder.name]) == (mode & 0o077, folders)


def test_a_machine_is_not_there_before_its_state_is(tmp_path: Path) -> None:
    """A machine whose monitor does not answer yet is not called resumed."""
    assert not booted.resumed(tmp_path)


@pytest.mark.parametrize("damaged", [booted.DISK, booted.MEMORY, booted.DIGESTS, access.PRIVATE_KEY])
def test_a_damaged_state_is_not_used(base: Base, tmp_path: Path, damaged: str) -> None:
    """One wrong byte, and the state is removed: the next bake boots."""
    state = kept(base, tmp_path / "first")
    with (state.folder / damaged).open("r+b") as stream:
        stream.seek(-40, os.SEEK_END)
        byte = stream.read(1)[0]
        stream.seek(-40, os.SEEK_END)
        stream.write(bytes([byte ^ 1]))

    assert booted.find(base, tiny.ACCELERATION, base.folder.parent) is None
    assert not state.folder.exists()


def test_another_processor_does_not_go_on(base: Base, tmp_path: Path) -> None:
    """A state is of one accelerator, processor and QEMU: any other finds none, and leaves it alone."""
    state = kept(base, tmp_path / "first")
    other = replace(tiny.ACCELERATION, accelerator=Accelerator.KVM)

    assert booted.find(base, other, base.folder.parent) is None
    assert state.folder.exists()


def test_a_machine_that_cannot_be_kept_runs_on(base: Base, tmp_path: Path) -> None:
    """Where the state cannot be written, there is an error, no state, and a machine that runs."""
    entry = access.grant(tmp_path)
    with started(tmp_path / "first", base) as running:
        with pytest.raises(HostError):
            booted.keep(base, tiny.ACCELERATION, running, running / "no-disk", entry)
        status = monitor.tell(running, "query-status")["status"]

    assert status == "running"
    assert booted.find(base, tiny.ACCELERATION, base.folder.parent) is None
    assert [] == [it.name for it in base.folder.iterdir() if it.is_dir()]


@contextmanager
def baking(base: Base, folder: Path) -> Iterator[set[int]]:
    """A bake from this base that never comes to its end; the block's end kills each QEMU it starts: their numbers."""
    folder.mkdir()
    killed: set[int] = set()

    def bake() -> None:
        with contextlib.suppress(BakeError):
            tiny.bake_from(base, folder)

    thread = threading.Thread(target=bake, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        while thread.is_alive():
            for pid in tiny.descendants(os.getpid(), QEMU):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            thread.join(0.2)


@pytest.fixture
def state(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what a bake kept of its machine when its console said that it is ready."""
    monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path / "out"))
    with baking(base, tmp_path / "first"):
        console = tmp_path / "first" / "shop" / "console.log"
        assert until(console.exists, 60)
        with console.open("a") as stream:
            stream.write(access.READY)
        assert until(lambda: booted.find(base, tiny.ACCELERATION, base.folder.parent), 60)
    found = booted.find(base, tiny.ACCELERATION, base.folder.parent)
    assert found
    return found.folder


def test_a_bake_whose_state_does_not_start_boots(base: Base, tmp_path: Path, state: Path) -> None:
    """QEMU refuses the state (its digests are right, its content is not): it is removed, and the bake boots."""
    (state / booted.MEMORY).write_bytes(b"no state of QEMU's")
    (state / booted.DIGESTS).write_text(json.dumps(booted._digests(state)))
    with baking(base, tmp_path / "second"):
        boots = until(lambda: any("-incoming" not in line for line in commands()), 60)

    assert boots
    assert not state.exists()


def test_a_bake_that_fails_later_does_not_trust_the_state(base: Base, tmp_path: Path, state: Path) -> None:
    """The machine goes on, and the bake fails: nobody knows why, so the state is removed; this bake is not repeated."""
    with baking(base, tmp_path / "second") as killed:
        went_on = until(lambda: any(goes_on(line) for line in commands()), 60)

    assert went_on
    assert len(killed) == 1
    assert not state.exists()


def test_a_payload_that_is_larger_than_its_drive(base: Base, tmp_path: Path) -> None:
    """It is not cut off, but refused, before anything is started."""
    payload = tmp_path / "payload.tar"
    payload.touch()
    os.truncate(payload, booted.DRIVE + 1)

    with pytest.raises(BakeError, match=r"localnet has 2048 MiB of files"):
        golden_vm.run_packer(base, payload, tmp_path, tiny.ACCELERATION, SILENT, network=network.load("localnet"))


def goes_on(command: str) -> bool:
    """Whether the machine with this command line was started from a state, and runs."""
    if "-incoming" not in command:
        return False
    (path,) = [word.removeprefix("unix:").partition(",")[0] for word in command.split() if word.startswith("unix:")]
    try:
        return bool(monitor.tell(Path(path).parent, "query-status")["status"] == "running")
    except HostError:
        return False


def commands() -> list[str]:
    """The command lines of the machines that run."""
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in tiny.descendants(os.getpid(), QEMU)]
