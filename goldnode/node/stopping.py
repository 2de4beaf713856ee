"""An event that is set when systemd asks us to stop."""

from __future__ import annotations

import signal
import threading


def stop_signal() -> threading.Event:
    """An event set by SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
