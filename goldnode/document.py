"""Reading YAML that people write: every fault at once, each with its line, path and value.

The node reads node.yaml and role.yaml on every boot, where a JSON Schema library would cost more
time than all the rest of the program; so these documents are read by a ``Reader`` that checks
while it takes values out.  The published schema (``cloud-init/node.schema.json``) says the same,
and a test holds the two together.

    reader = Reader.parse("node.yaml", text)
    name = reader.text("name", NAME, "lower-case letters, digits and dashes")
    reader.finish()            # raises InputError with all faults, unknown keys among them
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import yaml

from goldnode.errors import Fault, InputError

T = TypeVar("T")
#: Longest value shown in a fault; invites and keys are secrets, so they are never shown whole.
SHOWN = 24
#: The largest document read, in bytes: all of EC2's user-data is 16 KiB.
MAX_BYTES = 256 * 1024


class _Loader(yaml.SafeLoader):
    """SafeLoader that remembers lines, and refuses a key given twice and anchors that could explode."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.lines: dict[int, dict[str, int]] = {}
        self.kept: list[Any] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="an alias (*) is not allowed here", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name = str(self.construct_object(key, deep=True))
            if name in lines:
                raise yaml.MarkedYAMLError(problem=f"the key {name} stands twice", problem_mark=key.start_mark)
            lines[name] = key.start_mark.line + 1
        mapping = super().construct_mapping(node, deep=deep)
        # Keyed by identity: `kept` holds the mappings, so that no other object can get the same id.
        self.kept.append(mapping)
        self.lines[id(mapping)] = lines
        return mapping


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@dataclass(slots=True)
class _Shared:
    """What all readers of one document have in common."""

    file: str
    lines: Mapping[int, Mapping[str, int]]
    faults: list[Fault] = field(default_factory=list)


class Reader:
    """One mapping of a document; taking values out checks them, and faults are collected.

    A value that is wrong yields the default given, so that reading goes on to the next fault;
    nothing read may be used before ``finish`` returned.
    """

    def __init__(self, shared: _Shared, mapping: Mapping[Any, Any], path: str, line: int) -> None:
        self._shared, self._mapping, self._path, self._line = shared, mapping, path, line
        self._known: set[str] = set()
        self._lines = shared.lines.get(id(mapping), {})

    @classmethod
    def parse(cls, file: str, text: str) -> Reader:
        """Read a document that must be one mapping.

        Raises:
            InputError: It is no YAML, holds a key twice, or is not a mapping.
        """
        if len(text) > MAX_BYTES:
            raise _unreadable(file, 0, f"larger than {MAX_BYTES} bytes")
        loader = None
        try:
            loader = _Loader(text)
            document = loader.get_single_data()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise _unreadable(file, line, error.problem or str(error)) from error
        except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
            raise _unreadable(file, 0, str(error).splitlines()[0]) from error
        finally:
            if loader is not None:
                loader.dispose()
        if not isinstance(document, dict):
            raise _unreadable(file, 1, "not a mapping of keys to values")
        return cls(_Shared(file, loader.lines), document, "", 0)

    def __contains__(self, key: str) -> bool:
        return self._mapping.get(key) is not None

    def fault(self, key: str, reason: str, *, fix: str = "", secret: bool = False) -> None:
        """Record that the value of ``key`` is wrong."""
        self._known.add(key)
        value = self._mapping.get(key)
        shown = "" if value is None else _shorten(value, 8 if secret else SHOWN)
        line = self._lines.get(key, self._line)
        self._shared.faults.append(Fault(self._shared.file, line, self._join(key), shown, reason, fix))

    def take(self, key: str) -> Any:
        """The raw value, None when absent."""
        self._known.add(key)
        return self._mapping.get(key)

    @overload
    def text(
        self, key: str, pattern: re.Pattern[str], meaning: str, default: None = None, *, secret: bool = False
    ) -> str: ...
    @overload
    def text(self, key: str, pattern: re.Pattern[str], meaning: str, default: str, *, secret: bool = False) -> str: ...
    def text(
        self, key: str, pattern: re.Pattern[str], meaning: str, default: str | None = None, *, secret: bool = False
    ) -> str:
        """A string that matches ``pattern`` as a whole; required unless a default is given."""
        value = self.take(key)
        if value is None:
            if default is None:
                self.fault(key, "missing", fix=f"write {meaning}")
            return default or ""
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.fault(key, f"must be {meaning}", secret=secret)
            return default or ""
        return value

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """One of a few words; required unless a default is given."""
        value = self.take(key)
        words = sorted(choices)
        if value is None and default is not None:
            return default
        if value is None:
            self.fault(key, "missing", fix=f"write one of {', '.join(words)}")
        elif value not in words:
            near = difflib.get_close_matches(str(value), words, n=1)
            self.fault(key, f"must be one of {', '.join(words)}", fix=f"did you mean {near[0]}?" if near else "")
        else:
            return str(value)
        return default or words[0]

    def number(self, key: str, low: int, high: int, default: int) -> int:
        """A whole number in a range."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fault(key, f"must be a whole number from {low} to {high}")
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(key, "must be true or false")
            return default
        return value

    def texts(self, key: str, pattern: re.Pattern[str], meaning: str, *, most: int = 64) -> tuple[str, ...]:
        """A list of distinct strings, each matching ``pattern``; empty when absent."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > most:
            self.fault(key, f"must be a list of at most {most}: {meaning}")
            return ()
        wrong = [entry for entry in value if not isinstance(entry, str) or not pattern.fullmatch(entry)]
        for entry in wrong:
            self.fault(f"{key}[{value.index(entry)}]", f"must be {meaning}", fix=f"not {_shorten(entry, SHOWN)}")
        if not wrong and len(set(value)) != len(value):
            self.fault(key, "holds an entry twice")
        return () if wrong else tuple(value)

    def section(self, key: str) -> Reader:
        """The mapping under ``key``; an empty one when absent."""
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, "must be a mapping of keys to values")
            value = None
        return Reader(self._shared, value or {}, self._join(key), self._lines.get(key, self._line))

    def sections(self, key: str, *, most: int = 64) -> Iterator[Reader]:
        """The mappings of the list under ``key``; none when absent."""
        value = self.take(key)
        if value is None:
            return
        if not isinstance(value, list) or len(value) > most:
            self.fault(key, f"must be a list of at most {most} mappings")
            return
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                first = min(self._shared.lines.get(id(entry), {}).values(), default=0)
                yield Reader(self._shared, entry, f"{self._join(key)}[{index}]", first)
            else:
                self.fault(f"{key}[{index}]", "must be a mapping of keys to values")

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every key and raw value, for mappings whose keys are free."""
        for key in list(self._mapping):
            yield str(key), self.take(key)

    def close(self) -> None:
        """Record every key that was never asked for."""
        for key in self._mapping:
            if str(key) not in self._known:
                near = difflib.get_close_matches(str(key), self._known, n=1)
                self.fault(str(key), "unknown key", fix=f"did you mean {near[0]}?" if near else "remove it")

    def finish(self, hint: str = "") -> None:
        """Close this reader and report.

        Raises:
            InputError: Anything was wrong, with all faults in the order of their lines.
        """
        self.close()
        if self._shared.faults:
            faults = sorted(set(self._shared.faults), key=lambda fault: (fault.line, fault.path))
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            raise InputError(f"{self._shared.file} has {count}:", hint=hint, faults=faults)

    def _join(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _shorten(value: Any, most: int) -> str:
    text = str(value).replace("\n", "\\n")
    return text if len(text) <= most else f"{text[:most]}…"


def _unreadable(file: str, line: int, reason: str) -> InputError:
    return InputError(f"{file} cannot be read:", faults=[Fault(file, line, "", "", reason)])
