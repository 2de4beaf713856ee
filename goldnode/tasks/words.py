"""Commands of two words: people type `network check`, Invoke knows `network.check`.

A group alone lists what is in it.
"""

from __future__ import annotations

#: The collections that tasks.py puts together.
GROUPS = frozenset({"bench", "cluster", "fleet", "image", "network"})
#: Commands that take any number of words, which Invoke only takes as an option that is repeated.
LISTS = {"network.check": "--name"}


def join(arguments: list[str]) -> list[str]:
    """Spell the command the way Invoke does; a group alone lists what is in it."""
    for at, word in enumerate(arguments):
        if word.startswith("-"):
            continue
        if word not in GROUPS:
            return arguments
        following = arguments[at + 1 : at + 2]
        if not following or following[0].startswith("-"):
            return ["--list", word]
        command = f"{word}.{following[0]}"
        return [*arguments[:at], command, *_spread(arguments[at + 2 :], LISTS.get(command, ""))]
    return arguments


def _spread(rest: list[str], option: str) -> list[str]:
    """Put ``option`` before every word that stands alone; nothing changes when there is none."""
    spread: list[str] = []
    for word in rest:
        alone = option and not word.startswith("-") and spread[-1:] != [option]
        spread += [option, word] if alone else [word]
    return spread
