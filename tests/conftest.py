"""What all tests share: how hypothesis looks for examples, and that servers of this machine may be named."""

from __future__ import annotations

import os

from hypothesis import settings

from goldnode.config.network_rules import LOOPBACK_ALLOWED

# The servers of the tests are here.
os.environ[LOOPBACK_ALLOWED] = "1"

# No deadlines: shared machines are slow at times, and speed is for benchmarks.  The same examples each time, so that
# what was green stays green until the code changes; `--tier long` looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("default")
