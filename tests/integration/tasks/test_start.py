"""What a command starts with: felt at every `--list`, `--help` and completion."""

from __future__ import annotations

import sys
from pathlib import Path

from goldnode.paths import REPOSITORY
from goldnode.run import run


def test_a_list_of_commands_loads_nothing_that_only_commands_need() -> None:
    """Cryptography, asyncio, YAML, XML: each would be felt at every `--list`, `--help` and completion."""
    lines = ("from goldnode.tasks.terminal import lazy", "with lazy.waiting():",
             "    from goldnode.tasks.program import CommandLine", "    from tasks import ns",
             "import sys",
             "heavy = {'cryptography', 'asyncio', 'unittest', '_elementtree', 'http.client', 'tomlkit',",
             "    'yaml.reader', 'invoke.vendor.yaml.reader', 'email', 'zipfile'}",
             "print(sorted(heavy & set(sys.modules)), 'unittest.mock' in sys.modules)",
             "import importlib.metadata; print(importlib.metadata.version('invoke') > '')")  # fmt: skip

    assert "[] False\nTrue\n" == run([sys.executable, "-c", "\n".join(lines)], cwd=REPOSITORY).stdout


def test_two_threads_may_want_one_module_at_once() -> None:
    """A bake makes its base beside its daemon: no thread meets a module that another one is filling."""
    lines = ("import sys, threading", "from goldnode.tasks.terminal import lazy", "with lazy.waiting():",
             "    from goldnode.bake import manifest", "    from goldnode.config import network",
             "    from goldnode.fleet import program", "sys.setswitchinterval(1e-6)", "start = threading.Barrier(3)",
             "def use(module, name): start.wait(); print(getattr(module, name) is not None)",
             "uses = [(network, 'load'), (manifest, 'source'), (program, 'program')]",
             "threads = [threading.Thread(target=use, args=each) for each in uses]",
             "for each in threads: each.start()", "for each in threads: each.join()")  # fmt: skip

    assert "True\n" * 3 == run([sys.executable, "-c", "\n".join(lines)], cwd=REPOSITORY).stdout


def test_a_module_that_fails_says_why_at_every_look(tmp_path: Path) -> None:
    """What it raised the first time is not followed by a name that seems to be missing."""
    (tmp_path / "platform.py").write_text("raise OSError('broken')\n")
    lines = ("from goldnode.tasks.terminal import lazy", "with lazy.waiting():", "    import platform",
             "for _ in range(2):", "    try: platform.system",
             "    except Exception as error: print(repr(error))")  # fmt: skip
    env = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}

    assert "OSError('broken')\n" * 2 == run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, env=env).stdout
