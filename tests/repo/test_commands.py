"""The command line is one language: every command explains itself, and what documents and hints say can be typed."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import re
import shlex
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.tasks.program import CommandLine
from goldnode.tasks.words import GROUPS, LISTS, typed
from tasks import ns

COMMANDS = sorted(ns.task_names)
TEXTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "networks/*.md", "cloud-init/*", "terraform/**/*.md", ".github/**/*.yml")
    for file in paths.REPOSITORY.glob(pattern)
    if file.is_file()
)
SOURCES = sorted([*paths.REPOSITORY.glob("goldnode/**/*.py"), paths.REPOSITORY / "invoke"])
#: A command line within backticks, or one that fills a line behind `$ ` or spaces.
QUOTED = re.compile(r"`(?:sudo )?(\./invoke[^`]*)`")
ALONE = re.compile(r"^\s*(?:- run: |run: )?(?:\$ |# )?(?:sudo (?:-\w+ )?)?(\./invoke [^`]*)$")
#: What ends a command line: a comment, a pipe, another command, a sentence that goes on.
END = re.compile(r"\s+#|\s*\d?[|;&>]|, |  |…|\.\.\.|\.$|:$| or |\s+<")


class Understood(CommandLine):
    """Reads a command line and does not run it."""

    def execute(self) -> None:
        """Run nothing."""


@functools.cache
def understand(*words: str) -> tuple[int, str]:
    """Exit code, and everything that was said."""
    said, code = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            Understood(ns).run(["./invoke", *words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return code, said.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` before and behind a command, and behind its first argument, shows the same explanation."""
    words = typed(command).split()
    code, said = understand(*words, "--help")

    assert 0 == code
    assert said.startswith(f"Usage: ./invoke {typed(command)}")
    assert (code, said) == understand("--help", *words)
    assert (code, said) == understand(*words, "something", "-h")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_may_be_repeated_is_an_option(command: str) -> None:
    """Invoke takes an option with a list for no argument, whatever the help says; `LISTS` makes it one."""
    task = ns[command]
    both = {f"--{name}" for name in {*task.positional} & {*task.iterable}}

    assert both <= {LISTS.get(command, "")}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_printed_as_nobody_types_it(command: str) -> None:
    """Lists and explanations spell a command with a space, and every option has its sentence."""
    _, said = understand(*typed(command).split(), "--help")
    _, listed = understand("--list")

    assert f"\n  {typed(command)} " in listed
    assert not re.search(rf"\b({'|'.join(GROUPS)})\.(?!yaml)[a-z]", listed + said)
    assert [] == [line for line in said.splitlines() if re.fullmatch(r"  --\S+( \S+)?", line) and len(line) < 26]


def test_a_letter_means_one_thing() -> None:
    """One-letter options are `-n` for a network everywhere, and those of every command."""
    explained = "".join(understand(*typed(command).split(), "--help")[1] for command in COMMANDS)
    letters = set(re.findall(r"^  -(\w), --(\S+)", explained, re.MULTILINE))

    assert {("h", "help"), ("d", "debug"), ("n", "network")} == letters


def documented(text: str) -> tuple[list[str], list[str]]:
    """Every command line a text tells people to type; and every mention, which may leave arguments out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [found[1] for line in joined.splitlines() if (found := ALONE.match(line))], QUOTED.findall(joined)


def hints(source: str) -> list[str]:
    """Every command line in a program's strings, its holes filled with what is a word and a number."""
    tree = ast.parse(source)
    pieces = {id(it) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for it in node.values}
    texts = [_text(node) for node in ast.walk(tree) if id(node) not in pieces]
    return [text.removeprefix("sudo ") for text in texts if text.startswith(("./invoke ", "sudo ./invoke "))]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(it.value) if isinstance(it, ast.Constant) else "1" for it in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def mistake(line: str) -> str:
    """Why a line is not understood; empty when it is."""
    filled = re.sub(r"\$\{\{.*?\}\}|\bN\b", "1", re.sub(r"\[([^]]*)\]", "", line))
    words = shlex.split(END.split(filled)[0])[1:]
    if not words or words[0] in {"COMMAND", "1"}:  # of whatever command
        return ""
    code, said = understand(*words)
    return said.splitlines()[0] if code else ""


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(paths.REPOSITORY)))
def test_documented_command_lines_can_be_typed(text: Path) -> None:
    """Every `./invoke …` of a document or workflow is a command with options that exist."""
    lines, mentions = documented(text.read_text())
    wrong = [f"{line}: {why}" for line in lines if (why := mistake(line))]
    wrong += [f"{line}: {why}" for line in mentions if (why := mistake(line)) and " need" not in why]

    assert [] == wrong


def test_hints_can_be_typed() -> None:
    """Every hint that is a command line of ours is understood."""
    lines = [line for file in SOURCES for line in hints(file.read_text())]

    assert [] == [f"{line}: {why}" for line in lines if (why := mistake(line))]
