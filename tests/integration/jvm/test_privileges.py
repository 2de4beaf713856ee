"""What root does for the JVM host, in folders where code that broke into the JVM may have prepared anything."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.network import load
from goldnode.config.node_config import NodeConfig
from goldnode.config.node_entry import NodeEntry
from goldnode.errors import SafetyError
from goldnode.node.jvm import jvm_setup
from goldnode.node.jvm.jvm_setup import PASSWORD, JvmPaths

pytestmark = pytest.mark.root
SERVICE = "nobody"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JvmPaths:
    """A machine's folders; the service's user owns the state, as systemd has it."""
    monkeypatch.setattr(jvm_setup, "USER", SERVICE)
    found = JvmPaths(tmp_path / "state", tmp_path / "run", tmp_path / "jars", tmp_path / "secrets")
    found.state.mkdir()
    os.chown(found.state, pwd.getpwnam(SERVICE).pw_uid, -1)
    return found


def prepare(paths: JvmPaths) -> list[str]:
    """One start of the service; the SQL that the administrator ran."""
    ran: list[str] = []
    machine = NodeConfig("hosted", (NodeEntry("alice", "hosted"),))
    jvm_setup.setup(
        load("daml"), machine, {"alice": 0}, paths, server=lambda: None, psql=ran.append,
        give=jvm_setup.give_to_service, share=jvm_setup.share_with_service,
    )  # fmt: skip
    return ran


def test_a_home_that_is_a_link_is_refused(paths: JvmPaths, tmp_path: Path) -> None:
    """What it points to keeps its owner, and the sentence names the home."""
    victim = tmp_path / "etc"
    victim.mkdir()
    (paths.state / "alice").symlink_to(victim)

    with pytest.raises(SafetyError, match="state/alice is not a plain folder"):
        prepare(paths)

    assert 0 == victim.stat().st_uid


def test_the_service_owns_its_homes_and_reads_its_files(paths: JvmPaths) -> None:
    """Files with a password are root's, in a folder of root's; the service's group reads them, and nobody else."""
    prepare(paths)
    user = pwd.getpwnam(SERVICE)
    file = paths.runtime / "nodes" / "alice.properties"

    assert user.pw_uid == (paths.state / "alice").stat().st_uid
    assert (0, user.pw_gid, 0o640) == (file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o777)
    assert (0, 0o700) == (paths.secrets.stat().st_uid, paths.secrets.stat().st_mode & 0o777)


@pytest.mark.parametrize("prepared", ["x'; DROP ROLE postgres; --", "root-only"])
def test_a_password_of_others_is_not_read(paths: JvmPaths, tmp_path: Path, prepared: str) -> None:
    """Neither a file nor a link that the service's user left where the password once was reaches SQL or a URL."""
    (tmp_path / "shadow").write_text(prepared)
    (paths.state / "alice.password").symlink_to(tmp_path / "shadow")

    ran = "\n".join(prepare(paths))

    assert prepared not in ran + (paths.runtime / "nodes" / "alice.properties").read_text()


@given(damage=st.binary(max_size=60))
def test_a_damaged_password_is_made_anew(tmp_path_factory: pytest.TempPathFactory, damage: bytes) -> None:
    """Whatever stands in the file, what goes into SQL is hex digits."""
    path = tmp_path_factory.mktemp("secrets") / "alice"
    path.write_bytes(damage)

    assert PASSWORD.fullmatch(jvm_setup._password(path))
