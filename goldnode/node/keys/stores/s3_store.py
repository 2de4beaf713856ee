"""A signing lease in S3 or a compatible service: conditional writes, and AWS's signature by hand.

S3 compares one object, so revision and incarnation cannot be compared in one request (R4).  Instead
every lease names its incarnation; one that names a different incarnation from the bucket's grants nothing, and
a write counts only if the bucket still has the same incarnation after it: incarnations never come back (S2).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from goldnode.errors import HostError, SafetyError
from goldnode.node.keys.lease import ABSENT, Answer, Reading, Revision, Write
from goldnode.node.keys.stores.store import StoreAddress, decode, encode, forget

MAX_BYTES = 8 << 20
#: HTTP statuses: no such object; condition not met; another write was faster.
GONE, FAILED, CONFLICT = 404, 412, 409
_KEY = re.compile(r"<Key>([^<]+)</Key>")


class S3Store:
    """One lease in a bucket.

    Args:
        where: Bucket and prefix; options `region` and `endpoint`.
        address: The key's address.
        credentials: Folder with s3.json: access_key, secret_key, and session_token if there is one.
        timeout: Seconds for one answer.
    """

    fences = True

    def __init__(self, where: StoreAddress, address: str, credentials: Path, timeout: float) -> None:
        self._region = where.options.get("region", "us-east-1")
        self._endpoint = urlsplit(where.options.get("endpoint", f"https://s3.{self._region}.amazonaws.com"))
        self._bucket, self._prefix, self._timeout = where.hosts[0], where.prefix, timeout
        self._credentials = credentials / "s3.json"
        self._lease, self._incarnation = self._name(f"{address}.json"), self._name("incarnation")

    def read(self) -> Reading:
        """The store's content; the first to read a new store gives it its incarnation."""
        incarnation = self._get(self._incarnation)
        if incarnation is None:
            self._put(self._incarnation, secrets.token_hex(16), {"If-None-Match": "*"})
            incarnation = self._get(self._incarnation)
        if incarnation is None:
            raise HostError(f"the bucket {self._bucket} does not keep what is written")
        found = self._get(self._lease)
        if found is None:
            return Reading(Revision(incarnation[0], ABSENT))
        lease = decode(found[0], f"s3://{self._bucket}{self._lease}")
        if lease.incarnation != incarnation[0]:
            raise SafetyError(
                "the lease's bucket was restored, and this lease was not rewritten: none is granted (R4)",
                hint="goldnode lease restored, once, after you followed docs/lease.md",
            )
        return Reading(Revision(incarnation[0], found[1]), lease)

    def swap(self, write: Write) -> Revision | Answer:
        """Put a lease."""
        expected = write.expected
        condition = {"If-None-Match": "*"} if expected.number == ABSENT else {"If-Match": expected.number}
        try:
            same = self._is(expected.incarnation)
            tag = self._put(self._lease, encode(write.lease), condition) if same else ""
            # Checked again: between the first check and the write the bucket may have been restored.
            won = tag and self._is(expected.incarnation)
        except HostError:
            return Answer.UNANSWERED
        return Revision(expected.incarnation, tag) if won else Answer.REFUSED

    def restored(self) -> None:
        """Begin a new incarnation, and rewrite every lease in the bucket."""
        incarnation = secrets.token_hex(16)
        self._put(self._incarnation, incarnation, {})
        prefix = f"{self._prefix}/" if self._prefix else ""
        status, _, text = self._ask("GET", "/", "", {}, {"list-type": "2", "prefix": prefix})
        if status != http.client.OK:
            raise HostError(f"the bucket {self._bucket} cannot be listed: {status} {text[:200]}")
        for name in _KEY.findall(text):
            found = self._get(f"/{name}") if name.endswith(".json") else None
            if found:
                lease = decode(found[0], name)
                self._put(f"/{name}", encode(forget(lease, incarnation)), {"If-Match": found[1]})

    def _is(self, incarnation: str) -> bool:
        """Whether the bucket has this incarnation now."""
        found = self._get(self._incarnation)
        return found is not None and found[0] == incarnation

    def _name(self, name: str) -> str:
        return f"/{self._prefix}/{name}" if self._prefix else f"/{name}"

    def _get(self, name: str) -> tuple[str, str] | None:
        """An object and its ETag; None if there is none."""
        status, tag, text = self._ask("GET", name, "", {}, {})
        if status == GONE:
            return None
        if status != http.client.OK:
            raise HostError(f"the bucket {self._bucket} answers {status} for {name}: {text[:200]}")
        return text, tag

    def _put(self, name: str, text: str, condition: Mapping[str, str]) -> str:
        """Write an object; returns its ETag, empty if the condition is not met."""
        status, tag, said = self._ask("PUT", name, text, condition, {})
        if status in (FAILED, CONFLICT, GONE):
            return ""
        if status != http.client.OK or not tag:
            raise HostError(f"the bucket {self._bucket} answers {status} for {name}: {said[:200]}")
        return tag

    def _ask(
        self, method: str, name: str, body: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> tuple[int, str, str]:
        try:
            keys = json.loads(self._credentials.read_text())
            signer = (str(keys["access_key"]), str(keys["secret_key"]), str(keys.get("session_token", "")))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise HostError(
                f"{self._credentials} does not hold the bucket's credentials: {error}",
                hint='write {"access_key": "…", "secret_key": "…"} into it, by user-data',
            ) from error
        host = self._endpoint.netloc
        path = quote(f"/{self._bucket}{name}")
        asked = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(query.items()))
        now = dt.datetime.now(dt.UTC)
        signed = sign(method, host, path, asked, body, self._region, signer, now)
        kind = http.client.HTTPSConnection if self._endpoint.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, timeout=self._timeout)
        try:
            connection.request(method, path + (f"?{asked}" if asked else ""), body.encode(), {**signed, **headers})
            response = connection.getresponse()
            text = response.read(MAX_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise HostError(f"the bucket {self._bucket} does not answer: {error}") from error
        finally:
            connection.close()
        return response.status, response.headers.get("ETag", ""), text


def sign(
    method: str,
    host: str,
    path: str,
    query: str,
    body: str,
    region: str,
    keys: tuple[str, str, str],
    now: dt.datetime,
) -> dict[str, str]:
    """The headers of AWS's signature version 4 for one request to S3."""
    access, secret, token = keys
    stamp, digest = now.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(body.encode()).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        last = key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    value = f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={last.hex()}"
    del headers["host"]
    return {**headers, "Authorization": value}
