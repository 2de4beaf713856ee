"""YAML that people write, as plain values, with the line of every one of them.

Nothing in it surprises: no objects, no aliases (they can explode), a day stays the text it is
written as, and a key that stands twice is noticed.  A node reads node.yaml and role.yaml with
this on every boot, the operator's machine the network files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from goldnode.errors import Fault, InputError

#: A path into a document, from its root.
Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file as it was read.

    Attributes:
        file: Its name as the user gave it.
        data: Its content as plain values.
        lines: 1-based line of every value, by its path; a mapping's entry counts from its key.
        twice: Paths of keys that stand twice in one mapping, with the line of the second.
    """

    file: str
    data: Any
    lines: Mapping[Where, int]
    twice: tuple[tuple[Where, int], ...] = ()

    def line(self, where: Where) -> int:
        """The line of a path, or of the nearest thing around it that exists."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read(file: str, text: str, most: int) -> Source:
    """Read YAML and remember its lines.

    Args:
        file: The name for its faults.
        text: The document.
        most: Characters it may have.

    Raises:
        InputError: It is not YAML, uses aliases, or is far too large.
    """
    if len(text) > most:
        raise unreadable(file, 0, f"it is larger than {most} bytes")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        index = _Index({}, [], set())
        if node is not None:
            index.add(node, (), node.start_mark.line + 1)
        data = loader.construct_document(node) if node is not None else None
    except RecursionError as error:
        raise unreadable(file, 0, "it is nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise unreadable(file, line, error.problem or "it is not YAML") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:  # as `!!int x`, of which YAML does not say the line
        raise unreadable(file, 0, str(error).splitlines()[0]) from error
    return Source(file, data, index.lines, tuple(index.twice))


def dotted(where: Where) -> str:
    """A path as people write it: ``nodes[1].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).removeprefix(".")


def unreadable(file: str, line: int, reason: str) -> InputError:
    """The error for a file of which nothing can be said but that."""
    return InputError(f"{file} cannot be read:", faults=[Fault(file, line, "", "", reason)])


class _Loader(yaml.SafeLoader):
    """YAML without surprises: a day stays the text it is written as."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class _Index:
    """What `Source` remembers, while it is being collected from YAML's nodes."""

    lines: dict[Where, int]
    twice: list[tuple[Where, int]]
    seen: set[int]

    def add(self, node: yaml.Node, where: Where, line: int) -> None:
        """Record everything below ``node``; an alias shows as a node met twice."""
        if id(node) in self.seen:
            raise yaml.MarkedYAMLError(problem="an alias (*name) is not allowed here", problem_mark=node.start_mark)
        self.seen.add(id(node))
        self.lines[where] = line
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*where, str(key.value))
                if inner in self.lines:
                    self.twice.append((inner, key.start_mark.line + 1))
                self.add(value, inner, key.start_mark.line + 1)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.add(value, (*where, index), value.start_mark.line + 1)
