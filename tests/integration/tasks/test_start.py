"""What a command starts with: felt at every `--list`, `--help` and completion."""

from __future__ import annotations

import sys

from goldnode.paths import REPOSITORY
from goldnode.run import run


def test_a_list_of_commands_loads_nothing_that_only_commands_need() -> None:
    """Cryptography, asyncio, YAML, XML: each would be felt at every `--list`, `--help` and completion."""
    lines = ("from goldnode.tasks.terminal import lazy", "with lazy.waiting():",
             "    from goldnode.tasks.program import CommandLine", "    from tasks import ns",
             "import sys",
             "heavy = {'cryptography', 'asyncio', 'unittest', '_elementtree', 'http.client', 'tomlkit'}",
             "print(sorted(heavy & set(sys.modules)), 'unittest.mock' in sys.modules)")  # fmt: skip

    assert "[] False\n" == run([sys.executable, "-c", "\n".join(lines)], cwd=REPOSITORY).stdout
