"""Turns registry URLs into artifacts of a network file: corrected where the meaning is plain, refused where it is not.

The registry holds web pages in place of files, archives of another system, packages, and RPC
servers' answers in place of a genesis.  Each would be pinned by ``network lock`` and found out at
the bake at the earliest, so they are told apart here, by the URL alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from goldnode.authoring.registry_json import printable, text
from goldnode.config.network_rules import URL, url_fault
from goldnode.fetch.artifact import Format
from goldnode.forms import SHA256

#: A checksum after a URL: as a query, or where somebody mistyped the question mark.
CHECKSUM = re.compile(r"[?:&]checksum=([^&]*)\Z")
#: The longest URL accepted.
LONGEST = 500
#: Suffixes of files that are neither a program nor an archive that goldnode opens.
FOREIGN = re.compile(r"\.(deb|rpm|apk|msi|dmg|pkg|exe|appimage|xz|bz2|zst|lz4|7z|rar|tar|txt|md|html?|sh|ya?ml|toml)\Z")
OTHER_SYSTEM = re.compile(r"(?<![a-z])(darwin|macos|osx|apple|windows|win64|freebsd)(?![a-z])")
OTHER_ARCH = {
    "amd64": re.compile(r"(?<![a-z0-9])(arm64|aarch64|armv[678]|386|i386|riscv64)(?![a-z0-9])"),
    "arm64": re.compile(r"(?<![a-z0-9])(amd64|x86_64|x86-64|386|i386|riscv64)(?![a-z0-9])"),
}
#: Pages of a forge, where a file is meant.
PAGE = re.compile(r"/(releases/(tag|latest)|tree|commits?|pull|issues|wiki)(/|\Z)|/releases/?\Z")
#: The sources of a tag, packed by the forge: no program is inside.
SOURCES = re.compile(r"/archive/|/(zipball|tarball)/")
#: A forge's page about one file; the file itself is at the same place with raw.
BLOB = re.compile(r"(github\.com/[^/]+/[^/]+|/-)/blob/")
VERSION = re.compile(r"(?<![0-9.])[0-9]+\.[0-9]+(?:\.[0-9]+)?(?![0-9]|\.[0-9])")


@dataclass(slots=True)
class Links:
    """Turns URLs into artifacts and collects remarks.

    Attributes:
        remarks: One sentence for each change, guess and refusal.
    """

    remarks: list[str] = field(default_factory=list)

    def program(self, url: Any, arch: str, member: str, version: str, what: str = "") -> dict[str, Any] | None:
        """A published daemon for ``arch``; None if the URL cannot be one.

        Args:
            url: As in the registry.
            arch: amd64 or arm64.
            member: The daemon's name, guessed to be its name inside an archive.
            version: The version it should be; a URL that names only others is remarked.
            what: What it is, for remarks.
        """
        what = what or f"the {arch} binary"
        entry = self._entry(url, what)
        if entry is None:
            return None
        path = unquote(urlsplit(entry["url"]).path).lower()
        name = path.rpartition("/")[2]
        wrong = (
            (OTHER_SYSTEM.search(name) and "is for another system")
            or (OTHER_ARCH[arch].search(name) and "is for another architecture")
            or (FOREIGN.search(name) and "is neither a program nor a zip, gz or tar.gz")
            or (PAGE.search(path) and "is a web page, not a file")
            or (SOURCES.search(path) and "holds sources, not a program")
            or (not name and "names no file")
        )
        if wrong:
            self.remarks.append(f"{what}: left out {printable(entry['url'])}: it {wrong}")
            return None
        self._wrapped(entry, what, member)
        named = VERSION.findall(path)
        if named and version and version not in named and not any(version.startswith(f"{found}") for found in named):
            self.remarks.append(f"{what}: its URL names version {named[-1]}, recommended is {printable(version, 40)}")
        return entry

    def genesis(self, url: Any) -> dict[str, Any] | None:
        """The chain's genesis, taken out of an RPC server's answer if need be; None if the URL cannot be one."""
        entry = self._entry(url, "genesis")
        if entry is None:
            return None
        path = unquote(urlsplit(entry["url"]).path).lower()
        name = path.rpartition("/")[2]
        if PAGE.search(path) or FOREIGN.search(name):
            self.remarks.append(f"genesis: left out {printable(entry['url'])}: it is a web page, or no JSON file")
            return None
        if name == "genesis":
            entry["format"] = Format.RPC.value
            self.remarks.append("genesis: the URL is an RPC server's answer; the genesis inside it is taken")
        elif name == "genesis_chunked":
            self.remarks.append(f"genesis: left out {printable(entry['url'])}: it is one chunk of many")
            return None
        self._wrapped(entry, "genesis", "genesis.json")
        return entry

    def web(self, url: Any, what: str) -> str:
        """Any http(s) URL that a network file may hold, without a trailing slash; empty if it is invalid."""
        given = text(url).rstrip("/")
        wrong = "is too long" if len(given) > LONGEST else None if URL.fullmatch(given) else "is not an http URL"
        wrong = wrong or url_fault(given, importing=True)
        if wrong:
            self.remarks.append(f"{what}: left out {printable(given or str(url))!r}: it {wrong}")
            return ""
        return given

    def _entry(self, url: Any, what: str) -> dict[str, Any] | None:
        """URL and checksum, separated."""
        given = text(url)
        if len(given) > LONGEST:
            self.remarks.append(f"{what}: left out a URL of {len(given)} characters")
            return None
        found = CHECKSUM.search(given)
        checksum, bare = "", given
        if found:
            checksum, bare = unquote(found[1]), given[: found.start()]
        else:
            checksum, bare = _query(given)
        bare = self._raw(bare, what)
        clean = self.web(bare, what)
        if not clean:
            return None
        entry = {"url": clean}
        digest = checksum.removeprefix("sha256:").lower()
        if SHA256.fullmatch(digest):
            entry["sha256"] = digest
        elif checksum:
            self.remarks.append(f"{what}: left out a checksum that is not a sha256: {printable(checksum)!r}")
        if "sha256" not in entry:
            self.remarks.append(f"{what}: nobody published a sha256; ./invoke network lock pins it")
        return entry

    def _raw(self, url: str, what: str) -> str:
        if not BLOB.search(url):
            return url
        self.remarks.append(f"{what}: the URL is a page about the file; took the file itself, /raw/ for /blob/")
        return BLOB.sub(lambda found: found[0].replace("/blob/", "/raw/"), url, count=1)

    def _wrapped(self, entry: dict[str, Any], what: str, member: str) -> None:
        if "format" not in entry and Format.of(entry["url"]) in (Format.ZIP, Format.TAR_GZ):
            entry["member"] = member
            self.remarks.append(f"{what}: guessed that the archive holds it as {member}")


def _query(url: str) -> tuple[str, str]:
    """The checksum among other query parameters, and the URL without it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    if "checksum=" not in parts.query:
        return "", url
    kept = "&".join(pair for pair in parts.query.split("&") if not pair.startswith("checksum="))
    return parse_qs(parts.query).get("checksum", [""])[0], urlunsplit(parts._replace(query=kept))
