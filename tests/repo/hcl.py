"""Just enough of HCL to list what a Terraform file sets: blocks, their labels, and the names of their arguments.

Works on files that ``terraform fmt`` has laid out (a test holds that), where a block opens and an
argument begins on a line of its own; what stands inside an argument's value is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLOCK = re.compile(r'(\w+)((?: "[^"]*")*) \{$')
_ARGUMENT = re.compile(r"(\w+)\s+= (.*)$")
_REFERENCE = re.compile(r"\b((?:aws|hcloud|digitalocean|google)_\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)")


@dataclass(slots=True)
class Block:
    """One block: its kind, labels, the arguments it sets, and the blocks inside."""

    kind: str
    labels: tuple[str, ...] = ()
    arguments: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def parse(text: str) -> Block:
    """Read a file; returns a block that stands for the file."""
    top = Block("file")
    stack = [top]
    depth = 0
    for raw in text.splitlines():
        line = raw.strip()
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line).partition("#")[0]
        if depth:
            depth += _opened(code)
        elif match := _BLOCK.match(line):
            block = Block(match[1], tuple(re.findall(r'"([^"]*)"', match[2])))
            stack[-1].blocks.append(block)
            stack.append(block)
        elif code == "}":
            stack.pop()
        elif match := _ARGUMENT.match(line):
            stack[-1].arguments.append(match[1])
            depth = _opened(code)
    return top


def references(text: str) -> Iterator[tuple[str, str]]:
    """Every `TYPE.NAME[...].ATTRIBUTE` of a managed resource: its type and the attribute."""
    return ((match[1], match[2]) for match in _REFERENCE.finditer(text))


def _opened(code: str) -> int:
    return sum(code.count(mark) for mark in "([{") - sum(code.count(mark) for mark in ")]}")
