"""What TAB offers: commands, the words of a group, options, and existing names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from invoke.parser.context import ParserContext

from goldnode import paths
from goldnode.tasks import words

#: Scripts for the shell's start-up file: `source <(./invoke --print-completion-script bash)`.
BASH = """\
_goldnode() {
    local IFS=$'\\n'
    COMPREPLY=( $(compgen -W "$("${COMP_WORDS[0]}" --complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" \\
        -- "${COMP_WORDS[COMP_CWORD]}") )
}
complete -o default -F _goldnode invoke
"""
SCRIPTS = {
    "bash": BASH,
    "zsh": "autoload -U +X bashcompinit && bashcompinit\n" + BASH,
    "fish": """\
function __goldnode
    set -l typed (commandline -opc)
    $typed[1] --complete -- $typed[2..] (commandline -ct) 2>/dev/null
end
complete -c invoke -a '(__goldnode)'
""",
}


def candidates(commands: Mapping[str, ParserContext], typed: Sequence[str]) -> list[str]:
    """Every possible completion of the last word; none where only a file is possible.

    Args:
        commands: Every command's arguments, by its dotted name.
        typed: The words after `./invoke`; the last one is unfinished, or empty.
    """
    *before, partial = typed or [""]
    plain = [word for word in before if not word.startswith("-")]
    if not plain:
        names = ["--help", "--list", "--debug", "--version"] if partial.startswith("-") else _first(commands)
    elif plain[0] in words.GROUPS and len(plain) == 1:
        names = ["--help"] if partial.startswith("-") else _second(commands, plain[0])
    else:
        joined = words.read(before).words
        context = commands.get(joined[0]) if joined else None
        names = _within(context, before[-1], partial) if context else []
    return sorted(name for name in names if name.startswith(partial))


def _first(commands: Mapping[str, ParserContext]) -> list[str]:
    return sorted({name.partition(".")[0] for name in commands})


def _second(commands: Mapping[str, ParserContext], group: str) -> list[str]:
    return [name.partition(".")[2] for name in commands if name.startswith(f"{group}.")]


def _within(context: ParserContext, last: str, partial: str) -> list[str]:
    if last in context.flags and context.flags[last].takes_value:  # `get` knows no short names
        name = context.flags[last].name
        return NAMES[name]() if name in NAMES else []
    if partial.startswith("-"):
        return [*context.flags, *context.inverse_flags, "--help", "--debug"]
    group = (context.name or "").partition(".")[0]
    return NAMES[group]() if group in NAMES else []


def _networks() -> list[str]:
    return [file.stem for file in (paths.REPOSITORY / "networks").glob("*.yaml")]


def _clusters() -> list[str]:
    return [folder.name for folder in paths.clusters().glob("*") if folder.is_dir()]


#: What provides names: for an option's value, or a group's first argument.
NAMES: dict[str, Callable[[], list[str]]] = {"network": _networks, "cluster": _clusters}
