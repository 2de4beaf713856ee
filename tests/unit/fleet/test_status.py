"""What a person reads of a fleet."""

from __future__ import annotations

import io

from rich.console import Console

from goldnode.fleet import status
from goldnode.fleet.plan import FleetSpec, vms
from goldnode.fleet.state import FleetState
from goldnode.fleet.status import FleetRow

SPEC = FleetSpec(multi_node=1)
STATE = FleetState(SPEC, {}, "tcg", "max", vms=vms(SPEC))
ROWS = [
    FleetRow("validator-1", "validator", "0123456789abcdef", "signing", 123456, 12, True, ready=1233.4),
    FleetRow(
        "validator-1-on-14", "validator", "fedcba987654", "configured", signing=False, reason="needs [2] sentries"
    ),
    FleetRow("external-1", "external", "00112233445566", "following", 123456, 12, False),
]


def test_nothing_is_cut_off_on_the_narrowest_terminal() -> None:
    """In 80 columns every name and figure is whole, a long name in two lines at most; reasons stand below."""
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(status.screen(STATE, ROWS))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]

    assert "validator-1 validator 0123456789 signing 123456 12 yes 1233 s" in lines
    assert "external-1 external 0011223344 following 123456 12 no -" in lines
    assert "validator-1-on-14: needs [2] sentries" == lines[-1]
