"""Invoke as we start it: what a person typed wrongly ends in one sentence, a hint and exit code 2.

Invoke itself says "No idea what 'bak' is!" and shows a traceback for `--memory lots`.
``--debug`` stands before or behind the command, and shows what we run and our own tracebacks.
"""

from __future__ import annotations

import difflib
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from invoke import program
from invoke.exceptions import ParseError
from invoke.parser.argument import Argument
from invoke.parser.parser import ParseMachine
from invoke.util import enable_logging

from goldnode.bake import manifest
from goldnode.errors import UsageError
from goldnode.tasks.console import ending

#: Invoke's own sentences about what it does not know, and about arguments that are missing.
UNKNOWN = re.compile(r"No idea what '(.*)' is!")
ARGUMENT = re.compile(r"<Argument: ([\w-]+)[^>]*>")
MISSING = re.compile(r"did not receive required positional arguments: (.*)")
NAME = re.compile(r"'([^']+)'")
#: What an option of a type takes.
KINDS = {int: "a whole number", float: "a number"}


class Program(program.Program):
    """The program behind ``./invoke``."""

    def __init__(self) -> None:
        super().__init__(name="goldnode", binary="./invoke", binary_names=["invoke"])
        # What Invoke does inside is nobody's business, not even with --debug.
        logging.getLogger("invoke").setLevel(logging.WARNING)

    def print_version(self) -> None:
        """Which commit this checkout is at: goldnode has no version of its own, releases of images have."""
        print(f"goldnode at commit {manifest.source()['commit'] or 'unknown'}")

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options before the command."""
        with self._understood():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Read the command and its options."""
        with self._understood():
            super().parse_tasks()
        if self.args.debug.value:
            enable_logging()

    def print_task_help(self, name: str) -> None:
        """Show a command's options; Invoke shows a value only behind those that take a text or a whole number."""
        for argument in self.parser.contexts[name].args.values():
            if argument.kind not in (bool, int):
                argument.kind = str  # nothing is parsed after the help
        super().print_task_help(name)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            command = error.context.name if error.context else None
            raise ending(self._explain(str(error), command), _help(command), UsageError.exit_code) from error
        except ValueError as error:
            what, command = _explain_value(error)
            raise ending(what, _help(command), UsageError.exit_code) from error

    def _explain(self, said: str, command: str | None) -> str:
        """Invoke's sentence in our words."""
        typed = _typed(command) if command else "./invoke"
        if missing := MISSING.search(said):
            return f"{typed} needs {', '.join(f'--{name}' for name in NAME.findall(missing[1]))}"
        unknown = UNKNOWN.fullmatch(said)
        if unknown is None:
            return ARGUMENT.sub(r"--\1", said).rstrip("!")
        word = unknown[1]
        if word.startswith("-"):
            return f"{typed} has no option {word}"
        if command:
            return f"{typed} has no use for {word!r}"
        near = difflib.get_close_matches(word, self.collection.task_names, n=1)
        return f"there is no command {_typed(word)!r}" + (f"; did you mean {_typed(near[0])}?" if near else "")


def _explain_value(error: ValueError) -> tuple[str, str | None]:
    """What is wrong with a value, and of which command: Invoke converts values deep inside, and says neither."""
    within = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    arguments = [(it["self"], it["value"]) for it in within if isinstance(it.get("self"), Argument) and "value" in it]
    if not arguments:
        raise error
    argument, value = arguments[-1]
    kind: Any = argument.kind
    wanted = choice(kind) if issubclass(kind, StrEnum) else KINDS[kind]
    contexts = [it["self"].context for it in within if isinstance(it.get("self"), ParseMachine)]
    option = argument.name.strip("_").replace("_", "-")
    return f"--{option} {value}: {wanted} is wanted", contexts[-1].name


def choice(kind: type[StrEnum]) -> str:
    """All words of a kind, as `auto, kvm or tcg`."""
    *first, last = kind
    return f"{', '.join(first)} or {last}"


def _help(command: str | None) -> str:
    return f"./invoke {_typed(command)} --help" if command else "./invoke --list"


def _typed(name: str) -> str:
    """A command as people type it: `network check` for `network.check`."""
    return name.replace(".", " ", 1)
