"""An event that systemd's polite request to end sets."""

from __future__ import annotations

import signal
import threading


def stop_signal() -> threading.Event:
    """Set on SIGTERM and SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
