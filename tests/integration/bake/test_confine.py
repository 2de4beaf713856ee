"""A chain's binary that is asked for its version finds nothing it could take, and nobody it could tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldnode.bake import confine
from goldnode.errors import ArtifactError
from goldnode.fetch import version

#: Answers with the version when it can do none of what it tries, else with what it could.
PRYING = """#!/bin/sh
exec 2>/dev/null
cat {secret} && exit
[ "$(cat /etc/passwd)" ] && echo "read accounts" && exit
echo x >>"$0" && echo "changed itself" && exit
echo x >{here}/planted
[ "$(grep -c : /proc/net/dev)" = 1 ] || {{ echo "has a network"; exit; }}
[ "$(id -u)" = 65534 ] || {{ echo "is user $(id -u)"; exit; }}
[ -d /proc/{pid} ] && grep -q pytest /proc/{pid}/cmdline && echo "sees who started it" && exit
echo "$CREDENTIAL" | grep . && exit
mkdir -p "$HOME/.daemon" && echo 1.0.0
"""


@pytest.fixture
def prying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A daemon that looks around, and a key that lies there."""
    secret = tmp_path / "release_key"
    secret.write_text("a release key")
    monkeypatch.setenv("CREDENTIAL", "of a cloud")
    binary = tmp_path / "bin" / "daemond"
    binary.parent.mkdir()
    binary.write_text(PRYING.format(secret=secret, here=binary.parent, pid=os.getpid()))
    binary.chmod(0o755)
    return binary


def test_a_confined_binary_reaches_nothing(prying: Path) -> None:
    """No file of ours, no account, no network, no process, no credential, no user that owns anything."""
    version.check(prying, "1.0.0", prefix=confine.prefix(prying))

    assert [prying] == list(prying.parent.iterdir())


def test_what_an_unconfined_one_would_take(prying: Path) -> None:
    """The same binary, started plainly, reads the key: the test above guards something."""
    with pytest.raises(ArtifactError, match="a release key"):
        version.check(prying, "1.0.0")
