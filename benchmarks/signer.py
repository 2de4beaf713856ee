"""What the lease's signer adds to a signature, beside the daemon's own file signer.

Both are CometBFT's file signer on the same disk and sign the same heights in turns, one after the
other: the daemon's own by a call, ours as a daemon uses it, over its unix socket, with the grant looked
at and the state put on the disk; and ours by a call, which tells what the socket costs.  The
measurement itself is ``signer/latency_test.go``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.bake.programs import gomodule, signer, toolchain
from goldnode.errors import HostError
from goldnode.node.system.machine import architecture
from goldnode.progress import Progress
from goldnode.run import run

#: Milliseconds that the signer may add to the slowest signature in a hundred.
GOAL = 5.0


@dataclass(frozen=True, slots=True)
class SignerReport:
    """Milliseconds for one signature, sorted.

    Attributes:
        file: Of the daemon's own file signer.
        call: Of the lease's signer, called: the grant looked at, the state on the disk.
        lease: Of the lease's signer over its unix socket, as the daemon uses it.
        load: This machine's load average when it began.
    """

    file: tuple[float, ...]
    call: tuple[float, ...]
    lease: tuple[float, ...]
    load: float

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        at = {"p50": 0.5, "p99": 0.99}
        found: dict[str, Any] = {"version": 1, "signatures": len(self.file), "load": round(self.load, 1)}
        for name, share in at.items():
            ranked = (self.file, self.call, self.lease)
            file, call, lease = (values[int(share * (len(values) - 1))] for values in ranked)
            found |= {f"file_{name}_ms": file, f"call_{name}_ms": call, f"lease_{name}_ms": lease}
            found[f"added_{name}_ms"] = round(lease - file, 3)
        return found | {"goal_added_p99_ms": GOAL, "reached": found["added_p99_ms"] <= GOAL}


def measure(progress: Progress) -> SignerReport:
    """Sign a thousand heights with each.

    Raises:
        HostError: The measurement did not run.
    """
    load = os.getloadavg()[0]
    env = gomodule.environment(signer.RECIPE, architecture()) | {"GOLDNODE_LATENCY": "1"}
    go = toolchain.go(progress)
    with progress.step("sign a thousand heights with each"):
        argv: list[str | Path] = [go, "test", "-count=1", "-run", "^TestLatency$", "-v", "."]
        said = run(argv, cwd=signer.SOURCE, env=env, timeout=1800).stdout
    line = next((line for line in said.splitlines() if line.startswith("latency ")), "")
    if not line:
        raise HostError("the measurement said nothing", hint="go test -run TestLatency -v ./signer")
    found = json.loads(line.removeprefix("latency "))
    return SignerReport(tuple(found["file_ms"]), tuple(found["call_ms"]), tuple(found["lease_ms"]), load)
