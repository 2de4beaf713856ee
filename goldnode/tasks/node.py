"""Tasks about a running node, without a shell on it: each is an order, signed here and carried out there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from goldnode.cluster import operator_file, orders, store
from goldnode.errors import UsageError
from goldnode.paths import clusters
from goldnode.protocol import order as protocol
from goldnode.tasks.console import existing, progress
from goldnode.tasks.terminal import output

#: What every order can be given.
COMMON = {"name": "the node's name, its ID, or a prefix of it",
          "cluster": "its cluster; may be left out when clusters/ holds one",
          "operator": "file of an operator key, where the root key is not",
          "json": "print the answer as JSON"}  # fmt: skip
WITHIN = "seconds in which the node must be well"


@task(positional=["name"], help=COMMON)
def status(_: Context, name: str, cluster: str = "", operator: str = "", *, json: bool = False) -> None:
    """Ask a node for its whole status; it includes the consensus public key, and no secret.

    The answer is signed by the node and sealed to whoever asks; the rendezvous can read neither.
    """
    answer = ask(name, protocol.Verb.STATUS, {}, cluster, operator)
    if json:
        _print(answer)
        return
    output.say(answer.said)
    for key, value in (answer.result or {}).items():
        if value not in ("", None, [], {}):
            output.say(f"  {key}: {_flat(value)}")


@task(positional=["name"], help={**COMMON, "since": "how far back, as 90s, 15m or 2h"})
def logs(
    _: Context, name: str, cluster: str = "", operator: str = "", since: str = "15m", *, json: bool = False
) -> None:
    """Show the end of a node's log: as much of it as fits into one record."""
    answer = ask(name, protocol.Verb.LOGS, {"since": since}, cluster, operator)
    if json:
        _print(answer)
        return
    found = answer.result or {}
    for line in found.get("lines", ()):
        output.say(str(line))
    if found.get("cut"):
        output.tell("older lines did not fit into one record: ask for less with --since")


@task(positional=["name"], help={**COMMON, "within": WITHIN})
def restart(
    _: Context, name: str, cluster: str = "", operator: str = "", within: int = 180, *, json: bool = False
) -> None:
    """Restart a node's daemon, and wait until the node is healthy again."""
    _finish(ask(name, protocol.Verb.RESTART, {"within": within}, cluster, operator), name, as_json=json)


@task(positional=["name"], help=COMMON)
def hold(_: Context, name: str, cluster: str = "", operator: str = "", *, json: bool = False) -> None:
    """Stop a node, over reboots too, until `start`."""
    _finish(ask(name, protocol.Verb.HOLD, {}, cluster, operator), name, as_json=json)


@task(positional=["name"], help={**COMMON, "within": WITHIN})
def start(
    _: Context, name: str, cluster: str = "", operator: str = "", within: int = 180, *, json: bool = False
) -> None:
    """Let a stopped node run again, as soon as its role allows."""
    _finish(ask(name, protocol.Verb.START, {"within": within}, cluster, operator), name, as_json=json)


@task(name="set", positional=["name"], iterable=["setting"],
      help={**COMMON, "within": WITHIN,
            "setting": "KEY=VALUE of gas-prices, pruning, peers or metrics; may be repeated"})  # fmt: skip
def set_(
    _: Context,
    name: str,
    setting: list[str],
    cluster: str = "",
    operator: str = "",
    within: int = 180,
    *,
    json: bool = False,
) -> None:
    """Change settings of a node: `./invoke node val-1 config set gas-prices=0.025uosmo`.

    The node checks the whole before it replaces anything, and restarts its daemon where that must read it.  Where
    it is not well in time, it goes back to the settings of before by itself, and says so.
    """
    pairs = [each.partition("=") for each in setting]
    if not pairs or any(not sep or not value for _, sep, value in pairs):
        raise UsageError(
            "settings are written KEY=VALUE", hint=f"./invoke node {name} config set gas-prices=0.025uosmo"
        )
    given = {key: value for key, _, value in pairs}
    arguments = {"set": given, "within": within}
    _finish(ask(name, protocol.Verb.CONFIG, arguments, cluster, operator), name, as_json=json)


@task(positional=["name"], iterable=["setting"],
      help={**COMMON, "within": WITHIN,
            "setting": "gas-prices, pruning, peers or metrics; may be repeated"})  # fmt: skip
def unset(
    _: Context,
    name: str,
    setting: list[str],
    cluster: str = "",
    operator: str = "",
    within: int = 180,
    *,
    json: bool = False,
) -> None:
    """Remove settings, so that the image's own values apply again."""
    if not setting:
        raise UsageError("which setting?", hint=f"./invoke node {name} config unset gas-prices")
    arguments = {"unset": list(setting), "within": within}
    _finish(ask(name, protocol.Verb.CONFIG, arguments, cluster, operator), name, as_json=json)


@task(positional=["name"], help=COMMON)
def takeover(_: Context, name: str, cluster: str = "", operator: str = "", *, json: bool = False) -> None:
    """Let a node take the signing lease of a machine that is gone; safe even if that one is still alive."""
    _finish(ask(name, protocol.Verb.TAKEOVER, {}, cluster, operator), name, as_json=json)


@task(positional=["name"], help={**COMMON, "cancel": "cancel it, as long as no machine has taken the volume"})
def handover(
    _: Context, name: str, cluster: str = "", operator: str = "", *, cancel: bool = False, json: bool = False
) -> None:
    """Stop a node and let its volume move to one new machine; no key leaves the volume."""
    arguments = {"cancel": True} if cancel else {}
    _finish(ask(name, protocol.Verb.HANDOVER, arguments, cluster, operator), name, as_json=json)


@task(help={**{key: text for key, text in COMMON.items() if key != "name"}, "within": WITHIN + ", each"})
def roll(_: Context, cluster: str = "", operator: str = "", within: int = 300, *, json: bool = False) -> None:
    """Restart every sentry of a cluster, one by one, each only after the one before is healthy again."""
    who = operator_of(cluster, operator)
    done = []
    for name in orders.sentries(who):
        answer = ask(name, protocol.Verb.RESTART, {"within": within}, cluster, operator)
        orders.check(answer, name)
        done.append({"node": name, "said": answer.said})
        if not json:
            output.say(f"{name}: {answer.said}")
    if json:
        output.say_json({"version": 1, "restarted": done})


def ask(
    name: str, verb: protocol.Verb, arguments: Mapping[str, Any], cluster: str, operator: str
) -> protocol.OrderAnswer:
    """Give an order, and wait for the last word on it."""
    who = operator_of(cluster, operator)
    sent = orders.give(who, name, verb, arguments)
    with progress() as shown, shown.step(f"{verb} {sent.name}") as step:
        step.note("waiting for its answer")
        for answer in orders.answers(who, sent):
            step.note(answer.said[:60])
            if answer.final:
                break
    if verb in (protocol.Verb.STATUS, protocol.Verb.LOGS):
        orders.check(answer, sent.name)
    return answer


def _finish(answer: protocol.OrderAnswer, name: str, *, as_json: bool) -> None:
    """Print what came of an order; anything but done ends with the exit code of its class."""
    if as_json:
        _print(answer)
    orders.check(answer, name)
    if not as_json:
        output.say(f"{name}: {answer.said}")


def _print(answer: protocol.OrderAnswer) -> None:
    output.say_json({"version": 1, "outcome": answer.outcome.value, "code": answer.code, "said": answer.said,
                     "hint": answer.hint, "time": answer.time, "result": dict(answer.result or {})})  # fmt: skip


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def operator_of(cluster: str, file: str) -> operator_file.Operator:
    """Who gives orders: the holder of an operator key in a file, or the owner of a cluster of this computer."""
    if file:
        return operator_file.read(existing(file, "operator key", "./invoke cluster operator NAME --help"))
    known = sorted(path.parent.name for path in clusters().glob("*/cluster.json"))
    if not cluster and len(known) != 1:
        raise UsageError(f"which cluster? there are {', '.join(known) or 'none'}", hint="--cluster NAME")
    return operator_file.owner(store.Cluster(clusters() / (cluster or known[0])))


ns = Collection("node", status, logs, restart, hold, start, unset, takeover, handover, roll)
ns.add_task(set_, "set")
