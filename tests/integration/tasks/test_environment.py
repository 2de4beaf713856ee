"""The locks under requirements/ install, and nothing comes along that they don't name."""

from __future__ import annotations

import json
import re
import venv
from pathlib import Path

import pytest

from goldnode.run import run
from goldnode.tasks import environment

#: A pinned line: name, extras, version.
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ \\;]+)", re.MULTILINE)
#: What a new environment has before anything is installed.
OWN = {"pip", "setuptools"}


def named(*locks: Path) -> set[tuple[str, str]]:
    """Name (normalised) and version of all pins."""
    pins = {found for lock in locks for found in PIN.findall(lock.read_text())}
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pins}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment made as ./invoke and then ./invoke test make it."""
    home = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(home, with_pip=True)
    environment.install(home, environment.RUN, "run")
    environment.install(home, environment.TEST, "test")
    return home


def test_locks_install_with_nothing_but_what_they_name(made: Path) -> None:
    """Every installed package is a pin of a lock, in that version, and no requirement is unmet."""
    listed = json.loads(run([made / "bin/python", "-m", "pip", "list", "--format", "json"]).stdout)
    found = {(re.sub(r"[-_.]+", "-", each["name"]).lower(), each["version"]) for each in listed}
    extra = {pin for pin in found - named(environment.INSTALLER, *environment.RUN, *environment.TEST)
             if pin[0] not in OWN}  # fmt: skip
    run([made / "bin/uv", "pip", "check", "--python", made / "bin/python"])

    assert set() == extra


def test_an_environment_that_is_up_to_date_is_left_alone(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second call installs nothing."""
    environment.install(made, environment.TEST, "test")

    assert "" == capsys.readouterr().err


@pytest.mark.parametrize("lock", sorted(environment.REQUIREMENTS.glob("*.lock")), ids=lambda lock: lock.name)
def test_locks_keep_extras(lock: Path) -> None:
    """A package that was asked for with extras is pinned with them: installers disagree about what else it means."""
    source = lock.with_suffix(".in")
    asked = re.findall(r"^([A-Za-z0-9._-]+)\[", source.read_text(), re.MULTILINE) if source.exists() else []
    missing = [name for name in asked if not re.search(rf"^{re.escape(name)}\[", lock.read_text(), re.MULTILINE)]

    assert [] == missing


def test_a_lock_that_does_not_install_says_which_and_why(tmp_path: Path, made: Path) -> None:
    """A package whose bytes are not those of its hash is refused, and the message names the lock."""
    lock = tmp_path / "requirements" / "wrong.lock"
    lock.parent.mkdir()
    lock.write_text(f"six==1.16.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(environment.InstallError, match=r"wrong\.lock could not be installed: .*[Hh]ash"):
        environment.install(made, [lock], "wrong")
