"""What is left when somebody dies in the middle of a bake: nothing, and one clear message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake.build_dir import temporary_build_dir
from goldnode.errors import BakeError
from goldnode.vm import guard
from tests.integration.bake import tiny
from tests.support.waiting import gone

QEMU = "qemu-system-x86_64 "


@pytest.fixture(autouse=True)
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results go here."""
    monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


GUARD = f"{Path(sys.executable).name} -I {Path(guard.__file__).resolve()}"
VICTIMS = {
    "watch": ((GUARD, 0), "Packer was ended by SIGKILL"),
    "keeper": ((GUARD, 1), "Packer was ended by SIGKILL"),
    "outer": (("packer build ", 0), "Packer was ended by SIGKILL"),
    "inner": (("packer build ", 1), "Packer ended before there was an image"),
    "plugin": (("packer plugin packer-builder-qemu", 0), "Build 'qemu.golden' errored"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_packer_dies(victim: str, out: Path, tmp_path: Path) -> None:
    """When Packer, a part or its guard is killed, its QEMU goes too, and one error says so and where the logs are."""
    (command, which), words = VICTIMS[victim]
    seen: list[BaseException] = []

    def bake() -> None:
        try:
            tiny.bake(tmp_path)
        except BakeError as error:
            seen.append(error)

    thread = threading.Thread(target=bake, daemon=True)
    thread.start()
    qemu = tiny.wait_for(os.getpid(), QEMU)
    os.kill(sorted(tiny.descendants(os.getpid(), command))[which], signal.SIGKILL)
    thread.join(60)
    (error,) = seen
    (kept,) = (out / "failed").iterdir()

    assert gone([qemu])
    assert isinstance(error, BakeError)
    assert error.message.startswith(f"the bake of localnet failed: {words}")
    assert f"less {kept}/console.log {kept}/packer.log" == error.hint
    assert (kept / "packer.log").stat().st_size


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_we_die(number: signal.Signals) -> None:
    """Ctrl-C, kill and kill -9 of a bake leave neither QEMU nor Packer."""
    argv = ["env", "--default-signal=INT", sys.executable, "-m", tiny.__name__]
    with subprocess.Popen(argv, cwd=paths.REPOSITORY, stderr=subprocess.DEVNULL) as process:
        tiny.wait_for(process.pid, QEMU)
        below = guard.descendants(process.pid)
        process.send_signal(number)

        assert process.wait(30)
    assert gone(below)


def test_an_abandoned_workshop_is_removed(out: Path) -> None:
    """What a killed bake left in out/ goes with the next bake; a living bake's folder stays."""
    abandoned = out / ".bake-abandoned"
    abandoned.mkdir()
    (abandoned / "alive").touch()
    with temporary_build_dir() as living, temporary_build_dir() as next_one:
        there = {folder.name for folder in out.iterdir()}

    assert {living.name, next_one.name} == there
    assert [] == list(out.iterdir())
