"""The operator at the keyboard."""

from __future__ import annotations

import json
from typing import Any

import pytest
from invoke import program
from invoke.collection import Collection

from goldnode.tasks.program import CommandLine


class Unguarded(CommandLine):
    """The program behind `./invoke`, letting through what a command raises."""

    execute = program.Program.execute


class Desk:
    """Types commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], tasks: Collection) -> None:
        self._capsys = capsys
        self._program = Unguarded(Collection(cluster=tasks))

    def type(self, line: str) -> str:
        """Run `./invoke LINE`; what it printed."""
        self._capsys.readouterr()
        self._program.run(["invoke", *line.split()], exit=False)
        return self._capsys.readouterr().out

    def status(self) -> Any:
        """The cluster as `status --json` has it."""
        return json.loads(self.type("cluster.status demo --json"))
