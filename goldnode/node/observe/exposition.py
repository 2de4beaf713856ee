"""Prometheus' text format, read and put together: pages of several programs become one.

A page whose one line is wrong is refused whole by Prometheus, and two programs of one machine have metrics of one
name.  So each line is checked, what is none is left out, each sample gets the labels of whose it is, and the samples
of one name stand together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_COMMENT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) ?(.*)")
_TYPES = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{((?:{_LABEL},?)*)\}})?"
    r" ([-+]?(?:[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+|Inf|NaN))(?: -?[0-9]+)?"
)
_NAME = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=")
_ONE_LABEL = re.compile(_LABEL)


@dataclass(slots=True)
class MetricFamily:
    """All samples of one metric.

    Attributes:
        help: What it is, for people.
        type: `gauge`, `counter`, `histogram`, `summary`; empty where nobody said.
        samples: Its lines.
    """

    help: str = ""
    type: str = ""
    samples: list[str] = field(default_factory=list)


def read(text: str, labels: Mapping[str, str]) -> dict[str, MetricFamily]:
    """Read a page; lines that are none are left out.

    Args:
        text: The page.
        labels: What every sample gets besides; one that it has by such a name is kept as `exported_NAME`.
    """
    found: dict[str, MetricFamily] = {}
    current = ""
    for line in text.splitlines():
        if comment := _COMMENT.fullmatch(line):
            kind, current, said = comment.groups()
            family = found.setdefault(current, MetricFamily())
            if kind == "HELP":
                family.help = said
            elif said in _TYPES:
                family.type = said
        elif sample := _SAMPLE.fullmatch(line):
            name, own, value = sample.groups()
            if name != current and not name.startswith(f"{current}_"):
                current = name
            written = f"{name}{_joined(own or '', labels)} {value}"
            found.setdefault(current, MetricFamily()).samples.append(written)
    return {name: family for name, family in found.items() if family.samples}


def merge(pages: Iterable[Mapping[str, MetricFamily]]) -> str:
    """One page of several; who comes first says what a metric is."""
    together: dict[str, MetricFamily] = {}
    for page in pages:
        for name, family in page.items():
            known = together.setdefault(name, MetricFamily(family.help, family.type))
            known.samples += family.samples
    lines: list[str] = []
    for name, family in together.items():
        lines += [f"# HELP {name} {family.help}"] if family.help else []
        lines += [f"# TYPE {name} {family.type}"] if family.type else []
        lines += family.samples
    return "".join(f"{line}\n" for line in lines)


def label(value: str) -> str:
    """A label's value as it is written."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _joined(own: str, labels: Mapping[str, str]) -> str:
    written = [f'{name}="{label(value)}"' for name, value in labels.items()]
    for each in _ONE_LABEL.findall(own):
        name = _NAME.match(each)
        written.append(f"exported_{each}" if name and name[1] in labels else each)
    return "{" + ",".join(written) + "}" if written else ""
