"""The operator's folder: made once, private, backed up whole, and clear when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.cluster.backup import back_up, restore
from goldnode.cluster.store import FILES, Cluster, create
from goldnode.errors import InputError, UsageError

PASSPHRASE = "correct horse battery"


def test_a_new_cluster_opens_again(tmp_path: Path) -> None:
    """What was made is what is opened."""
    made = create(tmp_path, "demo", "osmosis", "osmosis-1")
    made.meet_at(["http://203.0.113.10:8700"])

    again = Cluster(tmp_path / "demo")

    assert made.settings == again.settings
    assert (made.view.room, made.wrapping_key) == (again.view.room, again.wrapping_key)


def test_the_folder_is_private(tmp_path: Path) -> None:
    """Nobody else reads keys."""
    folder = create(tmp_path, "demo", "localnet").folder

    assert {0o600} == {(folder / name).stat().st_mode & 0o777 for name in FILES}
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["", "../x", "Demo", "a b", "x" * 33])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    """A cluster's name is a plain word."""
    with pytest.raises(UsageError):
        create(tmp_path / "clusters", name, "localnet")


def test_a_cluster_is_not_made_twice(tmp_path: Path) -> None:
    """Keys are never overwritten."""
    create(tmp_path, "demo", "localnet")
    with pytest.raises(UsageError, match="already exists"):
        create(tmp_path, "demo", "localnet")


def test_no_such_cluster(tmp_path: Path) -> None:
    """Opening what is not there says how to make it."""
    with pytest.raises(UsageError) as refusal:
        Cluster(tmp_path / "demo")

    assert "cluster new demo" in refusal.value.hint


@pytest.mark.parametrize(("name", "text"), [
    ("root.key", "zz"), ("cluster.json", "{}"), ("cluster.json", '{"version": 2}'), ("cluster.json", "[]"),
    ("membership.json", "{"),
])  # fmt: skip
def test_damage_is_named(tmp_path: Path, name: str, text: str) -> None:
    """A damaged file is one sentence with its path."""
    folder = create(tmp_path, "demo", "localnet").folder
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=name):
        Cluster(folder)


def test_a_backup_brings_everything_back(tmp_path: Path) -> None:
    """Restored from the encrypted copy, the folder is to the byte what it was."""
    cluster = create(tmp_path / "one", "demo", "localnet")
    back_up(cluster, tmp_path / "demo.backup", PASSPHRASE)

    again = restore(tmp_path / "demo.backup", tmp_path / "two", PASSPHRASE)

    assert [(cluster.folder / name).read_bytes() for name in FILES] == [
        (again.folder / name).read_bytes() for name in FILES
    ]


def test_a_backup_is_closed(tmp_path: Path) -> None:
    """Another passphrase, or a changed byte, opens nothing."""
    cluster = create(tmp_path, "demo", "localnet")
    target = tmp_path / "demo.backup"
    back_up(cluster, target, PASSPHRASE)
    with pytest.raises(InputError, match="passphrase is wrong"):
        restore(target, tmp_path / "two", PASSPHRASE + "!")
    target.write_bytes(target.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(InputError, match="damaged"):
        restore(target, tmp_path / "two", PASSPHRASE)

    assert (cluster.folder / "root.key").read_bytes().strip() not in target.read_bytes()


def test_backups_overwrite_nothing(tmp_path: Path) -> None:
    """Neither a file that is there nor a cluster that is there; short passphrases are refused."""
    cluster, target = create(tmp_path, "demo", "localnet"), tmp_path / "demo.backup"
    with pytest.raises(UsageError, match="passphrase"):
        back_up(cluster, target, "short")
    back_up(cluster, target, PASSPHRASE)
    with pytest.raises(UsageError, match="already exists"):
        back_up(cluster, target, PASSPHRASE)
    with pytest.raises(UsageError, match="already exists"):
        restore(target, tmp_path, PASSPHRASE)
    (tmp_path / "other").write_text("something else")
    with pytest.raises(InputError, match="not a backup"):
        restore(tmp_path / "other", tmp_path / "two", PASSPHRASE)
