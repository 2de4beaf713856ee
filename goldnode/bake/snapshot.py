"""Debian as it was at one instant: packages from a snapshot service instead of a mirror that moves on.

A mirror gives what is newest on the day, and nobody can have the same again tomorrow.  A snapshot
service keeps every state of the archive under its date, so that a base can be made again, package
by package.  Where one answers, a base is made of its newest state; where none does, of the mirror,
and then only the day is known.  What arrives is signed by Debian either way: apt verifies it, so a
service can refuse or be slow, and nothing worse.

Which service is asked is apt's own setting: Debian 13's apt knows Debian's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from urllib.parse import urlsplit
from urllib.request import urlopen

from goldnode.errors import HostError, UsageError
from goldnode.run import CommandError, run

#: Names a service where apt knows none: the address below which `debian/` and `debian-security/` lie.
SETTING = "GOLDNODE_SNAPSHOTS"
#: How a service writes an instant, and what stands for it in apt's settings.
STAMP, PLACE = "%Y%m%dT%H%M%SZ", "@SNAPSHOTID@"
_MAIN = "Acquire::Snapshots::URI::Origin::Debian"
_SECURITY = "Acquire::Snapshots::URI::Override::Label::Debian-Security"
_IN_ADDRESS = re.compile(r"/([0-9]{8}T[0-9]{6}Z)/")
#: Seconds to wait for a service, which is asked for two small files before hundreds of packages are.
TIMEOUT = 10.0
#: A service whose newest state is older than this is behind, and the mirror is newer.
BEHIND = timedelta(days=1)
#: How much of an index of indices is read: its first lines say what it is.
HEAD = 4096
#: What the mirror's own list is kept as while a snapshot serves, and apt's settings meanwhile.
_LIST, _KEPT, _SETTINGS = "$1/etc/apt/sources.list", "$1/etc/apt/of-mirror", "$1/etc/apt/apt.conf.d/98snapshot"


@dataclass(frozen=True, slots=True)
class Service:
    """A snapshot service.

    Attributes:
        main: Address of the archive, with ``PLACE`` where the instant stands.
        security: The same for Debian's security updates.
    """

    main: str
    security: str


def known() -> Service | None:
    """The service that the operator names, or apt knows; None without either."""
    if named := os.environ.get(SETTING, "").rstrip("/"):
        return Service(f"{named}/debian/{PLACE}/", f"{named}/debian-security/{PLACE}/")
    try:
        said = run(["apt-config", "shell", "MAIN", _MAIN, "SECURITY", _SECURITY]).stdout
    except CommandError:
        return None
    values = dict(re.findall(r"^(MAIN|SECURITY)='([^'\s]+)'$", said, re.MULTILINE))
    return Service(values["MAIN"], values["SECURITY"]) if len(values) == 2 else None  # noqa: PLR2004 - both archives


def stamp_of(text: str) -> str:
    """The instant that an operator means by a date, a time or a service's own spelling.

    Raises:
        UsageError: It is none.
    """
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=UTC).strftime(STAMP)
    except ValueError:
        pass
    try:
        meant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--snapshot {text}: expected auto, off, or a date", hint="./invoke bake --snapshot 2026-11-28"
        ) from error
    return (meant if meant.tzinfo else meant.replace(tzinfo=UTC)).astimezone(UTC).strftime(STAMP)


def instant(stamp: str) -> datetime:
    """When that was."""
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)


def newest(service: Service, suite: str, stamp: str, ask: Callable[[str], tuple[str, str]] | None = None) -> str:
    """The state that a service has of an instant: it answers with the newest of before.

    Args:
        service: Whom to ask.
        suite: Debian's code name.
        stamp: The instant.
        ask: Gives the address that answered in the end, and the beginning of what it said.

    Raises:
        HostError: It does not answer, or with something else.
    """
    found = []
    for archive, dist in ((service.main, suite), (service.security, f"{suite}-security")):
        address = f"{archive.replace(PLACE, stamp)}dists/{dist}/InRelease"
        answered, head = (ask or _head)(address)
        if f"\nCodename: {dist}\n" not in head:
            raise HostError(f"{address} is not Debian's {dist}", hint=f"curl -L {address} | head")
        redirected = _IN_ADDRESS.search(answered)
        found.append(redirected[1] if redirected else stamp)
    return max(found)


def setup_hooks(service: Service, stamp: str) -> tuple[str, ...]:
    """What mmdebstrap does before apt looks anywhere: the list of the mirror makes way, an old date is no fault."""
    option = r"deb( \[[^]]*\])?"
    main, security = (
        re.sub(r"[#&\\]", r"\\\g<0>", each.replace(PLACE, stamp)) for each in (service.main, service.security)
    )
    edit = rf"s#^({option}) \S+ (\S+-security) #\1 {security} \3 #;t;s#^({option}) \S+ #\1 {main} #"
    lines = r'Acquire::Check-Valid-Until "false";\nAcquire::Retries "5";\n'
    return (f"cp {_LIST} {_KEPT}", f"sed -i -E '{edit}' {_LIST}", f"printf '{lines}' > {_SETTINGS}")


def customize_hooks() -> tuple[str, ...]:
    """Afterwards a machine's apt looks where every Debian's does, so that a node is not tied to the past."""
    return (f"mv {_KEPT} {_LIST}", f"rm {_SETTINGS}")


def _head(address: str) -> tuple[str, str]:
    if urlsplit(address).scheme not in ("http", "https"):
        raise HostError(f"{address} is neither http nor https", hint=f"{SETTING}=https://HOST/archive")
    try:
        with urlopen(address, timeout=TIMEOUT) as response:  # noqa: S310 - the scheme was checked
            return response.url, response.read(HEAD).decode("utf-8", "replace")
    except (OSError, HTTPException, ValueError) as error:
        raise HostError(
            f"the snapshot service does not answer: {address}: {error}", hint=f"curl -IL {address}"
        ) from error
