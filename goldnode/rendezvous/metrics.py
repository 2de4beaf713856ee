"""Metrics for Prometheus: counts and sizes, never a room, a slot or an address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """Counters since the start.

    Attributes:
        requests: Requests answered, by call and outcome (``ok`` or the error code).
        notified: Long-polls that ended because there was news.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    notified: int = 0

    def render(self, gauges: Mapping[str, float]) -> str:
        """The text format; ``gauges`` are the current sizes, by name without the prefix."""
        lines = ["# TYPE goldnode_rendezvous_requests_total counter"]
        lines += [
            f'goldnode_rendezvous_requests_total{{call="{call}",outcome="{outcome}"}} {count}'
            for (call, outcome), count in sorted(self.requests.items())
        ]
        total = "goldnode_rendezvous_notified_total"
        lines += [f"# TYPE {total} counter", f"{total} {self.notified}"]
        for name, value in gauges.items():
            lines += [f"# TYPE goldnode_rendezvous_{name} gauge", f"goldnode_rendezvous_{name} {value:g}"]
        return "\n".join(lines) + "\n"
