"""The one page of a machine: the agent's metrics, each daemon's own with its node's labels, the JVM's, the host's.

Served on loopback; on all addresses when node.yaml names who may read it, and then the firewall lets in nobody
else.  Nothing else of a node opens a port for metrics.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from goldnode.node.observe import exposition, page_server
from goldnode.node.observe.exposition import MetricFamily
from goldnode.node.observe.page_server import Page

#: Where Debian's prometheus-node-exporter listens on a node: loopback only.
HOST_PORT = 9100
#: Seconds for one program's page; its bytes at most; how many are asked at a time.
TIMEOUT, MOST, AT_ONCE = 2.0, 8 << 20, 8
#: What a metric's name begins with that only the agent, the JVM's host and the machine's exporter may tell.
OURS, JVMS, HOSTS = "goldnode_", "goldnode_jvm_", "node_"


@dataclass(frozen=True, slots=True)
class PageSource:
    """A program on this machine that has a page.

    Attributes:
        port: On loopback.
        labels: Whose metrics these are.
        only: What names must begin with; empty for any.
    """

    port: int
    labels: Mapping[str, str] = field(default_factory=dict)
    only: str = ""


def gathered(own: Mapping[str, MetricFamily], sources: Iterable[PageSource]) -> str:
    """The page: ours, then what each source says; one that does not answer is left out."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return exposition.merge([own, *pool.map(_read, sources)])


def own_families(page: Mapping[str, MetricFamily], source: PageSource) -> dict[str, MetricFamily]:
    """What a source may tell: a daemon that somebody broke into must not speak for the agent, nor for the machine."""
    return {
        name: family
        for name, family in page.items()
        if (name.startswith(source.only) if source.only else not name.startswith((OURS, HOSTS)))
    }


def _read(source: PageSource) -> dict[str, MetricFamily]:
    return own_families(exposition.read(_ask(source.port), source.labels), source)


def _ask(port: int) -> str:
    """What a program on loopback tells Prometheus; nothing while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
        answer = connection.getresponse()
        return answer.read(MOST).decode(errors="replace") if answer.status == http.client.OK else ""
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    finally:
        connection.close()


@contextmanager
def serving(address: str, port: int, page: Callable[[], str]) -> Iterator[int]:
    """Serve a page at /metrics while the block runs.

    Args:
        address: `127.0.0.1`, or `::` for all.
        port: 0 for any free one.
        page: Gives the text.

    Yields:
        The port.
    """

    def answer(path: str, _: Mapping[str, str]) -> Page:
        body = page().encode() if path == "/metrics" else b""
        return Page(200 if body else 404, "text/plain; version=0.0.4; charset=utf-8", body)

    with page_server.serving(address, port, answer) as served:
        yield served
