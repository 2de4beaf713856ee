"""A signing lease in etcd, through its JSON gateway (``/v3/kv/txn``, etcd 3.4 and later).

One transaction compares the lease's revision and the incarnation's key, so both parts of R4 hold at
once.  The incarnation carries the ID of the etcd cluster, which is not in a backup: a store restored
under a new cluster token, as docs/lease.md says, grants nothing until it has a new incarnation.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
from pathlib import Path
from typing import Any

from goldnode.errors import HostError, SafetyError
from goldnode.node.keys.lease import ABSENT, Answer, Reading, Revision, Write
from goldnode.node.keys.stores.store import StoreAddress, decode, encode

MAX_BYTES = 1 << 20


class _NotSentError(Exception):
    """No connection to an endpoint: it certainly did not receive the request."""


class EtcdStore:
    """One lease in etcd.

    Args:
        where: Endpoints and prefix; the option `tls=yes` for https.
        address: The key's address.
        credentials: Folder with ca.pem, client.pem and client.key, for https.
        timeout: Seconds for one answer.
        source: Our address to ask from; empty for any.
    """

    fences = True

    def __init__(self, where: StoreAddress, address: str, credentials: Path, timeout: float, source: str = "") -> None:
        self._where, self._timeout, self._credentials = where, timeout, credentials
        self._hosts, self._source = list(where.hosts), (source, 0) if source else None
        self._lease = f"/{where.prefix}/{address}".replace("//", "/")
        self._incarnation = f"/{where.prefix}/incarnation".replace("//", "/")

    def read(self) -> Reading:
        """The store's content; the first to read a new store gives it its incarnation."""
        found = self._both()
        if found["incarnation"] is None:
            self._begin(found["cluster"])
            found = self._both()
        incarnation, lease = found["incarnation"], found["lease"]
        value = _text(incarnation["value"]) if incarnation else ""
        if value.partition("-")[2] != found["cluster"]:
            raise SafetyError(
                "the lease's etcd was restored from a backup, or is another cluster: it has no new incarnation (S2)",
                hint="goldnode lease restored, once, after you followed docs/lease.md",
            )
        if lease is None:
            return Reading(Revision(value, ABSENT))
        return Reading(Revision(value, str(lease["mod_revision"])), decode(_text(lease["value"]), self._lease))

    def swap(self, write: Write) -> Revision | Answer:
        """Put a lease."""
        key, inc = _code(self._lease), _code(self._incarnation)
        expected = write.expected
        request = {
            "compare": [
                {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": expected.number},
                {"key": inc, "target": "VALUE", "result": "EQUAL", "value": _code(expected.incarnation)},
            ],
            "success": [{"request_put": {"key": key, "value": _code(encode(write.lease))}}],
        }
        try:
            answer = self._ask("kv/txn", request)
            if not answer.get("succeeded"):
                return Answer.REFUSED
            if _cluster(answer) != expected.incarnation.partition("-")[2]:
                return Answer.REFUSED
            return Revision(expected.incarnation, str(answer["header"]["revision"]))
        except (HostError, KeyError, TypeError, ValueError):
            return Answer.UNANSWERED

    def restored(self) -> None:
        """Begin a new incarnation."""
        value = f"{secrets.token_hex(16)}-{self._both()['cluster']}"
        self._ask("kv/put", {"key": _code(self._incarnation), "value": _code(value)})

    def _begin(self, cluster: str) -> None:
        key = _code(self._incarnation)
        value = _code(f"{secrets.token_hex(16)}-{cluster}")
        absent = {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        self._ask("kv/txn", {"compare": [absent], "success": [{"request_put": {"key": key, "value": value}}]})

    def _both(self) -> dict[str, Any]:
        """A consistent view of incarnation and lease, and which cluster answered."""
        ranges = [{"request_range": {"key": _code(key)}} for key in (self._incarnation, self._lease)]
        answer = self._ask("kv/txn", {"success": ranges})
        try:
            found = [(each["response_range"].get("kvs") or [None])[0] for each in answer["responses"]]
            return {"incarnation": found[0], "lease": found[1], "cluster": _cluster(answer)}
        except (KeyError, TypeError, IndexError) as error:
            raise HostError(f"the lease's etcd gives an unexpected answer: {str(answer)[:200]}") from error

    def _ask(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask one endpoint after the other until one has received the request; next time one that answered first."""
        last = "none is known yet"
        for host in tuple(self._hosts):
            try:
                return self._post(host, method, json.dumps(request))
            except (_NotSentError, HostError) as error:
                # It may be up and cut from the others: the next question goes elsewhere first.
                self._hosts.append(self._hosts.pop(0))
                if isinstance(error, HostError):
                    raise
                last = f"{host}: {error}"
        raise HostError(f"the lease's etcd does not answer ({last})", hint="goldnode status")

    def _post(self, host: str, method: str, body: str) -> dict[str, Any]:
        connection = self._connection(host)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise _NotSentError(str(error)) from error
            connection.request("POST", f"/v3/{method}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read(MAX_BYTES)
            if response.status != http.client.OK:
                raise HostError(f"the lease's etcd at {host} says {response.status}: {text[:200]!r}")
            answer: dict[str, Any] = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HostError(f"the lease's etcd at {host} does not answer: {error}") from error
        finally:
            connection.close()
        return answer

    def _connection(self, host: str) -> http.client.HTTPConnection:
        if self._where.options.get("tls") != "yes":
            return http.client.HTTPConnection(host, timeout=self._timeout, source_address=self._source)
        try:
            context = ssl.create_default_context(cafile=self._credentials / "ca.pem")
            if (self._credentials / "client.pem").exists():
                context.load_cert_chain(self._credentials / "client.pem", self._credentials / "client.key")
        except OSError as error:
            raise HostError(f"the certificates in {self._credentials} cannot be used: {error}") from error
        return http.client.HTTPSConnection(host, timeout=self._timeout, context=context, source_address=self._source)


def _cluster(answer: dict[str, Any]) -> str:
    return str(answer["header"]["cluster_id"])


def _code(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode()
