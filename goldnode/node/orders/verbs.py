"""What each verb does on the machine: check, then act, or say by when the node must be healthy.

A verb that raises has changed nothing.  None of them puts a secret into its answer, and a person can undo each
with the opposite order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from goldnode.errors import ExchangeError, HostError, SafetyError
from goldnode.files import write_atomic
from goldnode.node import node_yaml, switch
from goldnode.node.keys import handover, identity
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.orders import settings
from goldnode.node.system.system import System
from goldnode.protocol.order import Order, OrderCode, Verb, forbid

#: Seconds within which a node must be healthy after an order: the default, the minimum and the maximum.
WITHIN, LEAST, MOST = 180, 10, 1800
#: The most log lines in one answer; what does not fit into a record is cut from the front.
LINES = 400
_SINCE = re.compile(r"([0-9]{1,4})([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node, as the agent last observed it.

    Attributes:
        well: Whether nobody needs to act.
        answers: Whether its daemon answers, and follows or makes the chain.
        crashing: Whether it ends again and again.
        paused: Whether a person, an order or a safety rule stopped it.
        said: Its state in one line, for people.
        document: The whole state, for programs.
    """

    well: bool
    answers: bool
    crashing: bool
    paused: bool
    said: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What verbs work with.

    Attributes:
        layout: The machine's paths.
        node: The node's paths.
        system: The running machine.
        binding: Digest of the machine.
        reconfigure: Checks a node.yaml and puts it in force; returns whether the node's daemon must restart.
        restart: Restarts the node's daemon; a validator's right after a block.
    """

    layout: Layout
    node: NodeLayout
    system: System
    binding: str
    reconfigure: Callable[[str], bool]
    restart: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Done:
    """An order that has been carried out."""

    said: str
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watched:
    """An order whose result shows only after some time.

    Attributes:
        said: What is going on.
        act: Does it, once everything needed to go back is on disk.
        within: Seconds within which the node must be healthy.
        wanted: The node.yaml that ``act`` puts in force; empty for none.
        undo: The node.yaml to go back to; empty if there is no way back, and none is needed.
    """

    said: str
    act: Callable[[], None]
    within: int = WITHIN
    wanted: str = ""
    undo: str = ""


def perform(order: Order, bench: Bench, view: NodeView) -> Done | Watched:
    """Carry out an order, or prepare to.

    Raises:
        ExchangeError: `no-verb` or `bad-arguments`; nothing was changed.
        GoldnodeError: The machine refuses; nothing was changed.
    """
    try:
        verb = Verb(order.verb)
    except ValueError as error:
        known = ", ".join(Verb)
        raise forbid(f"this node knows no order {order.verb}; it knows {known}", OrderCode.NO_VERB) from error
    return _VERBS[verb](order.arguments, bench, view)


def _status(arguments: Mapping[str, Any], _: Bench, view: NodeView) -> Done:
    _only(arguments)
    return Done(view.said, view.document)


def _logs(arguments: Mapping[str, Any], bench: Bench, _: NodeView) -> Done:
    _only(arguments, "since")
    since = arguments.get("since", "15m")
    found = _SINCE.fullmatch(since) if isinstance(since, str) else None
    if not found:
        raise _bad(f"since {since}: expected a time such as 90s, 15m or 2h")
    seconds = int(found[1]) * _UNITS[found[2]]
    lines = bench.system.log_since(bench.node.unit, seconds, LINES).splitlines()
    return Done(f"{len(lines)} lines of the last {since}", {"lines": lines})


def _restart(arguments: Mapping[str, Any], bench: Bench, view: NodeView) -> Watched:
    _only(arguments, "within")
    if view.paused:
        raise HostError(f"{bench.node.name} is stopped", hint="./invoke node NAME start")
    return Watched("restarting", bench.restart, _within(arguments))


def _hold(arguments: Mapping[str, Any], bench: Bench, _: NodeView) -> Done:
    _only(arguments)
    switch.hold(bench.node, bench.system, "held by an order", over_reboots=True)
    return Done("stopped, over reboots too, until it is started by an order or on its console")


def _start(arguments: Mapping[str, Any], bench: Bench, _: NodeView) -> Watched:
    _only(arguments, "within")
    if bench.node.handover.exists():
        raise SafetyError(f"{bench.node.name} was handed over", hint="./invoke node NAME handover --cancel")
    # No way back: a node that may start, but does not become healthy, must not be stopped for that.
    return Watched("starts as soon as its role allows", lambda: switch.release(bench.node), _within(arguments))


def _config(arguments: Mapping[str, Any], bench: Bench, view: NodeView) -> Done | Watched:
    _only(arguments, "set", "unset", "within")
    given, removed = arguments.get("set", {}), arguments.get("unset", [])
    if not isinstance(given, dict) or not isinstance(removed, list) or not (given or removed):
        raise _bad("expected settings to set or to unset")
    if not all(isinstance(each, str) for each in (*given, *given.values(), *removed)):
        raise _bad("a setting and its value must be strings")
    within, before = _within(arguments), node_yaml.text_in_force(bench.layout)
    wanted = settings.changed(before, bench.node.name, given, removed)
    said = ", ".join([*(f"{key} is {value}" for key, value in given.items()), *(f"{key} is unset" for key in removed)])
    if view.paused:
        bench.reconfigure(wanted)
        return Done(f"{said}; the node is stopped, and reads it when it starts")

    def act() -> None:
        if bench.reconfigure(wanted):
            bench.restart()

    return Watched(said, act, within, wanted, before)


def _takeover(arguments: Mapping[str, Any], bench: Bench, _: NodeView) -> Done:
    _only(arguments)
    if not bench.node.signer.is_dir():
        raise HostError(f"{bench.node.name} has no signing lease", hint="docs/lease.md")
    write_atomic(bench.node.takeover, "an order said so\n")
    return Done("takes the lease from whoever has it, and signs some blocks from now; it is safe if the other lives")


def _handover(arguments: Mapping[str, Any], bench: Bench, _: NodeView) -> Done:
    _only(arguments, "cancel")
    node = bench.node
    if arguments.get("cancel") is True:
        handover.cancel(node, bench.binding)
        return Done("stays here, and is stopped until it is started")
    own = identity.read(node)
    if own is None or own.binding != bench.binding:
        raise SafetyError(f"{node.name} belongs to another machine", hint="give the order to the node there")
    if node.handover.exists():
        raise SafetyError(f"{node.name} was handed over already", hint="./invoke node NAME handover --cancel")
    token = switch.hand_over(node, bench.system, bench.binding)
    return Done(f"stopped{f' at {token.state}' if token.state else ''}; its volume may move to one new machine")


_VERBS: dict[Verb, Callable[[Mapping[str, Any], Bench, NodeView], Done | Watched]] = {
    Verb.STATUS: _status,
    Verb.LOGS: _logs,
    Verb.RESTART: _restart,
    Verb.HOLD: _hold,
    Verb.START: _start,
    Verb.CONFIG: _config,
    Verb.TAKEOVER: _takeover,
    Verb.HANDOVER: _handover,
}


def _within(arguments: Mapping[str, Any]) -> int:
    within = arguments.get("within", WITHIN)
    if type(within) is not int or not LEAST <= within <= MOST:
        raise _bad(f"within {within}: expected {LEAST} to {MOST} seconds")
    return within


def _only(arguments: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise _bad(f"unknown argument {unknown[0]!r}")


def _bad(message: str) -> ExchangeError:
    return forbid(message, OrderCode.BAD_ARGUMENTS)
