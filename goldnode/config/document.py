"""Reads YAML that people write: every fault at once, each with its line, path and value.

The node reads node.yaml and role.yaml on every boot, where a JSON Schema library would cost more
time than all the rest of the program; so these documents are read by a ``Reader``, which checks
values as it takes them out.  The published schema (``cloud-init/node.schema.json``) says the same,
and a test holds the two together.

    reader = Reader.parse("node.yaml", text)
    name = reader.text("name", NAME, "lower-case letters, digits and dashes")
    reader.finish()            # raises InputError with all faults, unknown keys among them
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from goldnode.config import source as sources
from goldnode.config.source import Source, Where, dotted
from goldnode.errors import Fault, InputError

T = TypeVar("T")
#: What a text must look like: a pattern for all of it, or a function that says so (``goldnode.forms``).
Form = re.Pattern[str] | Callable[[str], bool]
#: Longest value shown in a fault; invites and keys are secrets, so they are never shown whole.
SHOWN = 24
#: The largest document read: all of EC2's user-data is 16 KiB.
MAX_CHARACTERS = 256 * 1024


@dataclass(slots=True)
class _Shared:
    """State shared by all readers of one document."""

    source: Source
    faults: list[Fault] = field(default_factory=list)


class Reader:
    """One mapping of a document; taking values out checks them, and faults are collected.

    A value that is wrong yields the default given, so that reading goes on to the next fault;
    nothing read may be used before ``finish`` returned.
    """

    def __init__(self, shared: _Shared, mapping: Mapping[Any, Any], where: Where = ()) -> None:
        self._shared, self._mapping, self._where = shared, mapping, where
        self._known: set[str] = set()

    @classmethod
    def parse(cls, file: str, text: str) -> Reader:
        """Read a document that must be one mapping.

        Raises:
            InputError: It is not valid YAML, or not a mapping.
        """
        source = sources.read(file, text, MAX_CHARACTERS)
        if not isinstance(source.data, dict):
            raise sources.unreadable(file, 1, "not a mapping of keys to values")
        twice = [
            Fault(file, line, dotted(where), "", "appears twice in one mapping", "keep one")
            for where, line in source.twice
        ]
        return cls(_Shared(source, twice), source.data)

    def __contains__(self, key: str) -> bool:
        return self._mapping.get(key) is not None

    def fault(self, key: str, reason: str, *, fix: str = "", secret: bool = False, index: int | None = None) -> None:
        """Record that the value of ``key``, or an entry of that list, is wrong."""
        value, where = self.take(key), (*self._where, key)
        if index is not None:
            value, where = value[index], (*where, index)
        shown = "" if value is None else _shorten(value, 8 if secret else SHOWN)
        source = self._shared.source
        self._shared.faults.append(Fault(source.file, source.line(where), dotted(where), shown, reason, fix))

    def take(self, key: str) -> Any:
        """The raw value, None when absent."""
        self._known.add(key)
        return self._mapping.get(key)

    @overload
    def text(self, key: str, form: Form, meaning: str, default: None = None, *, secret: bool = False) -> str: ...
    @overload
    def text(self, key: str, form: Form, meaning: str, default: str, *, secret: bool = False) -> str: ...
    def text(self, key: str, form: Form, meaning: str, default: str | None = None, *, secret: bool = False) -> str:
        """A string that has this form as a whole; required unless a default is given."""
        value = self.take(key)
        if value is None:
            if default is None:
                self.fault(key, "missing", fix=f"write {meaning}")
            return default or ""
        if not isinstance(value, str) or not fits(form, value):
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
        """An integer in a range."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fault(key, f"must be an integer from {low} to {high}")
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

    def texts(self, key: str, form: Form, meaning: str, *, most: int = 64, secret: bool = False) -> tuple[str, ...]:
        """A list of distinct strings, each of this form; empty when absent."""
        words = self.words(key, form, meaning, most=most, secret=secret)
        if len(set(words)) != len(words):
            self.fault(key, "lists an entry twice", secret=secret)
        return words

    def words(self, key: str, form: Form, meaning: str, *, most: int = 64, secret: bool = False) -> tuple[str, ...]:
        """A list of strings, each of this form, in their order; empty when absent."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > most:
            self.fault(key, f"must be a list of at most {most}: {meaning}", secret=secret)
            return ()
        wrong = [at for at, entry in enumerate(value) if not isinstance(entry, str) or not fits(form, entry)]
        for at in wrong:
            self.fault(key, f"must be {meaning}", index=at, secret=secret)
        return () if wrong else tuple(value)

    def section(self, key: str) -> Reader:
        """The mapping under ``key``; an empty one when absent."""
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, "must be a mapping of keys to values")
            value = None
        return Reader(self._shared, value or {}, (*self._where, key))

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
                yield Reader(self._shared, entry, (*self._where, key, index))
            else:
                self.fault(key, "must be a mapping of keys to values", index=index)

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
        """Close this reader, and report every fault.

        Raises:
            InputError: Anything was wrong, with all faults in the order of their lines.
        """
        self.close()
        if self._shared.faults:
            faults = sorted(set(self._shared.faults), key=lambda fault: (fault.line, fault.path))
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            raise InputError(f"{self._shared.source.file} has {count}:", hint=hint, faults=faults)


def fits(form: Form, text: str) -> bool:
    """Whether a text has a form, as a whole."""
    return bool(form.fullmatch(text) if isinstance(form, re.Pattern) else form(text))


def _shorten(value: Any, most: int) -> str:
    text = str(value).replace("\n", "\\n")
    return text if len(text) <= most else f"{text[:most]}…"
