"""What commands print is text, whoever wrote it: no terminal obeys it, and a pipe gets no frames and nothing cut."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table

from goldnode.tasks.terminal import output

#: What a chain calls itself who means no good: a cleared screen, a hidden link, a colour, text turned around.
HOSTILE = "nice\x1b[2J\x1b]8;;https://h.example\x07chain[/]\x9b31m[red]\u202egnp.exe[bold]"


class Terminal(io.StringIO):
    """Somebody's terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """Whatever a text holds, a terminal is given nothing to obey; what is harmless stays as it is."""
    cleaned = output.clean(text)

    assert not output.CONTROL.search(cleaned)
    assert output.CONTROL.search(text) or text == cleaned


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_table_shows_markup_and_escapes(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table too, control characters are spelled out, and brackets are brackets."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    out = stream()
    monkeypatch.setattr("sys.stdout", out)
    table = Table("field", "value", title=HOSTILE)
    table.add_row("pretty name", HOSTILE)
    output.show(Group(table, HOSTILE))
    output.say(HOSTILE)

    said = out.getvalue()
    assert not {"\x1b[2J", "\x1b]8", "\x07", "\x9b", "\u202e"} & {each for each in said.split() if each} | set()
    assert "\x1b[2J" not in said
    assert "\x1b]8" not in said
    assert not set("\x07\x9b\u202e") & set(said)
    assert r"nice\x1b[2J\x1b]8;;https://h.example\x07chain[/]\x9b31m[red]\u202egnp.exe[bold]" in said


def test_a_pipe_gets_no_frame_and_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash longer than any terminal is on one line, and nothing is drawn around it."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    table = Table("field", "value", title="network")
    table.add_row("sha256", "0123456789" * 60)
    output.show(table)

    assert out.getvalue().isascii()
    assert "0123456789" * 60 in out.getvalue()


def test_a_narrow_terminal_gets_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit goes on below; nothing is cut."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    table = Table("field", "value")
    table.add_row("sha256", "0123456789" * 20)
    output.show(table)

    assert 20 == out.getvalue().replace("\n", "").count("9")
