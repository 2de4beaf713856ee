"""The user-data we show is user-data to the cloud-init that will read it: the image's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.config import role
from goldnode.run import run

pytestmark = [pytest.mark.root, pytest.mark.any_image]
EXAMPLES = sorted((paths.REPOSITORY / "cloud-init").glob("*.example.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid_user_data(sealed_root: Path, example: Path) -> None:
    """`cloud-init schema` of the image accepts every example."""
    inside = sealed_root / "tmp" / f"{os.getpid()}-{example.name}"
    shutil.copy(example, inside)
    try:
        said = run(["chroot", sealed_root, "cloud-init", "schema", "--config-file", f"/tmp/{inside.name}"], check=False)  # noqa: S108
    finally:
        inside.unlink()

    assert (0, "") == (said.returncode, said.stderr)


def test_every_role_has_an_example(sealed_root: Path) -> None:
    """Each role on the image that joins a cluster, or holds nodes that do, has an example to start from."""
    folders = (sealed_root / "usr/lib/goldnode/roles").iterdir()
    roles = [role.parse((folder / "role.yaml").read_text(), folder.name) for folder in folders]

    assert {it.name for it in roles if it.kind is not role.RoleKind.BASE} == {
        example.name.removesuffix(".example.yaml") for example in EXAMPLES
    }
