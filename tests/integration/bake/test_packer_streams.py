"""Our layer over packerpy with the real Packer: lines as they come, an end in time, what was wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from goldnode.bake.packer import Event, Packer
from goldnode.errors import BakeError, HostError
from goldnode.run import NOT_HERE
from tests.integration.bake import tiny

TEMPLATE = """
source "null" "nothing" {
  communicator = "none"
}
build {
  sources = ["source.null.nothing"]
  provisioner "shell-local" {
    inline = ["%s"]
  }
}
"""


def template(folder: Path, script: str) -> str:
    """A build without a machine that runs a line of shell here."""
    file = folder / "build.pkr.hcl"
    file.write_text(TEMPLATE % script)
    return str(file)


def test_events_come_while_it_runs(tmp_path: Path) -> None:
    """A line is told the moment it is printed, not when Packer has ended; commas arrive as commas."""
    told: dict[str, float] = {}

    def listen(event: Event) -> None:
        told.setdefault(event.text.strip(), time.monotonic())

    packer = Packer("packer", log=tmp_path / "packer.log", listen=listen)
    code, said, errors = packer.build(template(tmp_path, "echo first, of two; sleep 2; echo second"), color="false")
    (first,) = [when for text, when in told.items() if text.endswith("null.nothing: first, of two")]
    (second,) = [when for text, when in told.items() if text.endswith("null.nothing: second")]

    assert (0, "") == (code, errors)
    assert "first, of two" in said
    assert second - first > 1.5
    assert "Packer version" in (tmp_path / "packer.log").read_text()


def test_what_was_wrong(tmp_path: Path) -> None:
    """A failing build gives its exit code and the errors among what was said."""
    packer = Packer("packer", log=tmp_path / "packer.log")
    code, _, errors = packer.build(template(tmp_path, "echo the reason >&2; exit 7"), color="false")

    assert code == 1
    assert "the reason" in errors
    assert "non-zero exit status: 7" in errors


def test_time_is_limited(tmp_path: Path) -> None:
    """When the time is up, Packer and everything it started end, and the error names the log."""
    packer = Packer("packer", log=tmp_path / "packer.log", timeout=4)
    with pytest.raises(BakeError, match="did not end within 4 s") as caught:
        packer.build(template(tmp_path, "setsid sleep 600 & sleep 600"), color="false")

    assert f"less {tmp_path}/packer.log" == caught.value.hint
    assert [] == tiny.descendants(os.getpid(), "sleep 600")


def test_no_packer(tmp_path: Path) -> None:
    """A Packer that is not there is one clear error, whose hint tells how it gets there."""
    packer = Packer(str(tmp_path / "packer"), log=tmp_path / "packer.log")
    with pytest.raises(HostError, match="packer is not installed") as caught:
        packer.version()

    assert NOT_HERE == caught.value.hint


def test_packerpys_other_commands(tmp_path: Path) -> None:
    """What packerpy spells for us arrives: a command without a template, repeated variables, dashes."""
    packer = Packer("packer", log=tmp_path / "packer.log")
    _, version, _ = packer.version()
    file = tmp_path / "variables.pkr.hcl"
    file.write_text(TEMPLATE % "echo ${var.one} ${var.two}" + 'variable "one" {}\nvariable "two" {}\n')
    code, said, _ = packer.build(str(file), var={"one": "eins", "two": "zwei"}, on_error="cleanup", timestamp_ui=True)

    assert "Packer v" in version
    assert code == 0
    assert "eins zwei" in said
