"""A cluster as its machines' pages show it: read all at once, one that is silent is told so within seconds."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from goldnode.errors import UsageError
from goldnode.forms import is_host, is_port
from goldnode.node.plan.ports import METRICS

#: Seconds for a machine to answer; its page's bytes at most; how many are asked at a time.
TIMEOUT, MOST, AT_ONCE = 2.0, 8 << 20, 16
_SAMPLE = re.compile(r'(goldnode_[a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node, as its machine's page shows it.

    Attributes:
        name: Its name.
        role: Its role.
        state: In one word, as `goldnode status` has it.
        healthy: Nothing needs anybody.
        height: Its latest block.
        age: Seconds since that block; -1 while unknown.
        peers: How many it has.
        lease: `held`, `not held`, empty for none.
        upgrade: The next version and how many blocks away; empty for none.
    """

    name: str
    role: str
    state: str
    healthy: bool
    height: int
    age: float
    peers: int
    lease: str
    upgrade: str


@dataclass(frozen=True, slots=True)
class ValidatorRow:
    """A validator, as somebody sees it on the chain.

    Attributes:
        name: Its name.
        signing: Whether it signs; None where nobody expects it.
        missed: Blocks of the window that it missed; -1 where the chain counts nothing.
        left: Blocks that it may still miss; -1 likewise.
        jailed: It may not sign.
    """

    name: str
    signing: bool | None
    missed: int
    left: int
    jailed: bool


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert that a machine tells of; ``machine`` is where it was seen."""

    name: str
    severity: str
    summary: str
    machine: str


@dataclass(frozen=True, slots=True)
class ClusterState:
    """A cluster at one look.

    Attributes:
        time: Unix seconds.
        machines: Each machine's page, and whether it answers.
        nodes: By name.
        validators: By name.
        alerts: The worst first.
    """

    time: float
    machines: tuple[tuple[str, bool], ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    validators: tuple[ValidatorRow, ...] = ()
    alerts: tuple[AlertRow, ...] = ()

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        return {"version": 1, **asdict(self)}


@dataclass(frozen=True, slots=True)
class _Sample:
    name: str
    labels: dict[str, str]
    value: float


@dataclass(slots=True)
class ClusterWatch:
    """Looks at machines, and remembers what was on those that have gone silent.

    Attributes:
        pages: HOST:PORT of each.
        ask: Gives a machine's page; raises OSError when it does not answer.
    """

    pages: Sequence[str]
    ask: Callable[[str], str]
    _nodes: dict[str, list[NodeRow]] = field(default_factory=dict)

    def look(self, now: float) -> ClusterState:
        """Read every page once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            texts = dict(zip(self.pages, pool.map(self._read, self.pages), strict=True))
        silent = [page for page, text in texts.items() if text is None]
        samples = {page: _samples(text) for page, text in texts.items() if text is not None}
        for page, found in samples.items():
            self._nodes[page] = _nodes(found)
        rows = [row for page in self.pages for row in self._shown(page, gone=page in silent)]
        alerts = [AlertRow("MachineDown", "critical", f"nothing is heard of {page}", page) for page in silent]
        alerts += [alert for page, found in samples.items() for alert in _alerts(found, page)]
        return ClusterState(
            time=now,
            machines=tuple((page, page not in silent) for page in self.pages),
            nodes=tuple(sorted(rows, key=lambda row: row.name)),
            validators=_validators(sample for found in samples.values() for sample in found),
            alerts=tuple(sorted(_once(alerts), key=lambda alert: (alert.severity != "critical", alert.name))),
        )

    def _read(self, page: str) -> str | None:
        try:
            return self.ask(page)
        except (OSError, http.client.HTTPException, ValueError):
            return None  # shown as a machine that is down

    def _shown(self, page: str, *, gone: bool) -> list[NodeRow]:
        known = self._nodes.get(page, [])
        if not gone:
            return known
        return [NodeRow(row.name, row.role, "silent", False, row.height, -1, 0, "", "") for row in known]


def over_http(page: str) -> str:
    """A machine's page.

    Raises:
        OSError: It does not answer.
    """
    host, _, port = page.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read(MOST).decode(errors="replace")
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise OSError(f"{page} answers {answer.status}")
    return text


def parse_page(text: str) -> str:
    """A machine's page as a person types it: `HOST` or `HOST:PORT`.

    Raises:
        UsageError: It is none.
    """
    given = text.removeprefix("http://").removesuffix("/metrics").rstrip("/")
    host, colon, port = given.rpartition(":")
    if not colon or given.endswith("]"):
        host, port = given, str(METRICS)
    if not is_host(host) or not is_port(port):
        raise UsageError(f"--page {text}: expected a machine", hint="--page 10.0.0.7 or --page [2001:db8::7]:9600")
    return f"{host}:{port}"


def _samples(text: str) -> list[_Sample]:
    found = []
    for line in text.splitlines():
        if hit := _SAMPLE.fullmatch(line):
            labels = {name: _ESCAPED.sub(r"\1", value) for name, value in _LABEL.findall(hit[2] or "")}
            found.append(_Sample(hit[1], labels, float(hit[3])))
    return found


def _nodes(samples: Sequence[_Sample]) -> list[NodeRow]:
    values: dict[str, dict[str, _Sample]] = {}
    for sample in samples:
        if (name := sample.labels.get("node")) and "validator" not in sample.labels:
            wanted = sample.name != "goldnode_state" or sample.value == 1
            if wanted:
                values.setdefault(name, {})[sample.name.removeprefix("goldnode_")] = sample
    return [_node(name, of) for name, of in values.items() if "state" in of]


def _node(name: str, of: dict[str, _Sample]) -> NodeRow:
    def value(metric: str, default: float) -> float:
        return of[metric].value if metric in of else default

    coming = of.get("upgrade_blocks")
    ready = "ready" if value("upgrade_ready", 0) else "MISSING"
    return NodeRow(
        name=name,
        role=of["state"].labels.get("role", ""),
        state=of["state"].labels["state"],
        healthy=bool(value("healthy", 0)),
        height=int(value("height", 0)),
        age=value("block_age_seconds", -1),
        peers=int(value("peers", 0)),
        lease="" if "lease_held" not in of else "held" if value("lease_held", 0) else "not held",
        upgrade=f"{coming.labels.get('upgrade')} in {coming.value:.0f} blocks: {ready}" if coming else "",
    )


def _validators(samples: Iterable[_Sample]) -> tuple[ValidatorRow, ...]:
    """One row for each, from all who see it: whoever sees its signature is right."""
    seen: dict[str, dict[str, list[float]]] = {}
    for sample in samples:
        if name := sample.labels.get("validator"):
            metric = sample.name.removeprefix("goldnode_validator_")
            seen.setdefault(name, {}).setdefault(metric, []).append(sample.value)
    return tuple(
        ValidatorRow(
            name=name,
            signing=any(of["signing"]) if "signing" in of else None,
            missed=int(max(of.get("missed_blocks", [-1]))),
            left=int(min(of.get("blocks_left", [-1]))),
            jailed=any(of.get("jailed", [])),
        )
        for name, of in sorted(seen.items())
    )


def _alerts(samples: Sequence[_Sample], page: str) -> list[AlertRow]:
    found = [sample.labels for sample in samples if sample.name == "goldnode_alert"]
    return [AlertRow(of.get("alert", ""), of.get("severity", ""), of.get("summary", ""), page) for of in found]


def _once(alerts: Iterable[AlertRow]) -> list[AlertRow]:
    """What several machines say in the same words is said once."""
    return list({(alert.name, alert.summary): alert for alert in alerts}.values())
