"""Commands of two words: people type `network check`, Invoke knows `network.check`.

A group alone lists what is in it.  `--help` and `--debug` are taken out here, wherever they stand:
Invoke passes whatever follows a command to its first positional argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The collections that tasks.py puts together.
GROUPS = frozenset({"bench", "cluster", "fleet", "image", "network", "node", "validator"})
#: Commands that take any number of arguments, which Invoke only accepts as a repeated option.
LISTS = {"network.check": "--name", "node.set": "--setting", "node.unset": "--setting"}
#: Verbs for a node: `node val-1 restart` means `node restart val-1`.
ORDERS = frozenset({"status", "logs", "restart", "hold", "start", "set", "unset", "takeover", "handover"})
HELP, DEBUG = frozenset({"--help", "-h"}), frozenset({"--debug", "-d"})


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line.

    Attributes:
        words: What Invoke is to parse, with the command in its spelling.
        help: Whether help is wanted, for the command or in general.
        debug: Whether to show what is run, and tracebacks.
    """

    words: list[str]
    help: bool = False
    debug: bool = False


def read(arguments: Sequence[str]) -> Typed:
    """Parse a command line; everything after `--` is left as it is."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    before = arguments[:end]
    kept = [word for word in before if word not in HELP | DEBUG]
    return Typed(
        [*join(kept), *arguments[end:]],
        help=not HELP.isdisjoint(before),
        debug=not DEBUG.isdisjoint(before),
    )


def join(arguments: Sequence[str]) -> list[str]:
    """Spell the command as Invoke does; a group alone lists its commands."""
    for at, word in enumerate(arguments):
        if word.startswith("-"):
            continue
        if word not in GROUPS:
            return list(arguments)
        arguments = [*arguments[: at + 1], *_to_a_node(arguments[at + 1 :])] if word == "node" else arguments
        following = arguments[at + 1 : at + 2]
        if not following or following[0].startswith("-"):
            return ["--list", word]
        command = f"{word}.{following[0]}"
        rest, option = arguments[at + 2 :], LISTS.get(command, "")
        if word == "node":  # its options have values, which are not settings: settings come first
            end = next((n for n, each in enumerate(rest) if each.startswith("-")), len(rest))
            return [*arguments[:at], command, *rest[:1], *_spread(rest[1:end], option), *rest[max(end, 1) :]]
        return [*arguments[:at], command, *_spread(rest, option)]
    return list(arguments)


def typed(name: str) -> str:
    """A command as people type it: `network check` for `network.check`."""
    return name.replace(".", " ", 1)


def _to_a_node(rest: Sequence[str]) -> list[str]:
    """Put the order before the node that it is for; `config set` is `set`."""
    words = list(rest)
    if len(words) > 2 and words[1] == "config" and words[2] in ("set", "unset"):  # noqa: PLR2004 - the third word
        del words[1]
    if len(words) > 1 and words[1] in ORDERS and words[0] not in ORDERS and not words[0].startswith("-"):
        words[:2] = [words[1], words[0]]
    return words


def _spread(rest: Sequence[str], option: str) -> list[str]:
    """Put ``option`` before every word that stands alone; nothing changes when there is none."""
    spread: list[str] = []
    for word in rest:
        alone = option and not word.startswith("-") and spread[-1:] != [option]
        spread += [option, word] if alone else [word]
    return spread
