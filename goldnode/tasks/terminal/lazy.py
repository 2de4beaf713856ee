"""Imports that wait until something of the module is used.

Each command's module imports what the command works with, and `./invoke --list` needs none of it:
with everything imported it took 1.7 s, with most of it waiting 0.3.  The standard library's
``LazyLoader`` puts an empty module in place and fills it at the first look at one of its names, so
a command's module must import modules (``from goldnode.bake import golden``), never names of them.
Packages themselves are imported at once, and nothing waits after the block has ended.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

#: Whose modules wait; the commands' own modules are what is looked at, and cannot.
#: The rules register themselves when they are imported: one that waits would be a rule that nobody asks.
WAITING = ("goldnode.", "benchmarks.", "rich.", "xml.", "platform.")
AT_ONCE = ("goldnode.tasks.", "goldnode.image.rules.")
#: Modules among the commands' own that are no commands.
WAITING_TOO = ("goldnode.tasks.operate.view.", "goldnode.tasks.operate.web.")
#: What Invoke imports for a class that only tests use, with all of asyncio behind it: a seventh of the whole start.
UNUSED = "unittest.mock"


class _Waiting:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        whole = f"{name}."
        if not whole.startswith(WAITING) or (whole.startswith(AT_ONCE) and not whole.startswith(WAITING_TOO)):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None or spec.submodule_search_locations:
            return None
        spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextmanager
def waiting() -> Iterator[None]:
    """Let the imports of this block wait."""
    finder, stand_in = _Waiting(), ModuleType(UNUSED)
    vars(stand_in)["Mock"] = object
    sys.meta_path.insert(0, finder)
    sys.modules.setdefault(UNUSED, stand_in)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if sys.modules[UNUSED] is stand_in:
            del sys.modules[UNUSED]
