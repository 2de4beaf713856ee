"""Imports that wait until something of the module is used.

Each command's module imports what the command works with, and `./invoke --list` needs none of it:
with everything imported it took 1.7 s, with most of it waiting 0.3.  An empty module is put in
place and filled at the first look at one of its names, so a command's module must import modules
(``from goldnode.bake import golden``), never names of them.  Packages themselves are imported at
once, but for two whose modules nobody imports without them, and nothing waits after the block has ended.

The standard library's ``LazyLoader`` does the same, but before Python 3.12 a second thread sees a
module that is half filled (cpython issue 114763): a bake, whose base is made beside its daemon,
ended with an ImportError.  Here a thread waits for the one that fills it.  No two can wait for each
other, since our modules import each other in no circle (``tests/repo/test_imports.py``).
"""

from __future__ import annotations

import importlib.machinery
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader  # has the whole of importlib.resources behind it

#: Whose modules wait; the commands' own modules are what is looked at, and cannot.
#: The rules register themselves when they are imported: one that waits would be a rule that nobody asks.
WAITING = ("goldnode.", "benchmarks.", "rich.", "xml.", "platform.")
AT_ONCE = ("goldnode.tasks.", "goldnode.image.rules.")
#: Modules among the commands' own that are no commands.
WAITING_TOO = ("goldnode.tasks.operate.view.", "goldnode.tasks.operate.web.")
#: What Invoke imports for nothing of ours, half of the whole start: a class for tests, with all of asyncio behind it,
#: and what tells its own version, with zipfile and email.
UNUSED: dict[str, dict[str, object]] = {
    "unittest.mock": {"Mock": object},
    "importlib.metadata": {"version": lambda _: ""},
}
#: Packages that wait; Invoke reads a configuration by its own, which nobody has here.
PACKAGES = frozenset({"yaml", "invoke.vendor.yaml"})


class _WaitingModule(ModuleType):
    """A module that is filled at the first look at it; its spec keeps what is needed for that."""

    def __getattribute__(self, name: str) -> Any:
        waits: _Wait = object.__getattribute__(self, "__spec__").loader_state
        with waits.lock:
            if object.__getattribute__(self, "__class__") is _WaitingModule and not waits.loading:
                waits.loading = True
                try:
                    waits.loader.exec_module(self)
                finally:
                    # After a failure the next look says the same, and not that a name is missing.
                    waits.loading = False
                object.__setattr__(self, "__class__", ModuleType)
        return ModuleType.__getattribute__(self, name)


class _Wait:
    """What fills a module, and who fills it: while that goes on, its own thread sees what is there already."""

    def __init__(self, loader: Loader) -> None:
        self.loader, self.lock, self.loading = loader, threading.RLock(), False


class _LaterLoader:
    """Puts the empty module in place."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the true loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Let it wait."""
        assert module.__spec__  # noqa: S101 - the import system gave it one
        module.__spec__.loader = module.__loader__ = self.loader
        module.__spec__.loader_state = _Wait(self.loader)
        module.__class__ = _WaitingModule


class _Waiting:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        whole = f"{name}."
        at_once = not whole.startswith(WAITING) or (whole.startswith(AT_ONCE) and not whole.startswith(WAITING_TOO))
        if at_once and name not in PACKAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None or (spec.submodule_search_locations and name not in PACKAGES):
            return None
        spec.loader = _LaterLoader(spec.loader)  # type: ignore[assignment] # no subclass: see the imports
        return spec


@contextmanager
def waiting() -> Iterator[None]:
    """Let the imports of this block wait."""
    finder, stand_ins = _Waiting(), {name: ModuleType(name) for name in UNUSED if name not in sys.modules}
    for name, module in stand_ins.items():
        vars(module).update(UNUSED[name])
    sys.meta_path.insert(0, finder)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in stand_ins:
            del sys.modules[name]
