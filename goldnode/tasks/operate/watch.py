"""The command: in the terminal, or served for a browser, until somebody ends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from invoke.context import Context
from invoke.tasks import task
from rich import box, live, table
from rich import console as consoles
from rich import text as texts

from goldnode import forms
from goldnode.cluster import room
from goldnode.errors import UsageError
from goldnode.node.plan import ports
from goldnode.tasks.node import operator_of
from goldnode.tasks.operate import view
from goldnode.tasks.operate import web as webs
from goldnode.tasks.terminal import output

#: Seconds between two looks.
EVERY = 1.0


@task(
    name="watch",
    positional=[],
    iterable=["page"],
    optional=["web"],
    help={
        "cluster": "look at the addresses that this cluster's nodes announce; without --page, the one in clusters/",
        "page": "a further machine, as 10.0.0.7 or 10.0.0.7:9600; may be repeated",
        "web": "serve it for a browser on this machine, as 127.0.0.1:8600",
        "once": "look once, and print it",
        "operator": "file of an operator key, where the root key is not",
        "json": "look once, and print it as JSON",
    },
)
def watch(
    _: Context,
    page: list[str],
    cluster: str = "",
    web: str = "",
    operator: str = "",
    *,
    once: bool = False,
    json: bool = False,
) -> None:
    """Watch a cluster: each node, its height, what validators missed, leases, upgrades and alerts, every second.

    Reads the machines' metrics, so this computer must be named under `metrics:` in their node.yaml.  A hidden validator
    is seen through its sentries; with --page, on the way that you have to it.
    """
    announced = _announced(cluster, operator) if cluster or operator or not page else ()
    pages = list(dict.fromkeys([*map(view.parse_page, page), *announced]))
    if not pages:
        raise UsageError("no node of the cluster announces an address", hint="./invoke watch --page 10.0.0.7")
    watcher = view.ClusterWatch(pages, view.over_http)
    if once or json:
        state = watcher.look(time.time())
        if json:
            output.say_json(state.document())
        else:
            output.show(shown(state))
    elif web:
        _serve(watcher, _port(web))
    else:
        _show(watcher)


def shown(state: view.ClusterState) -> consoles.Group:
    """A look, for a terminal."""
    alerts: list[texts.Text] = [
        texts.Text(f"{alert.name}: {alert.summary}", "bold red" if alert.severity == "critical" else "yellow")
        for alert in state.alerts
    ]
    nodes = _table("node", "role", "state", "height", "block", "peers", "lease", "upgrade")
    for node in state.nodes:
        age = "" if node.age < 0 else f"{node.age:.0f} s"
        said = texts.Text(node.state, "green" if node.healthy else "red")
        height, peers = f"{node.height:,}", str(node.peers)
        nodes.add_row(node.name, node.role, said, height, age, peers, node.lease, node.upgrade)
    validators = _table("validator", "signs", "missed", "may still miss")
    for each in state.validators:
        signs = "jailed" if each.jailed else {None: "", True: "yes", False: "no"}[each.signing]
        colour = "green" if each.signing else "red"
        validators.add_row(
            each.name, texts.Text(signs, colour), *(f"{n:,}" if n >= 0 else "" for n in (each.missed, each.left))
        )
    return consoles.Group(
        *(alerts or [texts.Text("no alerts", "green")]), nodes, *([validators] if state.validators else [])
    )


def _table(*columns: str) -> table.Table:
    made = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column)
    return made


def _announced(cluster: str, operator: str) -> Iterable[str]:
    """The pages of the machines whose addresses are announced."""
    who = operator_of(cluster, operator)
    room.read(who, time.time)
    for peer in who.view.roster.members.values():
        for address in peer.announcement.facts.addresses[:1]:
            yield f"[{address}]:{ports.METRICS}" if ":" in address else f"{address}:{ports.METRICS}"


def _port(text: str) -> int:
    host, _, port = text.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "") or not forms.is_port(port, 0):
        raise UsageError(f"--web {text}: it is served on this machine only", hint="--web 127.0.0.1:8600")
    return int(port)


def _show(watcher: view.ClusterWatch) -> None:
    first = output.Shown(shown(watcher.look(time.time())))
    with contextlib.suppress(KeyboardInterrupt), live.Live(first, console=output.screen()) as screen:
        while True:
            time.sleep(EVERY)
            screen.update(output.Shown(shown(watcher.look(time.time()))))


def _serve(watcher: view.ClusterWatch, port: int) -> None:
    seen: list[view.ClusterState] = []
    with webs.serving(port, lambda: seen[-1] if seen else None) as url:
        output.tell(f"{url} shows it, until Ctrl-C")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                seen[:] = [watcher.look(time.time())]
                time.sleep(EVERY)
