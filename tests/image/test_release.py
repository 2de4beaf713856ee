"""A release from a clean commit to the last check, by the commands that a person types: of real images."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from goldnode.publish.binding import RELEASE, SIGNATURE, SUMS, FileRole
from goldnode.publish.signature import NAMESPACE
from goldnode.run import run
from tests.support.baking import invoke
from tests.support.checkout import checkout, commit

#: A release bakes, and boots the image over and over; the first test also waits for the first release.
pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.timeout(3600)]
NAME = "localnet-1.0.0-amd64"
#: A Debian package that needs nothing but libc.
PACKAGE = "tree"


@dataclass(frozen=True)
class Operator:
    """Somebody with a checkout and a key.

    Attributes:
        checkout: A clean checkout.
        key: The private key; `allowed_signers` beside it trusts it.
    """

    checkout: Path
    key: Path

    def types(self, *words: str | Path, out: Path) -> str:
        """``./invoke WORDS`` in the checkout, with results in ``out``; what it prints."""
        said = invoke(*words, env={"GOLDNODE_OUT": str(out)}, timeout=1500, checkout=self.checkout)
        assert said.code == 0, said.stderr[-5000:]
        return said.stdout

    def release(self, out: Path) -> Path:
        """Release localnet 1.0.0."""
        words = ("release", "--network", "localnet", "--version", "1.0.0", "--sign", self.key)
        return Path(self.types(*words, out=out).splitlines()[-1])


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator."""
    folder = tmp_path_factory.mktemp("operator")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / "key"])
    (folder / "allowed_signers").write_text(f"operator {(folder / 'key.pub').read_text()}")
    return Operator(checkout(folder / "checkout"), folder / "key")


@pytest.fixture(scope="module")
def first(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release."""
    return operator.release(tmp_path_factory.mktemp("first"))


def document(folder: Path, role: FileRole | None = None) -> dict[str, Any]:
    """One of the JSON files of a release; release.json by default."""
    path = folder / (folder.name + role.ending if role else RELEASE)
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def test_a_release_is_whole(operator: Operator, first: Path) -> None:
    """A release of a clean commit verifies by our command and by others' tools, and the image was tested and booted."""
    signers = operator.key.with_name("allowed_signers")
    said = operator.types("verify", first, "--signers", signers, out=first.parent)
    ssh_verify: list[str | Path] = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "operator", "-n", NAMESPACE]
    run([*ssh_verify, "-s", first / SIGNATURE], stdin=(first / SUMS).read_text())
    run(["sha256sum", "--check", "--strict", SUMS], cwd=first)
    bill = (first / (NAME + FileRole.SBOM.ending)).read_text()
    report = ET.parse(first / (NAME + FileRole.TESTS.ending)).getroot()  # noqa: S314 - our own
    passed = {case.get("name") for case in report.iter("testcase") if not len(case)}

    assert NAME == first.name
    assert "signed by operator" in said
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert {"authorized-keys", "test_the_daemon_runs_with_the_images_own_libraries"} <= passed
    assert "test_a_rendezvous_boots_from_an_address_in_the_firmware" in passed
    assert document(first)["commit"] == run(["git", "rev-parse", "HEAD"], cwd=operator.checkout).stdout.strip()


def test_released_twice_is_the_same(operator: Operator, first: Path, tmp_path: Path) -> None:
    """The same commit, baked and released again elsewhere, gives the same files and SBOM; nothing differs."""
    second = operator.release(tmp_path)

    assert document(first)["disk"]["tree_sha256"] == document(second)["disk"]["tree_sha256"]
    assert (first / (NAME + FileRole.SBOM.ending)).read_bytes() == (second / (NAME + FileRole.SBOM.ending)).read_bytes()
    assert f"{NAME} and {NAME} hold the same\n" == operator.types("diff", first, second, out=tmp_path)


def test_one_package_more_is_named(operator: Operator, first: Path, tmp_path: Path) -> None:
    """After a commit that adds one package, the difference names that package and nothing else under packages."""
    other = replace(operator, checkout=shutil.copytree(operator.checkout, tmp_path / "checkout", symlinks=True))
    network = other.checkout / "networks" / "localnet.yaml"
    network.write_text(f"{network.read_text()}packages: [{PACKAGE}]\n")
    commit(other.checkout, "networks: add a package")
    other.types("bake", "--network", "localnet", "--strict", out=tmp_path)
    (image,) = tmp_path.glob("*.qcow2")
    lines = operator.types("diff", first, image, out=tmp_path).splitlines()
    sections = [line.split()[0] for line in lines if not line.startswith(" ")]

    assert "packages (1)" == lines[sections.index("packages")]
    assert lines[sections.index("packages") + 1].startswith(f"  + {PACKAGE}  ")
    assert {"packages", "files"} == set(sections)
