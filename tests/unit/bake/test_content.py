"""The payload's tar: the same inputs, the same bytes, and every file where the contract puts it."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.bake import content, zipapp
from goldnode.bake.base import EPOCH
from goldnode.bake.content import Entry
from goldnode.bake.programs.payload import LIB, NextVersion, Origin, Payload, PayloadFile, Provenance
from goldnode.config.network import load
from goldnode.fetch import artifact
from goldnode.paths import REPOSITORY


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    """What obtain() gives for localnet."""
    daemon = tmp_path / "cometbft"
    daemon.write_bytes(b"\x7fELF")
    files = (PayloadFile(f"{LIB}/bin/cometbft", daemon, 0o755),)
    return Payload(files, (), Provenance(Origin.SOURCE, "cometbft", "0.38.19"), "key")


def test_same_inputs_same_bytes(payload: Payload, tmp_path: Path) -> None:
    """Neither dates, nor modes of the umask, nor the order on disk reach the tar."""
    network = load("localnet")
    first = content.write(content.entries(network, payload, "amd64"), tmp_path / "first.tar")
    os.utime(payload.files[0].source, (1, 1))
    payload.files[0].source.chmod(0o600)
    second = content.write(content.entries(network, payload, "amd64"), tmp_path / "second.tar")

    assert first == second
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_a_changed_byte_changes_the_sum(payload: Payload, tmp_path: Path) -> None:
    """The sum notices one other byte in one file."""
    network = load("localnet")
    first = content.write(content.entries(network, payload, "amd64"), tmp_path / "first.tar")
    payload.files[0].source.write_bytes(b"\x7fELG")

    assert first != content.write(content.entries(network, payload, "amd64"), tmp_path / "second.tar")


def test_members(payload: Payload, tmp_path: Path) -> None:
    """Everything is root's, dated once, sorted, each folder before what is in it and only once."""
    tar = tmp_path / "payload.tar"
    content.write(content.entries(load("localnet"), payload, "amd64"), tar)
    with tarfile.open(tar) as archive:
        members = archive.getmembers()
    names = [member.name for member in members]

    assert {(0, 0, "root", "root", EPOCH)} == {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members}
    assert len(set(names)) == len(names)
    for number, name in enumerate(names):
        assert all(str(parent) in names[:number] for parent in Path(name).parents if str(parent) != ".")
    files = [member.name for member in members if not member.isdir()]
    assert sorted(files) == files


def test_what_the_contract_names_is_there(payload: Payload) -> None:
    """The image's own files stand where the node program looks for them."""
    found = {entry.path: entry for entry in content.entries(load("localnet"), payload, "amd64")}

    wanted = {"image.json", "network.json", "packages.txt", "node.pyz", "start-check", "bin/cometbft",
              "roles/validator/role.yaml"}  # fmt: skip
    assert {f"{LIB}/{name}" for name in wanted} <= set(found)
    assert f"{LIB}/deferred.json" not in found
    assert 0o755 == found["/usr/bin/goldnode"].mode
    assert found["/etc/systemd/system/multi-user.target.wants/goldnode-configure.service"].link


def test_the_image_says_which_debian_it_stands_on(payload: Payload) -> None:
    """Status and metrics read it there; where a cloud brings its own Debian, nothing is claimed."""
    debian = {"suite": "trixie", "date": "2026-11-29", "snapshot": "20261129T060000Z"}

    def said(given: dict[str, str] | None) -> object:
        found = {entry.path: entry.data for entry in content.entries(load("localnet"), payload, "amd64", given)}
        return json.loads(bytes(found[f"{LIB}/image.json"])).get("debian")

    assert [debian, None] == [said(debian), said(None)]


def test_what_is_deferred_is_told_and_not_started() -> None:
    """An image whose daemon comes at first boot says so, and has no start check for what it does not hold."""
    network = load("osmosis")
    release = network.daemon.release["amd64"]
    deferred = (artifact.Deferred(network.daemon.name, release, f"{LIB}/bin/{network.daemon.name}", 0o755),)
    payload = Payload((), deferred, Provenance(Origin.DEFERRED, network.daemon.name, network.daemon.version), "key")
    found = {entry.path for entry in content.entries(network, payload, "amd64")}

    assert f"{LIB}/deferred.json" in found
    assert f"{LIB}/start-check" not in found


def test_a_jvm_network_starts_its_nodes_in_the_bake() -> None:
    """There is no program to ask for its version, so the start check is two nodes until they are ready."""
    network = load("daml")
    payload = Payload((), (), Provenance(Origin.JARS, network.daemon.name, network.daemon.version), "key")
    found = {entry.path: entry.data for entry in content.entries(network, payload, "amd64")}

    assert found[f"{LIB}/start-check"] == REPOSITORY / "packer" / "scripts" / "start-nodes.sh"
    assert b"postgresql\n" in found[f"{LIB}/packages.txt"]  # type: ignore[operator]


def test_the_program_of_a_mesh_is_started_too(payload: Payload, tmp_path: Path) -> None:
    """The bake starts every program of ours inside the machine, and the node learns which meshes it may choose."""
    tunnel = tmp_path / "vpncloud"
    tunnel.write_bytes(b"\x7fELF")
    files = (*payload.files, PayloadFile(f"{LIB}/bin/vpncloud", tunnel, 0o755))
    whole = replace(payload, files=files, programs=(Provenance(Origin.CRATE, "vpncloud", "2.3.0"),))

    entries = content.entries(load("localnet").with_mesh("vpncloud"), whole, "amd64")
    found = {entry.path: entry.data for entry in entries}
    check = found[f"{LIB}/start-check"]

    assert isinstance(check, bytes)
    assert [f"{LIB}/bin/cometbft version", f"{LIB}/bin/vpncloud --version"] == re.findall(
        rf"timeout 120 ({LIB}/bin/\S+ \S+) ", check.decode()
    )
    assert ["wireguard", "vpncloud"] == json.loads(found[f"{LIB}/network.json"])["meshes"]  # type: ignore[arg-type]


def test_daemons_of_upgrades_ahead_are_started_too(payload: Payload, tmp_path: Path) -> None:
    """Inside the machine, with the libraries of their own version."""
    place = f"{LIB}/daemons/cometbft/0.39.0"
    program = tmp_path / "next"
    program.write_bytes(b"\x7fELF")
    following = NextVersion("v2", 200, Provenance(Origin.RELEASE, "cometbft", "0.39.0"))
    files = (*payload.files, PayloadFile(f"{place}/bin/cometbft", program, 0o755))

    entries = content.entries(load("localnet"), replace(payload, files=files, next_versions=(following,)), "amd64")
    check = {entry.path: entry.data for entry in entries}[f"{LIB}/start-check"]

    assert isinstance(check, bytes)
    assert f"env LD_LIBRARY_PATH={place}/lib timeout 120 {place}/bin/cometbft version" in check.decode()
    assert "answers '$answer', not 0.39.0" in check.decode()


def test_links_keep_their_target(tmp_path: Path) -> None:
    """A symbolic link arrives as one, with nothing followed."""
    tar = tmp_path / "links.tar"
    content.write([Entry("/etc/a", 0o777, link="../b"), Entry("/etc/c", 0o640, b"c")], tar)
    with tarfile.open(tar) as archive:
        link, file = archive.getmember("etc/a"), archive.getmember("etc/c")

        assert (True, "../b") == (link.issym(), link.linkname)
        assert (0o640, b"c") == (stat.S_IMODE(file.mode), archive.extractfile(file).read())  # type: ignore[union-attr]


def test_node_program_is_reproducible() -> None:
    """The node's zipapp has a main, the root modules and nothing of the operator's side, undated and sorted."""
    program = content.node_program()
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]

    assert program == content.node_program()
    assert program.startswith(b"#!/usr/bin/python3 -I\n")
    assert {zipapp.DATE} == {info.date_time for info in infos}
    assert {
        "__main__.py",
        "goldnode/__init__.py",
        "goldnode/node/__main__.py",
        "goldnode/rendezvous/__main__.py",
    } <= set(names)
    assert not [name for name in names if name.startswith(("goldnode/bake", "goldnode/tasks", "goldnode/cluster"))]
