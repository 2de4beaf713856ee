"""A release on GitHub: a draft until every asset has been read back, then published.

A small client over plain HTTPS: seven calls, of which only some may be repeated
blindly, and redirects that must not carry the token along.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from goldnode.errors import PublishError
from goldnode.files import CHUNK

T = TypeVar("T")
API = "https://api.github.com"
#: Attempts at one operation, and seconds before the second; each wait is twice the last.
ATTEMPTS = 6
FIRST_WAIT = 1.0
_FORBIDDEN = 403
#: HTTP statuses that mean: try again later.
_LATER = (_FORBIDDEN, 408, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_PAGE = 100


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects: we do, without the token, because asset downloads lead to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(slots=True)
class GithubRelease:
    """One release on GitHub.

    Attributes:
        repository: As `owner/name`.
        tag: Created at ``commit`` if it does not exist.
        commit: What the tag names.
        title: The release's title.
        token: A token that may write the repository's contents.
        api: Address of the API, without a trailing slash.
        timeout: Seconds without a byte.
        sleep: Waits that many seconds.
    """

    repository: str
    tag: str
    commit: str
    title: str
    token: str
    api: str = API
    timeout: float = 30
    sleep: Callable[[float], None] = time.sleep
    _release: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The place, as people write it."""
        return f"github.com/{self.repository} {self.tag}"

    def prepare(self) -> None:
        """Find the release, published or draft, or create a draft."""
        self._release = self._again(self._find_or_create)

    def sha256(self, name: str) -> str | None:
        """SHA-256 of an asset, downloaded whole; None if there is none, or it was only partly uploaded."""

        def read() -> str | None:
            asset = self._asset(name)
            return None if asset is None else self._download(asset["url"])

        return self._again(read)

    def put(self, path: Path) -> None:
        """Upload a file, unless an earlier attempt, whose answer was lost, has done so."""

        def send() -> None:
            if self._asset(path.name) is not None:
                return
            address = self._release["upload_url"].partition("{")[0]
            with path.open("rb") as stream:
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
                self._call("POST", f"{address}?name={urllib.parse.quote(path.name)}", stream, headers).close()

        self._again(send)

    def finish(self) -> str:
        """Turn the draft into a public release."""
        address = f"/repos/{self.repository}/releases/{self._release['id']}"
        return str(self._again(lambda: self._json("PATCH", address, {"draft": False}))["html_url"])

    def _find_or_create(self) -> dict[str, Any]:
        for release in self._pages(f"/repos/{self.repository}/releases"):
            if release["tag_name"] == self.tag:
                return release
        wanted = {"tag_name": self.tag, "target_commitish": self.commit, "name": self.title, "draft": True}
        made: dict[str, Any] = self._json("POST", f"/repos/{self.repository}/releases", wanted)
        return made

    def _asset(self, name: str) -> dict[str, Any] | None:
        """A finished asset; an interrupted one (`starter`) is deleted, because it occupies the name."""
        for asset in self._pages(f"/repos/{self.repository}/releases/{self._release['id']}/assets"):
            if asset["name"] == name:
                if asset["state"] == "uploaded":
                    return asset
                self._call("DELETE", asset["url"]).close()
        return None

    def _download(self, address: str) -> str:
        answer = self._call("GET", address, headers={"Accept": "application/octet-stream"})
        if target := answer.headers.get("Location"):
            answer.close()
            answer = _OPENER.open(urllib.request.Request(target), timeout=self.timeout)  # noqa: S310 - GitHub says where
        digest = hashlib.sha256()
        with answer:
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _pages(self, address: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            items = self._json("GET", f"{address}?per_page={_PAGE}&page={page}")
            found += items
            if len(items) < _PAGE:
                return found
            page += 1

    def _json(self, method: str, address: str, document: Mapping[str, Any] | None = None) -> Any:
        data = None if document is None else json.dumps(document).encode()
        with self._call(method, self.api + address, data) as answer:
            return json.load(answer)

    def _call(
        self, method: str, address: str, data: bytes | IO[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Make one request with the token; redirects are returned, not followed.

        Raises:
            urllib.error.HTTPError: GitHub refused.
            OSError: It could not be reached.
        """
        common = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "goldnode",
        }
        request = urllib.request.Request(address, data, {**common, **(headers or {})}, method=method)  # noqa: S310
        try:
            return _OPENER.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as answer:
            if answer.code in _REDIRECTS:
                return answer
            raise

    def _again(self, operation: Callable[[], T]) -> T:
        """Retry an operation until it works; operations first look at what an earlier attempt has done."""
        attempt = 0
        while True:
            attempt += 1
            last = attempt == ATTEMPTS
            try:
                return operation()
            except urllib.error.HTTPError as refused:
                with refused:
                    # GitHub throttles with 403 too, and then says when to retry.
                    later = refused.code in _LATER and (refused.code != _FORBIDDEN or "Retry-After" in refused.headers)
                    if last or not later:
                        said = refused.read().decode("utf-8", "replace")[:200]
                        raise PublishError(
                            f"{self.name}: GitHub answered {refused.code}: {said}", hint="gh auth status"
                        ) from refused
            except (OSError, http.client.HTTPException) as broken:
                if last:
                    raise PublishError(f"{self.name}: {broken}", hint="run the same command again") from broken
            self.sleep(FIRST_WAIT * 2 ** (attempt - 1))
