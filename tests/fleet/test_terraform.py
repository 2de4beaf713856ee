"""terraform/local, really applied: it ends with a chain that makes blocks, and destroying it leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldnode.bake import golden
from goldnode.config import network as networks
from goldnode.errors import UsageError
from goldnode.fleet.fleet import Fleet
from goldnode.paths import REPOSITORY
from goldnode.progress import SILENT
from goldnode.run import Completed, run
from tests.fleet.conftest import signs
from tests.support.baking import processes
from tests.support.go_tools import TERRAFORM
from tests.support.waiting import until

FOLDER = REPOSITORY / "terraform" / "local"
VALIDATOR = "validator-1"
#: Seconds: a fleet gives its machines 900 to get ready, and takes 150 on two idle cores without KVM.
TIMEOUT = 1000


@dataclass(frozen=True)
class Terraform:
    """Terraform in terraform/local, with its own data and state kept elsewhere.

    Attributes:
        work: A folder of one test's own.
    """

    work: Path

    @property
    def fleet(self) -> Path:
        """Where the machines live."""
        return self.work / "fleet"

    def __call__(self, verb: str, *words: str, check: bool = True) -> Completed:
        """Type ``terraform VERB WORDS``."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("GOLDNODE_")}
        env = {**kept, "TF_DATA_DIR": str(self.work / "data"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        argv: list[str | Path] = [TERRAFORM.path(), f"-chdir={FOLDER}", verb, *words, "-input=false", "-no-color"]
        return run(argv, env=env, check=check, timeout=TIMEOUT)

    def apply(self, image: Path, sentries: int, *, check: bool = True) -> Completed:
        """Launch."""
        return self("apply", "-auto-approve", *self._named(image, sentries), check=check)

    def destroy(self) -> Completed:
        """End it: no input is needed but the place."""
        return self("destroy", "-auto-approve", *self._placed)

    def plan(self, image: Path, sentries: int) -> Completed:
        """What it would do; exit code 2 when that is anything."""
        return self("plan", "-detailed-exitcode", *self._named(image, sentries), check=False)

    @property
    def _placed(self) -> tuple[str, ...]:
        return (f"-state={self.work / 'terraform.tfstate'}", f"-var=folder={self.fleet}")

    def _named(self, image: Path, sentries: int) -> tuple[str, ...]:
        return (*self._placed, f"-var=image={image}", f"-var=sentries={sentries}")


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    """Terraform, after ``init``; whatever a test leaves running is ended."""
    made = Terraform(tmp_path)
    run([TERRAFORM.path(), f"-chdir={FOLDER}", "init", "-input=false"], env={"TF_DATA_DIR": str(tmp_path / "data")})
    yield made
    if processes(str(made.fleet)):
        run([REPOSITORY / "invoke", "fleet", "down", "--folder", made.fleet])


@pytest.fixture
def sealed(image: Path | None) -> Path:
    """The image under test, baked if it must be."""
    return image or golden.bake(golden.BakeOptions(networks.load("localnet")), SILENT).image


@pytest.mark.timeout(2 * TIMEOUT)
def test_applied_it_makes_blocks_and_destroyed_it_is_gone(terraform: Terraform, sealed: Path) -> None:
    """One command launches a hidden validator that signs, applying again changes nothing, and destroying ends all."""
    terraform.apply(sealed, sentries=1)
    fleet = Fleet.find(terraform.fleet)
    height = fleet.external().height()

    assert until(lambda: fleet.external().height() > height + 2, 60)
    assert until(lambda: signs(fleet), 120), fleet.console(VALIDATOR)[-3000:]
    assert 0 == terraform.plan(sealed, sentries=1).returncode

    terraform.destroy()

    assert [] == processes(str(terraform.fleet))
    with pytest.raises(UsageError):
        Fleet.find(terraform.fleet)


def test_what_cannot_be_launched_can_be_destroyed(terraform: Terraform, sealed: Path) -> None:
    """An apply that fails says why in the fleet's words, leaves nothing running, and does not stand in the way."""
    failed = terraform.apply(sealed, sentries=99, check=False)

    assert 1 == failed.returncode
    assert "--sentries 99: 1 to 16" in failed.stdout + failed.stderr
    assert f"no fleet is running in {terraform.fleet}" in terraform.destroy().stdout
    assert [] == processes(str(terraform.fleet))


def test_an_image_that_is_not_there_is_refused_before_anything_happens(terraform: Terraform) -> None:
    """The plan itself names the image that is missing."""
    failed = terraform.plan(terraform.work / "no.qcow2", sentries=1)

    assert 1 == failed.returncode
    assert f"There is no image {terraform.work}/no.qcow2: ./invoke bake" in " ".join(failed.stderr.split())
