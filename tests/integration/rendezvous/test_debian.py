"""The server on the versions that Debian 12 has: uvicorn 0.17.6, httptools 0.5, uvloop 0.17, cryptography 38."""

from __future__ import annotations

import time
import venv
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY
from goldnode.protocol import limits
from goldnode.protocol.wire import to_base64
from goldnode.run import run
from tests.integration.rendezvous.support import Call, Member, ask, process, raw


@pytest.mark.long
def test_debian_12(tmp_path: Path) -> None:
    """Puts, lists, long-polls, refusals and an orderly end are the same on Debian 12's packages."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    lock = REPOSITORY / "requirements/debian12.lock"
    run([home / "bin/python", "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", lock], timeout=300)
    one, other = (Member.make(slot=name, time=time.time()) for name in (b"one", b"other"))
    with process(tmp_path / "store.sqlite", python=str(home / "bin/python")) as (url, child):
        statuses = [ask(url, call).status for call in (one.put(1), one.put(1), one.touch(1, 1), other.put(5))]
        listed = ask(url, one.list()).document
        idle = ask(url, one.list(f"after={listed['cursor']}&wait=1")).document
        codes = [ask(url, call).code for call in (
            one.put(1, ttl=limits.TTL_MIN), Call("GET", "/nothing"), one.signed("PUT", one.path, b" " * 7000),
        )]  # fmt: skip
        rubbish = raw(url, b"GET\r\n\r\n")
        child.terminate()
        code = child.wait(15)

    assert [201, 200, 200, 201] == statuses
    assert [to_base64(one.record(1)), to_base64(other.record(5))] == [item["record"] for item in listed["items"]]
    assert ([], False) == (idle["items"], idle["reset"])
    assert (["stale", "no-route", "too-large"], 0) == (codes, code)
    assert b'"malformed"' in rubbish
