"""Invoke as we start it: a typing error ends in one sentence, a hint and exit code 2.

Invoke itself says "No idea what 'bak' is!", shows a traceback for `--memory lots` and for an
option that is missing, and runs a second command if a superfluous word is the name of one.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NoReturn

from invoke import program
from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.parser.parser import ParseMachine, Parser, ParseResult
from invoke.tasks import Task
from invoke.util import enable_logging

from goldnode.bake import manifest
from goldnode.errors import UsageError
from goldnode.tasks import words
from goldnode.tasks.console import choice, ending, guarded
from goldnode.tasks.terminal import completion
from goldnode.tasks.terminal import help as helping

#: Invoke's own sentences about what it does not know, and about arguments that are missing.
UNKNOWN = re.compile(r"No idea what '(.*)' is!")
ARGUMENT = re.compile(r"<Argument: ([\w-]+)[^>]*>")
MISSING = re.compile(r"did not receive required positional arguments: (.*)")
NAME = re.compile(r"'([^']+)'")
#: What an option of each type accepts.
KINDS = {int: "an integer", float: "a number"}
#: Short options: one letter means the same in every command.
SHORT = {"network": "n"}


class CommandLine(program.Program):
    """The program behind ``./invoke``."""

    def __init__(self, commands: Collection) -> None:
        super().__init__(name="goldnode", binary="./invoke", namespace=commands)
        # Invoke's own debug output is useless to users, even with --debug.
        logging.getLogger("invoke").setLevel(logging.WARNING)

    def core_args(self) -> list[Argument]:
        """The options that belong to no command; Invoke's others are about shell commands, of which there are none."""
        return [
            Argument(names=("complete",), kind=bool, default=False),
            Argument(names=("list", "l"), optional=True),
            Argument(names=("print-completion-script",), kind=str, default=""),
            Argument(names=("version", "V"), kind=bool, default=False),
        ]

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the options that belong to no command."""
        self.typed = words.read((argv or [])[1:])
        self.normalize_argv(["./invoke", *self.typed.words])
        with self._understood():
            self.parse_core_args()
        if self.typed.debug:
            enable_logging()
        if self.args.version.value:
            self.print_version()
            raise Exit
        if shell := self.args["print-completion-script"].value:
            if shell not in completion.SCRIPTS:
                what = f"--print-completion-script {shell}: {', '.join(completion.SCRIPTS)} are known"
                raise ending(what, "./invoke --print-completion-script bash", UsageError.exit_code)
            print(completion.SCRIPTS[shell], end="")
            raise Exit

    def parse_tasks(self) -> None:
        """Parse the command and its options; global options are not accepted after it."""
        self.parser = Parser(initial=ParserContext(), contexts=self._contexts())
        self.tasks = ParseResult()
        if self.typed.help or self.args.list.value or self.args.complete.value:
            return
        if self.core.remainder:
            self._refuse(f"nothing may stand behind --: {self.core.remainder}", None)
        with self._understood():
            self.tasks = self.parser.parse_argv(self.core.unparsed)
            self.tasks.pop(0)
        if not self.tasks:
            return
        first, *further = self.tasks
        if further:
            self._refuse(f"{words.typed(first.name or '')}: unexpected argument {further[0].name!r}", first.name)
        missing = [name for name in required(self.collection[first.name]) if not first.args[name].got_value]
        if missing:
            options = ", ".join(f"--{helping.option(first.args[name])}" for name in missing)
            self._refuse(f"{words.typed(first.name or '')} needs {options}", first.name)

    def parse_cleanup(self) -> None:
        """Handle help, the list and completion."""
        if self.args.complete.value:
            typed = self.core.remainder.split(" ")
            print("\n".join(completion.candidates(self.parser.contexts, typed)))
            raise Exit
        listed = self.args.list.value
        group = listed if isinstance(listed, str) else ""
        if group and group not in words.GROUPS:
            self._refuse(f"there is no group of commands {group!r}", None)
        if self.typed.help and not listed and self.core.unparsed:
            self._help_of(self.core.unparsed[0])
        elif self.typed.help or listed or not self.tasks:
            tasks: dict[str, Task[Any]] = {name: self.collection[name] for name in self.collection.task_names}
            print(helping.overview(tasks, group))
        else:
            return
        raise Exit

    def execute(self) -> None:
        """Run the command; errors become a sentence and an exit code."""
        with guarded():
            super().execute()

    def update_config(self, merge: bool = True) -> None:
        """Leave Invoke's configuration alone: it is about shell commands."""

    def print_version(self) -> None:
        """Which commit this checkout is at: goldnode has no version of its own, releases of images have."""
        print(f"goldnode at commit {manifest.source()['commit'] or 'unknown'}")

    def _help_of(self, name: str) -> None:
        if name not in self.parser.contexts:
            self._refuse(self._explain(f"No idea what {name!r} is!", None), None)
        task = self.collection[name]
        print(helping.explanation(self.parser.contexts[name], task, required(task)))

    def _contexts(self) -> list[ParserContext]:
        for name in self.collection.task_names:
            self.collection[name].auto_shortflags = False
        helps = {name: self.collection[name].help.copy() for name in self.collection.task_names}
        contexts: list[ParserContext] = self.collection.to_contexts()  # which empties them
        for name, sentences in helps.items():
            self.collection[name].help = sentences
        for context in contexts:
            for argument in context.args.values():
                if letter := SHORT.get(argument.name):
                    argument.names = (*argument.names, letter)
                    context.flags.alias(f"-{letter}", to=f"--{argument.names[0]}")  # type: ignore[no-untyped-call]
        return contexts

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            command = error.context.name if error.context else None
            self._refuse(self._explain(str(error), command), command, error)
        except ValueError as error:
            what, command = _explain_value(error)
            self._refuse(what, command, error)

    def _refuse(self, what: str, command: str | None, cause: Exception | None = None) -> NoReturn:
        hint = f"./invoke {words.typed(command)} --help" if command else "./invoke --list"
        raise ending(what, hint, UsageError.exit_code) from cause

    def _explain(self, said: str, command: str | None) -> str:
        """Rephrase Invoke's message."""
        typed = words.typed(command) if command else "./invoke"
        if missing := MISSING.search(said):
            return f"{typed} needs {' '.join(name.upper() for name in NAME.findall(missing[1]))}"
        unknown = UNKNOWN.fullmatch(said)
        if unknown is None:
            return ARGUMENT.sub(r"--\1", said).rstrip("!")
        word = unknown[1]
        if word.startswith("-"):
            return f"{typed} has no option {word}"
        if command:
            return f"{typed}: unexpected argument {word!r}"
        near = difflib.get_close_matches(word, self.collection.task_names, n=1)
        known = f"; did you mean {words.typed(near[0])}?" if near else ""
        return f"there is no command {words.typed(word)!r}{known}"


def required(task: Task[Any]) -> list[str]:
    """A command's mandatory options."""
    optional = {*task.positional, *task.iterable}
    _, *parameters = inspect.signature(task.body).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.name not in optional]


def _explain_value(error: ValueError) -> tuple[str, str | None]:
    """What is wrong with a value, and for which command: Invoke converts values deep inside, and reports neither."""
    within = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    arguments = [(it["self"], it["value"]) for it in within if isinstance(it.get("self"), Argument) and "value" in it]
    if not arguments:
        raise error
    argument, value = arguments[-1]
    contexts = [it["self"].context for it in within if isinstance(it.get("self"), ParseMachine)]
    kind: Any = argument.kind
    wanted = choice(kind) if issubclass(kind, StrEnum) else KINDS[kind]
    return f"--{helping.option(argument)} {value}: expected {wanted}", contexts[-1].name
