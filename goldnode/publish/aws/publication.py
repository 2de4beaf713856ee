"""What one publication to AWS needs, handed from step to step."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldnode.progress import Progress
from goldnode.publish.aws.clients import Clients
from goldnode.publish.aws.image import Ami
from goldnode.publish.ledger import Facts, Ledger


@dataclass(frozen=True, slots=True)
class Parent:
    """An earlier release of the same network: only the difference is sent.

    Attributes:
        snapshot: Its snapshot in the home region.
        raw: Its disk, a `.raw.zst`.
    """

    snapshot: str
    raw: Path


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything one publication needs.

    Attributes:
        ami: What to publish.
        regions: Where; the first is the home region, to which the disk is uploaded.
        deprecate_at: When consoles stop offering the image to others.
        clients: How AWS is called.
        ledger: What has been done already.
        progress: Receives progress.
        parent: What the home region has already.
        sleep: Waits that many seconds.
        clock: Monotonic seconds.
    """

    ami: Ami
    regions: Sequence[str]
    deprecate_at: dt.datetime
    clients: Clients
    ledger: Ledger
    progress: Progress
    parent: Parent | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @property
    def home(self) -> str:
        """The region to which the disk is uploaded."""
        return self.regions[0]

    def once(self, step: str, key: str, find: Callable[[], str | None], act: Callable[[], str]) -> str:
        """Do a step of the ledger whose result is one id, kept under ``key``."""

        def found() -> Facts | None:
            held = find()
            return None if held is None else {key: held}

        return str(self.ledger.once(step, lambda: {key: act()}, find=found)[key])
