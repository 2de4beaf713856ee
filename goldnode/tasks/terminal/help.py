"""The text of `--list` and of `COMMAND --help`, from the commands' own docstrings."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.tasks import Task

from goldnode.tasks import words

#: Widest column of names before the explanation moves to its own line.
NAMES = 26


def overview(tasks: Mapping[str, Task[Any]], group: str = "") -> str:
    """Every command, or those of one group, with the first line of its docstring."""
    chosen = {name: task for name, task in tasks.items() if not group or name.startswith(f"{group}.")}
    ordered = sorted(chosen, key=lambda name: ("." in name, name))
    lines = ["Commands:" if not group else f"Commands of {group}:", ""]
    last = ""
    for name in ordered:
        family = name.partition(".")[0] if "." in name else ""
        if family != last and not group:
            lines.append("")
        last = family
        lines += _row(words.typed(name), _sentences(chosen[name])[0])
    return "\n".join([*lines, "", "./invoke COMMAND --help explains one; --debug shows what is run, and tracebacks."])


def explanation(context: ParserContext, task: Task[Any], extra: Sequence[str] = ()) -> str:
    """Help for one command: what it does, its syntax, every argument and option.

    Args:
        context: Its arguments.
        task: The command.
        extra: Names of options that must be given.
    """
    name = context.name or ""
    lists = words.LISTS.get(name, "").lstrip("-")
    places = [argument for argument in context.args.values() if argument.positional or argument.name == lists]
    options = [argument for argument in context.args.values() if argument not in places]
    usage = [f"Usage: ./invoke {words.typed(name)}", *(_place(each, lists) for each in places)]
    usage += [f"--{option(each)} {metavar(each)}" for each in options if each.name in extra]
    lines = [" ".join([*usage, *(["[OPTIONS]"] if len(options) > len(extra) else [])]), ""]
    lines += [line for sentence in _sentences(task) for line in textwrap.wrap(sentence, _width())]
    if places:
        lines += ["", "Arguments:", *_rows((_place(each, lists), each.help or "") for each in places)]
    lines += ["", "Options:", *_rows(_describe(each, required=each.name in extra) for each in options)]
    lines += _rows([("-h, --help", "show this"), ("-d, --debug", "show what is run, and the traceback of an error")])
    return "\n".join(lines)


def option(argument: Argument) -> str:
    """An option's name as it is typed."""
    return (argument.names[0]).strip("_").replace("_", "-")


def metavar(argument: Argument) -> str:
    """The placeholder for an option's value; empty for a switch."""
    if argument.kind is bool:
        return ""
    return "NUMBER" if argument.kind in (int, float) else option(argument).upper()


def _describe(argument: Argument, *, required: bool) -> tuple[str, str]:
    name = f"--{option(argument)}"
    if argument.kind is bool and argument.default is True:
        name = f"--[no-]{option(argument)}"
    short = "".join(f"-{each}, " for each in argument.nicknames)
    remark = " (required)" if required else ""
    told = argument.kind in (bool, list) or argument.default in (None, "") or "default:" in (argument.help or "")
    if not required and not told:
        remark = f" (default: {argument.default})"
    return f"{short}{name} {metavar(argument)}".strip(), f"{argument.help or ''}{remark}"


def _place(argument: Argument, lists: str) -> str:
    return f"[{option(argument).upper()} ...]" if argument.name == lists else option(argument).upper()


def _sentences(task: Task[Any]) -> list[str]:
    text = inspect.cleandoc(task.__doc__ or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _rows(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in pairs:
        yield from _row(name, text)


def _row(name: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, max(_width() - NAMES - 4, 20)) or [""]
    if len(name) > NAMES:
        return [f"  {name}", *(f"{'':{NAMES + 4}}{line}" for line in wrapped)]
    return [f"  {name:{NAMES}}  {wrapped[0]}".rstrip(), *(f"{'':{NAMES + 4}}{line}" for line in wrapped[1:])]


def _width() -> int:
    """The width of the terminal; without one, what fits beside code."""
    return min(shutil.get_terminal_size((100, 24)).columns, 100)
