"""A real Chromium, told what to do over a pipe: no driver, no port, no other package."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from goldnode.run import stop_group

#: What makes it run without a screen, a sandbox of its own (tests are root), and first-run questions.
_WORDS = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
          "--hide-scrollbars", "--remote-debugging-pipe")  # fmt: skip
#: Ends a message on the pipe.
_END = b"\0"


@dataclass
class Browser:
    """One page of a browser."""

    to: IO[bytes]
    by: IO[bytes]
    session: str = ""
    errors: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command of the DevTools protocol; what it answers."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self.to.write(json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + _END)
        self.to.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(json.dumps(answer["params"]))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def open(self, url: str, width: int, height: int) -> None:
        """Open a page in a window of this size; a phone's below 600."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self.tell("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """What a script comes to."""
        return self.tell("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def text(self, name: str) -> str:
        """The text of the element with this id; empty while it is not there."""
        found: str = self.value(f"document.getElementById('{name}')?.textContent ?? ''")
        return found

    def picture(self, path: Path) -> None:
        """Write what is seen, as PNG."""
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot", format="png")["data"]))

    def _message(self) -> bytes:
        """The next message, as long as it is."""
        found = bytearray()
        while (byte := self.by.read(1)) != _END:
            assert byte, "the browser ended"
            found += byte
        return bytes(found)


@contextlib.contextmanager
def browser(within: Sequence[str] = ()) -> Iterator[Browser]:
    """A browser with one empty page; ``within`` stands before its command line."""
    its_in, our_out = os.pipe()
    our_in, its_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        words = [
            "bash",
            "-c",
            f'exec "$@" 3<&{its_in} 4>&{its_out}',
            "bash",
            *within,
            *_WORDS,
            f"--user-data-dir={home}",
        ]
        process = subprocess.Popen(
            words, pass_fds=(its_in, its_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(its_in)
        os.close(its_out)
        try:
            with os.fdopen(our_out, "wb") as to, os.fdopen(our_in, "rb") as by:
                made = Browser(to, by)
                page = made.tell("Target.createTarget", url="about:blank")["targetId"]
                made.session = made.tell("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
                for domain in ("Runtime", "Log", "Page"):
                    made.tell(f"{domain}.enable")
                yield made
        finally:
            stop_group(process)
