"""Packer, streamed: a thin typed layer over packerpy.

packerpy knows Packer's commands and the spelling of arguments, but it returns the output only
after the end, and knows neither timeouts nor cancelling.  A bake takes a minute and may
hang, so this layer reads Packer's machine-readable lines as they come, ends Packer with everything
it started (``goldnode/vm/guard.py``), and keeps Packer's own log in case of a failure.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packerpy import PackerExecutable

from goldnode.errors import BakeError, HostError
from goldnode.run import NOT_HERE, spawn, stop_group
from goldnode.vm import guard

#: Packer writes a comma inside a field like this, because commas separate fields.
COMMA = "%!(PACKER_COMMA)"


@dataclass(frozen=True, slots=True)
class Event:
    """One machine-readable line.

    Attributes:
        target: The build it concerns, as ``qemu.golden``; empty for Packer itself.
        kind: ``ui``, ``artifact``, ``error``, ``error-count``, ...
        data: The fields behind the kind.
    """

    target: str
    kind: str
    data: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text for people: the last field."""
        return self.data[-1] if self.data else ""


def parse(line: str) -> Event | None:
    """Parse one line of ``-machine-readable`` output; None if it is not one."""
    fields = line.rstrip("\n").split(",")
    if len(fields) < 3 or not fields[0].isdigit():  # noqa: PLR2004 - time, target and kind are always there
        return None
    data = (field.replace(COMMA, ",").replace("\\n", "\n").replace("\\r", "") for field in fields[3:])
    return Event(fields[1], fields[2], tuple(data))


class Packer(PackerExecutable):  # type: ignore[misc]  # packerpy has no types
    """Packer's command line, streamed.

    Args:
        executable: Packer itself.
        log: Where Packer writes its own log (``PACKER_LOG``).
        listen: Called with every event, from the thread that called ``build``.
        timeout: Seconds after which Packer and all it started are ended.
        env: Additional environment for Packer.
    """

    def __init__(
        self,
        executable: str,
        *,
        log: Path,
        listen: Callable[[Event], None] = lambda _: None,
        timeout: float = 1800,
        env: dict[str, str] | None = None,
    ) -> None:
        super().__init__(executable_path=executable, machine_readable=True)
        self.packer_log, self.listen, self.timeout, self.env = log, listen, timeout, env or {}

    def execute_cmd(self, packer_cmd: str, template: str | None = None, **options: Any) -> tuple[int, str, str]:
        """Run one Packer command; packerpy's ``build``, ``validate`` and ``version`` end here.

        Returns:
            Exit code, all text for people, and the errors in it.

        Raises:
            BakeError: It did not end within ``timeout``.
            HostError: Packer is not installed.
        """
        if shutil.which(self.configuration[PackerExecutable.PATH]) is None:
            raise HostError(f"{self.configuration[PackerExecutable.PATH]} is not installed", hint=NOT_HERE)
        words = [self.configuration[PackerExecutable.PATH], packer_cmd, "-machine-readable"]
        words += [*self._explode_args(**options), *([template] if template else [])]
        said: list[str] = []
        errors: list[str] = []
        with self._started(words) as process:
            for raw in process.stdout or ():
                event = parse(raw.decode("utf-8", "replace"))
                if event is None:
                    continue
                said.append(event.text)
                if event.kind == "error" or (event.kind == "ui" and event.data[:1] == ("error",)):
                    errors.append(event.text)
                self.listen(event)
            return process.wait(), "\n".join(said), "\n".join(errors)

    @contextlib.contextmanager
    def _started(self, words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        env = {"PACKER_LOG": "1", "PACKER_LOG_PATH": str(self.packer_log), "CHECKPOINT_DISABLE": "1",
               "PACKER_CACHE_DIR": str(self.packer_log.parent / "packer-cache"), **self.env}  # fmt: skip
        late = threading.Event()

        def stop(process: subprocess.Popen[bytes]) -> None:
            late.set()
            stop_group(process)

        with spawn(guard.command(words), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            timer = threading.Timer(self.timeout, stop, [process])
            timer.daemon = True
            timer.start()
            try:
                yield process
            finally:
                timer.cancel()
        if late.is_set():
            raise BakeError(f"Packer did not end within {self.timeout:.0f} s", hint=f"less {self.packer_log}")
