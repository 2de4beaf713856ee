"""What a bake promises beside its image: nothing is done twice, nothing half done is left, and it says why."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from goldnode.bake.manifest import SCHEMA
from goldnode.files import sha256_file
from goldnode.image.disk import ROOTS, open_disk
from goldnode.run import run
from tests.support.baking import invoke, processes, start
from tests.support.waiting import until


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An output folder of this test's own."""
    return {"GOLDNODE_OUT": str(tmp_path)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for next to nothing."""
    folder = tmp_path / "small"
    folder.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=20M", "small", folder])
    yield folder
    run(["umount", folder])


def test_the_manifest_keeps_to_its_schema(sealed_manifest: dict[str, Any], sealed_image: Path) -> None:
    """The manifest is what its schema says, and its digest is the image's."""
    jsonschema.validate(sealed_manifest, json.loads(SCHEMA.read_text()))

    assert sha256_file(sealed_image) == sealed_manifest["image"]["sha256"]


def test_an_image_of_localnet_is_small(sealed_manifest: dict[str, Any]) -> None:
    """A localnet image has at most 125 MB."""
    assert sealed_manifest["image"]["size"] <= 125_000_000


def test_an_unchanged_bake_says_so(sealed_image: Path) -> None:
    """Nothing is baked again when nothing has changed, and the command tells why."""
    before = sealed_image.stat()
    said = invoke("bake", "--network", "localnet")

    assert (0, True) == (said.code, said.stdout.startswith("unchanged: "))
    assert (before.st_ino, before.st_mtime_ns) == (sealed_image.stat().st_ino, sealed_image.stat().st_mtime_ns)


def written(image: Path, path: str) -> int:
    """When a file of an image was last written, unix seconds, by the clock of the machine that wrote it."""
    with open_disk(image) as disk:
        root = disk.partition(*ROOTS)
        assert root
        said = run(["debugfs", "-R", f"stat {path}", f"{disk.path}?offset={root.start}"]).stdout
    found = re.search(r"^ *mtime: 0x([0-9a-f]{8})", said, re.MULTILINE)
    assert found, said
    return int(found[1], 16)


def test_two_bakes_at_once_give_the_same_files(
    sealed_manifest: dict[str, Any], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    """Two bakes at once do not harm each other, the same inputs give the same file-tree digest, the clock is right."""
    began = time.time()
    words = ("bake", "--network", "localnet", "--json")
    both = [start(*words, env=elsewhere) for _ in range(2)]
    documents = [json.loads(process.communicate(timeout=600)[0]) for process in both]

    assert [sealed_manifest["image"]["tree_sha256"]] * 2 == [it["image"]["tree_sha256"] for it in documents]
    assert documents[0] == documents[1]
    assert "keep the booted machine" not in documents[0]["seconds"]  # it goes on from that of `sealed_manifest`
    assert written(tmp_path / "localnet-0.38.19-amd64.qcow2", "/etc/login.defs") >= began - 1
    assert ["localnet-0.38.19-amd64.manifest.json", "localnet-0.38.19-amd64.qcow2"] == sorted(
        file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")
    )


@pytest.mark.usefixtures("sealed_image")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_bake_leaves_nothing(elsewhere: dict[str, str], tmp_path: Path, how: signal.Signals) -> None:
    """However a bake is ended, no QEMU goes on and nothing stands under its final name."""
    process = start("bake", "--network", "localnet", env=elsewhere)
    assert until(lambda: any("qemu-system" in it and "-smbios" in it for it in processes(str(tmp_path))), 120)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    left_nothing = until(lambda: not processes(str(tmp_path)), 20)

    assert left_nothing
    assert [] == [file.name for file in tmp_path.iterdir() if file.suffix in {".qcow2", ".json"}]
    if how is signal.SIGINT:
        assert (130, True) == (process.returncode, "interrupted" in stderr)
        assert [] == list(tmp_path.glob(".bake-*"))


def test_a_full_disk_is_said_before_anything_is_started(small_disk: Path) -> None:
    """Without space for a bake there is one sentence, exit code 4, and nothing half done."""
    said = invoke("bake", "--network", "localnet", env={"GOLDNODE_OUT": str(small_disk)})

    assert (4, True) == (said.code, "not enough space to bake" in said.stderr)
    assert [] == list(small_disk.glob("*.qcow2"))


def test_what_cannot_be_had_is_deferred_loudly(elsewhere: dict[str, str], tmp_path: Path) -> None:
    """Without the release host the image says `deferred` in its name, its manifest and on the terminal."""
    dead = {"https_proxy": "http://127.0.0.1:9", "http_proxy": ""}
    said = invoke("bake", "--network", "osmosis", env={**elsewhere, **dead})
    manifest = json.loads((tmp_path / "osmosis-31.0.0-amd64.deferred.manifest.json").read_text())

    assert said.code == 0, said.stderr
    assert (tmp_path / "osmosis-31.0.0-amd64.deferred.qcow2").exists()
    assert {
        "d435408b845e79a2594594a315d9d22797fdbb7871a5936df68f51f0df557957",
        "1cdb76087fabcca7709fc563b44b5de98aaf297eedc8805aa2884999e6bab06d",
    } == {item["sha256"] for item in manifest["deferred"]}
    assert 2 == said.stdout.count("DEFERRED")


def test_strict_refuses_to_defer(elsewhere: dict[str, str], tmp_path: Path) -> None:
    """With --strict, what cannot be obtained now is an error of its class, and there is no image."""
    dead = {"https_proxy": "http://127.0.0.1:9", "http_proxy": ""}
    said = invoke("bake", "--network", "osmosis", "--strict", env={**elsewhere, **dead})

    assert (5, []) == (said.code, list(tmp_path.glob("*.qcow2")))
    assert "osmosisd" in said.stderr


def test_a_wrong_artifact_is_named(elsewhere: dict[str, str], tmp_path: Path) -> None:
    """A file of the operator's that is not what its name says is refused by name."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    wrong = folder / "d435408b845e79a2594594a315d9d22797fdbb7871a5936df68f51f0df557957"
    wrong.write_bytes(b"something else")
    said = invoke("bake", "--network", "osmosis", "--artifacts", folder, env=elsewhere)

    assert (5, True) == (said.code, wrong.name[:12] in said.stderr)


def test_an_unpinned_network_stops_with_the_command_that_pins_it(elsewhere: dict[str, str]) -> None:
    """A hash that nobody published is not invented."""
    said = invoke("bake", "--network", "coreum", env=elsewhere)

    assert (5, True) == (said.code, "./invoke network lock coreum" in said.stderr)
