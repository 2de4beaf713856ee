"""What people type wrongly: one sentence, the command to type next, and the exit code of its class."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.support.baking import invoke

MISTAKES = {
    "bak": (2, "there is no command 'bak'; did you mean bake?", "./invoke --list"),
    "network chek localnet": (2, "there is no command 'network chek'; did you mean network check?", "./invoke --list"),
    "--nonsense": (2, "./invoke has no option --nonsense", "./invoke --list"),
    "bake --networks localnet": (2, "bake has no option --networks", "./invoke bake --help"),
    "network show": (2, "network show needs NAME", "./invoke network show --help"),
    "cluster approve c1": (2, "cluster approve needs NODE", "./invoke cluster approve --help"),
    "cluster new c1": (2, "cluster new needs --network", "./invoke cluster new --help"),
    "cluster invite c1": (2, "cluster invite needs --role", "./invoke cluster invite --help"),
    "fleet move val": (2, "fleet move needs --image", "./invoke fleet move --help"),
    "publish {folder}": (2, "publish needs --to", "./invoke publish --help"),
    "release --version 1.0.0": (2, "release needs --network, --sign", "./invoke release --help"),
    "nope --help": (2, "there is no command 'nope'", "./invoke --list"),
    "--list nope": (2, "there is no group of commands 'nope'", "./invoke --list"),
    "boot {disk} test": (2, "boot: unexpected argument 'test'", "./invoke boot --help"),
    "bake --version": (2, "bake has no option --version", "./invoke bake --help"),
    "networks -- more": (2, "nothing may stand behind --: more", "./invoke --list"),
    "--print-completion-script csh": (2, "--print-completion-script csh: bash, zsh, fish are known", "./invoke"),
    "network show a b": (2, "network show: unexpected argument 'b'", "./invoke network show --help"),
    "bake --network": (2, "Flag --network needed value and was not given one", "./invoke bake --help"),
    "bake --network nope": (2, "there is no network nope (", "./invoke networks"),
    "bake --arch mips": (2, "--arch mips: expected amd64 or arm64", "--arch amd64"),
    "bake --accel warp": (2, "--accel warp: expected auto, kvm or tcg", "./invoke bake --help"),
    "boot x --firmware coreboot": (2, "--firmware coreboot: expected bios or uefi", "./invoke boot --help"),
    "boot x --memory lots": (2, "--memory lots: expected an integer", "./invoke boot --help"),
    "boot {folder}": (2, "there is no image {folder}", "./invoke bake"),
    "boot {junk}": (7, "{junk} is not a qcow2 image", "./invoke image show {junk}"),
    "boot {disk} --forward 22": (2, "--forward 22: HOST:GUEST, two port numbers", "--forward 2222:22"),
    "boot {disk} --user-data {folder}/none": (
        2,
        "there is no user-data file {folder}/none",
        "./invoke cluster user-data",
    ),
    "boot {disk} --user-data {junk}": (3, "{junk}:1: cloud-init ignores user-data that begins with", "begin it with"),
    "image show {junk}": (7, "{junk} is too small to be a disk", "./invoke bake"),
    "boot {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "image show {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "image check {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "image digest {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "image check {disk} --builder-key {folder}/none": (2, "there is no public key of the bake {folder}/none", "ls"),
    "image check {disk} --builder-key {junk}": (2, "{junk} does not hold an SSH public key", "--builder-key"),
    "diff {folder}/none {disk}": (2, "there is no release or image {folder}/none", "ls out"),
    "verify {folder}/none": (2, "there is no release or image {folder}/none", "ls out"),
    "publish {folder}/none --to s3": (2, "there is no release {folder}/none", "ls out/release"),
    "publish {folder} --to moon": (2, "--to moon: ", "--to aws"),
    "fleet up --image {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "fleet up --mesh rope": (2, "--mesh rope: expected wireguard or vpncloud", "--mesh wireguard"),
    "fleet up --open-validators": (2, "--open-validators needs a key", "./invoke fleet up --ssh-key"),
    "fleet up --ssh-key {folder}/none": (2, "there is no public key {folder}/none", "ssh-keygen"),
    "fleet move val --image {folder}/none": (2, "there is no image {folder}/none", "./invoke bake"),
    "test --tier nope": (2, "there is no tier nope", "./invoke test --tier unit"),
    "network check {junk}": (2, "{junk} is not a network file: its name must end in .yaml", "./invoke network check"),
    "network import a/b --from {folder}": (2, "'a/b' is not a name for a network", "./invoke network import --help"),
    "network import ab --from {folder}": (2, "there is no chain.json {folder}/chain.json", "git clone"),
    "rendezvous --room-rate lots": (2, "--room-rate lots: expected a number", "./invoke rendezvous --help"),
    "rendezvous --listen 127.0.0.1:0 --database {junk}/db": (
        4,
        "this machine refuses {junk}: File exists",
        "ls -ld {junk}",
    ),
    "fleet status --folder {junk}": (2, "there is no fleet in {junk}", "./invoke fleet up"),
    "cluster new demo --network localnet --rendezvous x": (3, "'x' is not a rendezvous URL", "write it as http"),
    "cluster restore {folder}/none": (2, "there is no backup {folder}/none", "ls *.backup"),
    "bench jvm --nodes many": (2, "--nodes many: expected an integer", "./invoke bench jvm --help"),
}


#: What only a program that reads disks can find.
ON_DISKS = {"boot {junk}", "image show {junk}"}


@pytest.mark.parametrize("tools", [True, False], ids=["tools", "no-tools"])
def test_a_mistake_is_one_sentence_and_a_next_step(tools: bool, tmp_path: Path) -> None:
    """No traceback, nothing on standard output, the sentence, what to type, the exit code, before any installing."""
    files = {"folder": tmp_path, "junk": tmp_path / "junk", "disk": tmp_path / "disk"}
    files["junk"].write_text("not an image")
    run(["qemu-img", "create", "-q", "-f", "qcow2", files["disk"], "1M"])
    asked = {typed: answer for typed, answer in MISTAKES.items() if tools or typed not in ON_DISKS}
    lines = json.dumps([typed.format(**files).split() for typed in asked])
    own = {"GOLDNODE_CLUSTERS": str(tmp_path / "own")}
    # Where no tool is, and nothing that could install one.
    path = {} if tools else {"PATH": str(tmp_path), "GOLDNODE_CACHE": str(tmp_path / "cache")}
    argv = [sys.executable, "-m", "tests.integration.tasks.typed"]
    answers = json.loads(run(argv, cwd=REPOSITORY, env={**own, **path}, stdin=lines).stdout)

    for (code, sentence, hint), (ended, out, err) in zip(asked.values(), answers, strict=True):
        said = err.splitlines()
        assert (code, "", 2) == (ended, out, len(said)), err
        assert said[0].startswith(f"goldnode: {sentence.format(**files)}")
        assert said[1].startswith(f"  try: {hint.format(**files)}")


@pytest.mark.parametrize("typed", ["network check nope --debug", "--debug network check nope"])
def test_debug_shows_the_traceback(typed: str) -> None:
    """With `--debug`, wherever it stands, our own frames come before the sentence, and none of Invoke's chatter."""
    said = invoke(*typed.split())

    assert 2 == said.code
    assert "Traceback" in said.stderr
    assert "goldnode/config/network.py" in said.stderr
    assert "invoke.config" not in said.stderr
    assert "goldnode: there is no network nope" in said.stderr


def test_help_shows_what_takes_a_value() -> None:
    """A word, a number, what may be repeated; and what is a switch."""
    said = invoke("bake", "--help").stdout

    assert all(each in said for each in ("--arch ARCH", "--accel ACCEL", "--set SET", "--force  "))
