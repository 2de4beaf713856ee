"""What a serial console tells of its nodes."""

from __future__ import annotations

from goldnode.fleet.console import ConsoleView, fault, read
from goldnode.node.agent import console
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.supervisor import NodeReport

ID = "e7f57f03c9710ec7b67ebcc32bc6810fc607c707"
CONFIGURED = f"[   36.1] goldnode[512]: goldnode: sentry sentry-1: configured, node id {ID}"


def report(state: NodeState = NodeState.FOLLOWING, reason: str = "", missing: tuple[str, ...] = ()) -> NodeReport:
    """A sentry as its keeper sees it."""
    health = Health(state, healthy=True, height=12, age=1.0, peers=3, missing=missing, node_id=ID)
    addresses = ("203.0.113.7", "2001:db8::7")
    return NodeReport("sentry-1", "sentry", ID, health, reason, False, addresses, "fd00::1", 2, (), None)


def test_a_node_is_known_from_its_first_line() -> None:
    """Role, name and ID are told before anything runs."""
    assert {"sentry-1": ConsoleView("sentry-1", "sentry", ID)} == read(f"noise\n{CONFIGURED}\nnoise")


def test_ready_is_read_as_the_node_program_writes_it() -> None:
    """The seconds since power-on and the peers come from the node's own sentence."""
    seen = read(f"{CONFIGURED}\ngoldnode: {console.ready(report(), 38.25)}")["sentry-1"]

    assert (38.2, 3) == (seen.ready, seen.peers)


def test_states_are_read_as_the_node_program_writes_them() -> None:
    """State, peers and reason come from the headline, whatever stands between them."""
    for state in NodeState:
        lines = [CONFIGURED, f"goldnode: {console.headline(report(state, 'waiting: x', (ID, ID)))}"]
        seen = read("\n".join(lines))["sentry-1"]

        assert (state, 3, "waiting: x") == (seen.state, seen.peers, seen.reason)


def test_a_headline_without_a_reason_ends_there() -> None:
    """All is well when nothing is waited for."""
    assert read(f"{CONFIGURED}\ngoldnode: {console.headline(report())}")["sentry-1"].reason == ""


def test_a_reboot_begins_anew() -> None:
    """What a node said before the machine's last start is over."""
    before = f"{CONFIGURED}\ngoldnode: {console.ready(report(), 38.25)}"
    seen = read(f"{before}\n{CONFIGURED}")["sentry-1"]

    assert (None, 2) == (seen.ready, seen.starts)


def test_a_refusal_is_told_with_its_reason() -> None:
    """A node that may not run is refused, and why."""
    seen = read("goldnode: validator-1: REFUSED: this disk is a copy")["validator-1"]

    assert ("refused", "this disk is a copy") == (seen.state, seen.reason)


def test_a_machine_that_cannot_be_configured_says_why() -> None:
    """The last thing the program said before its unit failed; nothing while all is well."""
    said = (
        "[   88.171868] goldnode[551]: goldnode: goldnode-vpncloud@sentry-1.service made no gnmesh0\n"
        "[   88.194600] goldnode[551]: goldnode: try: journalctl -u goldnode-vpncloud@sentry-1.service\n"
    )
    failed = "[[0;1;31mFAILED[0m] Failed to start [0;1;39mgoldnode-configure…[0mldnode: become what node.yaml says.\n"

    assert "goldnode-vpncloud@sentry-1.service made no gnmesh0" == fault(said + failed)
    assert ("", "goldnode-configure failed") == (fault(said), fault(failed))
