"""Packer's machine-readable lines, and what a bake makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.bake.packer import Event, parse
from goldnode.bake.vmbake import PackerEvents, _killed, _telling
from goldnode.progress import SILENT, Step


class Titles:
    """Somebody who writes down which steps began and which ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Note both ends of a step."""
        self.seen.append(f"+{title}")
        with SILENT.step(title) as step:
            yield step
        self.seen.append(f"-{title}")


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("1795201572,,ui,say,==> a.b: Waiting for SSH\n", Event("", "ui", ("say", "==> a.b: Waiting for SSH"))),
        ("1,qemu.golden,artifact,0,id,VM\n", Event("qemu.golden", "artifact", ("0", "id", "VM"))),
        ("1,,ui,message,a%!(PACKER_COMMA) b\\nc\\r\n", Event("", "ui", ("message", "a, b\nc"))),
        ("1,,error-count,1", Event("", "error-count", ("1",))),
        ("1,,version", Event("", "version", ())),
    ],
)  # fmt: skip
def test_parse(line: str, event: Event) -> None:
    """A line is its target, its kind and its fields, commas and line ends unescaped."""
    assert event == parse(line)


@pytest.mark.parametrize("line", ["", "\n", "panic: runtime error", "2026/11/20 19:03:49 On error:", "x,,ui", "1,ui"])
def test_what_is_no_event(line: str) -> None:
    """What Packer prints besides, as a crash report, is no event."""
    assert parse(line) is None


@given(st.text())
def test_parse_never_fails(line: str) -> None:
    """No output of Packer, however broken, breaks a bake by itself."""
    event = parse(line)

    assert event is None or event.text == (event.data[-1] if event.data else "")


def test_steps_follow_each_other() -> None:
    """What Packer and the scripts say becomes steps, each ended by the next; faults and artifacts are kept."""
    titles = Titles()
    listener = PackerEvents(titles)
    listener.begin("start Packer")
    for text in (
        "==> qemu.golden: Waiting for SSH to become available...",
        "    qemu.golden: goldnode-step: install payload",
        "    qemu.golden: goldnode-fault: cometbft does not start: killed\n    qemu.golden: more",
        "==> qemu.golden: Gracefully halting virtual machine...",
    ):
        listener(Event("", "ui", ("say", text)))
    listener(Event("qemu.golden", "artifact", ("0", "builder-id", "transcend.qemu")))
    listener(Event("qemu.golden", "artifact", ("0", "id", "VM")))
    listener.close()

    expected = ["start Packer", "boot", "install payload", "shut down"]
    assert [f"{sign}{title}" for title in expected for sign in "+-"] == titles.seen
    assert ["cometbft does not start: killed"] == listener.faults
    assert ["VM"] == listener.artifacts


def test_only_telling_errors_are_shown() -> None:
    """Of Packer's many lines for one error, those that only repeat that there was one are left out."""
    errors = """==> qemu.golden: E: Unable to locate package nosuch
Build 'qemu.golden' errored after 3 minutes: Script exited with non-zero exit status: 100
==> Some builds didn't complete successfully and had errors:
--> qemu.golden: Script exited with non-zero exit status: 100"""

    assert ["==> qemu.golden: E: Unable to locate package nosuch"] == _telling(errors)


@pytest.mark.parametrize(
    ("code", "words"),
    [(137, ["Packer was ended by SIGKILL"]), (-15, ["Packer was ended by SIGTERM"]), (1, []), (0, []), (255, [])],
)
def test_a_killed_packer_is_named(code: int, words: list[str]) -> None:
    """Exit codes of signals are told as such, all others are not."""
    assert words == _killed(code)
