"""`./invoke bake --platform`, as typed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goldnode import paths
from tests.support.keystone import letting_in


def invoke(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Type it."""
    argv = [str(paths.REPOSITORY / "invoke"), *words]
    return subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--platform", "ec2"], 2, "there is no platform 'ec2'"),
        (["--platform", "hcloud", "--set", "token=x"], 2, "hcloud has the variables hcloud_token"),
        (["--set", "accelerator=kvm"], 2, "qemu has no variables to set"),
        (["--platform", "hcloud", "--settings", "/nosuch.yaml"], 3, "/nosuch.yaml cannot be read"),
    ],
)
def test_refused_before_anything_starts(words: list[str], code: int, says: str) -> None:
    """What does not fit a platform is one sentence and the exit code of its class."""
    done = invoke("bake", *words)

    assert code == done.returncode
    assert says in done.stderr


def test_two_settings_and_a_file(tmp_path: Path) -> None:
    """`--set` may be repeated and overrules `--settings`; the cloud is asked with exactly these values.

    The results' folder may be deep: Packer's plugins, which make sockets in the bake's, could not be started there.
    """
    file = tmp_path / "cloud.yaml"
    file.write_text("openstack_username: file\nopenstack_password: from the file\n")
    with letting_in() as keystone:
        done = invoke(
            "bake", "--platform=openstack", "--settings", str(file), "--set", "openstack_username=typed",
            "--set", "openstack_domain_name=default", f"--set=openstack_identity_endpoint={keystone.url}",
            GOLDNODE_OUT=str(tmp_path / "deep" / ("er" * 40) / "out"),
        )  # fmt: skip
    assert (6, True) == (done.returncode, "goldnode: the bake of localnet failed: " in done.stderr), done.stderr
    user = keystone.asked[0]["auth"]["identity"]["password"]["user"]

    assert ("typed", "from the file") == (user["name"], user["password"])
