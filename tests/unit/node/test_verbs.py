"""The command line of ``goldnode``, and the functions behind it: each is imported when its verb is typed."""

from __future__ import annotations

import argparse
import gc
import importlib
from collections.abc import Iterator

import pytest

from goldnode.node.__main__ import _parser, main
from goldnode.node.commands import boot


def _verbs(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What each verb runs, `module.function`, its subcommands' included."""
    if run := parser.get_default("run"):
        yield run
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _verbs(each)


def test_every_verb_has_its_function() -> None:
    """No verb of the command line, nor a unit's, names a function that is not there."""
    named = [run.split(".") for run in _verbs(_parser())]
    missing = [
        f"{module}.{function}"
        for module, function in named
        if not hasattr(importlib.import_module(f"goldnode.node.commands.{module}"), function)
    ]

    assert named
    assert [] == missing


def test_a_verb_runs_with_garbage_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of the program goes without, and an agent that ran on so would fill its machine's memory."""
    collects = list[bool]()
    monkeypatch.setattr(boot, "check", lambda *_: collects.append(gc.isenabled()))
    gc.disable()
    try:
        main(["check", "node.yaml"])
    finally:
        gc.enable()

    assert collects == [True]
