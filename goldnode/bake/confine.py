"""Starts somebody else's program with nothing within reach: it is trusted with printing its version, and no more.

A chain's binary is started while an image is made, on a machine that may hold a release key, a
cloud's credentials and the keys of clusters.  bubblewrap gives it this system's programs and
libraries, read-only, an empty /tmp, no network, no other process, and no user that owns anything.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from goldnode.errors import HostError
from goldnode.run import CommandError, run

#: What a program may read besides itself: libraries and the loader's list of them.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
NOBODY = "65534"


def prefix(*readable: Path | None) -> list[str]:
    """The words to put before a command, so that it runs confined.

    Args:
        readable: Files and folders it may read, including the program itself; None is skipped.

    Raises:
        HostError: Programs cannot be confined on this machine.
    """
    words = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
             "--uid", NOBODY, "--gid", NOBODY, "--proc", "/proc", "--dev", "/dev"]  # fmt: skip
    for name in SYSTEM:
        words += ["--ro-bind-try", name, name]
    words += ["--tmpfs", tempfile.gettempdir()]
    for path in filter(None, readable):
        words += ["--ro-bind", str(path.resolve()), str(path)]
    words += ["--chdir", tempfile.gettempdir()]
    try:
        run([*words, "true"])
    except CommandError as error:
        raise HostError(
            f"a chain's binary cannot be confined on this machine: {error.stderr.strip() or error.message}",
            hint="sysctl kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns",
        ) from error
    return words
