"""What is wrong with a network file: every fault at once, each with its line and what to write instead.

Shape is held by ``networks/network.schema.json``; this module adds what a schema cannot say (a seed
listed twice, an archive without a member, an upgrade ladder out of order).
Only the operator's machine needs it: an image carries documents that passed.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from goldnode.config import network_rules
from goldnode.config import source as sources
from goldnode.config.network_rules import Finding
from goldnode.config.source import Source, Where, dotted
from goldnode.errors import Fault, InputError
from goldnode.paths import REPOSITORY

SCHEMA = REPOSITORY / "networks" / "network.schema.json"
#: Longest value shown in a fault.
SHOWN = 80
#: Largest network file read, in characters.
MAX_BYTES = 1 << 20


def read(path: Path) -> Source:
    """Read a network file.

    Raises:
        InputError: It is not UTF-8, not YAML, uses aliases, or is far too large.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise sources.unreadable(str(path), 0, "it is not UTF-8 text") from error
    return parse(str(path), text)


def parse(file: str, text: str) -> Source:
    """Read the text of a network file, under the name it has or will have.

    Raises:
        InputError: It is not YAML, uses aliases, or is far too large.
    """
    return sources.read(file, text, MAX_BYTES)


def faults(source: Source) -> list[Fault]:
    """Everything that is wrong, in the order of the file."""
    found = [_fault(source, where, "appears twice in one mapping", "keep one", line) for where, line in source.twice]
    problems = sorted(_validator().iter_errors(source.data), key=lambda error: list(map(str, error.absolute_path)))
    for error in problems:
        found += [_fault(source, *finding) for finding in _explain(error)]
    if isinstance(source.data, dict):
        found += [_fault(source, *finding) for finding in network_rules.findings(source.data, Path(source.file))]
    return sorted(dict.fromkeys(found), key=lambda fault: (fault.line, fault.path))


def checked(path: Path) -> dict[str, Any]:
    """The document of a network file without fault, with its ``name`` in it.

    Raises:
        InputError: It has faults; all of them are listed.
    """
    source = read(path)
    found = faults(source)
    if found:
        count = "one fault" if len(found) == 1 else f"{len(found)} faults"
        raise InputError(f"{path} has {count}:", hint=f"fix the file, then ./invoke network check {path}", faults=found)
    return {"name": path.stem, **source.data}


@cache
def _validator() -> Validator:
    strict: type[Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return strict(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _pattern(_: Validator, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """JSON Schema's ``$`` is the end of the string, Python's also stands before a last line feed."""
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError("is not of the right form")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    end = re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)
    return re.compile(end, re.ASCII)


def _explain(error: ValidationError) -> Iterator[Finding]:
    """Turn one schema error into findings a person can act on."""
    where: Where = tuple(error.absolute_path)
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "required":
        missing = error.message.split("'")[1]
        yield (*where, missing), "is missing", "add it; networks/README.md explains every field"
    elif error.validator == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        for key in sorted(set(cast("dict[str, Any]", error.instance)) - set(known)):
            near = difflib.get_close_matches(key, known, n=1)
            fix = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            yield (*where, key), "is not a field of a network file", fix
    elif schema.get("not") == {}:
        yield where, _contradiction(where), "remove one of the two"
    elif error.validator == "type":
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        unquoted = "string" in kinds and isinstance(error.instance, int | float)
        yield where, f"must be {' or '.join(kinds)}", "put it in quotes" if unquoted else schema.get("x-fix", "")
    elif error.validator == "enum":
        words: list[str] = schema["enum"]
        near = difflib.get_close_matches(str(error.instance), words, n=1)
        yield where, f"must be one of {', '.join(words)}", f"did you mean {near[0]}?" if near else ""
    elif "propertyNames" in error.absolute_schema_path:
        yield (*where, str(error.instance)), "is not a valid key", "write lower-case letters, digits and underscores"
    elif error.validator in ("pattern", "not", "const"):
        yield where, "is not of the right form", schema.get("x-fix", "")
    else:
        yield where, error.message if len(error.message) <= SHOWN else f"breaks {error.validator}", ""


def _contradiction(where: Where) -> str:
    if where[0] == "genesis":
        return "contradicts private: true, with which every cluster makes its own genesis"
    if where[-1] == "jvm":
        return "needs kind: jvm beside it"
    return "has no meaning with kind: jvm"


def _fault(source: Source, where: Where, reason: str, fix: str, line: int = 0) -> Fault:
    value: Any = source.data
    for step in where:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
            break
    shown = "" if value is None or isinstance(value, dict | list) else str(value)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return Fault(source.file, line or source.line(where), dotted(where), shown, reason, fix)
