"""Tasks about clusters: who may join, who is in, who is out."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Any

import yaml
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich import live as lives

from goldnode.cluster import backup as backups
from goldnode.cluster import govern, operator_file, room, status, store, user_data
from goldnode.cluster import tfvars as terraform
from goldnode.config import network as networks
from goldnode.config import node_entry
from goldnode.discovery import client
from goldnode.errors import InputError, UsageError
from goldnode.paths import clusters
from goldnode.protocol import invite as invites
from goldnode.tasks import key_restore
from goldnode.tasks.console import existing
from goldnode.tasks.terminal import output

NAME = "the cluster's name"
RENDEZVOUS = "URL of a rendezvous, as http://203.0.113.10:8700; remembered; may be repeated"
HOURS = 24
#: What can be ordered; ``goldnode.protocol.order.Verb`` decides.
VERBS = ("status", "logs", "restart", "hold", "start", "config", "takeover", "handover")
#: Seconds between updates of `status --watch`.
EVERY = 3.0


@task(positional=["name"], help={"name": NAME, "network": "the network its nodes run", "rendezvous": RENDEZVOUS},
      iterable=["rendezvous"])  # fmt: skip
def new(_: Context, name: str, network: str, rendezvous: list[str]) -> None:
    """Make a cluster's keys in clusters/NAME: keep that folder, and back it up."""
    known = networks.load(network)
    meeting = [client.Endpoint(url).url for url in rendezvous]
    cluster = store.create(clusters(), name, known.name, "" if known.private else known.chain_id)
    cluster.meet_at(meeting)
    output.say(f"cluster {name} of {known.name}, fingerprint {cluster.view.fingerprint[:16]}, keys in {cluster.folder}")
    output.say(f"next: ./invoke cluster user-data {name} --role sentry --node sentry-1")


@task(positional=["name"], iterable=["rendezvous", "node"],
      help={"name": NAME, "role": "role of whoever joins with it", "tfvars": "write it into this *.tfvars.json (0600)",
            "node": "with --tfvars: the machine it is for, one invite each; may be repeated",
            "max": "how many nodes may join with it",
            "hours": "how long it can be used", "approve": "let each node wait for `cluster approve`",
            "rendezvous": RENDEZVOUS})  # fmt: skip
def invite(
    _: Context,
    name: str,
    *,
    role: str,
    rendezvous: list[str],
    node: list[str],
    tfvars: str = "",
    max: int = 1,  # noqa: A002 - the flag's name
    hours: int = HOURS,
    approve: bool = False,
) -> None:
    """Mint an invite: one line for node.yaml's `join`."""
    if tfvars:
        terraform.require_name(Path(tfvars))
    if bool(tfvars) != bool(node):
        raise UsageError("--tfvars and --node belong together", hint=f"./invoke cluster invite {name} --role {role} "
                         "--tfvars mine.auto.tfvars.json --node sentry-1 --node sentry-2")  # fmt: skip
    cluster = _open(name, rendezvous)
    if not tfvars:
        output.say(invites.write_invite(_mint(cluster, role, max, hours, approve=approve)))
        return
    lines = {each: invites.write_invite(_mint(cluster, role, 1, hours, approve=approve)) for each in node}
    terraform.add(Path(tfvars), room.endpoints(cluster), lines)
    output.say(f"{tfvars}: an invite for {', '.join(node)}; keep it, it is for your eyes only")


@task(name="user-data", positional=["name"], iterable=["rendezvous", "node", "ssh_key"],
      help={"name": NAME, "role": "role of the machine: validator, sentry, multi-node, rendezvous, hosted",
            "node": "the node's name; for multi-node NAME=ROLE, repeated", "rendezvous": RENDEZVOUS,
            "genesis": "genesis file of a private network", "ssh_key": "file with a public key that may log in",
            "extra": "YAML file with further keys of node.yaml", "hours": "how long its invites can be used",
            "approve": "let its nodes wait for `cluster approve`",
            "out": "write it here (0600) instead of printing it"})  # fmt: skip
def user_data_(
    _: Context,
    name: str,
    *,
    role: str,
    node: list[str],
    rendezvous: list[str],
    ssh_key: list[str],
    genesis: str = "",
    extra: str = "",
    hours: int = HOURS,
    approve: bool = False,
    out: str = "",
) -> None:
    """Print a machine's user-data, ready to paste, with fresh invites in it."""
    cluster = _open(name, rendezvous)
    wanted = [] if role in node_entry.SERVICE_ROLES else [_node(text, role) for text in node or [role]]
    members = [name for name, own in wanted if own not in node_entry.HOSTED_ROLES]
    machine = user_data.UserData(
        cluster=name,
        network=cluster.settings.network,
        role=role,
        nodes=[
            user_data.NodeSpec(
                n, r, invites.write_invite(_mint(cluster, r, 1, hours, approve=approve)) if n in members else ""
            )
            for n, r in wanted
        ],
        rendezvous=room.endpoints(cluster) if members else (),
        genesis=_read(genesis) if genesis else b"",
        ssh_keys=[_read(file).decode().strip() for file in ssh_key],
        extra=_mapping(extra) if extra else {},
    )
    text = user_data.render(machine)
    if out:
        user_data.write(Path(out), text)
    else:
        output.say(text, end="")


@task(positional=["name", "node"], iterable=["rendezvous"],
      help={"name": NAME, "node": "node ID, a beginning of it, or moniker", "rendezvous": RENDEZVOUS})  # fmt: skip
def approve(_: Context, name: str, node: str, rendezvous: list[str]) -> None:
    """Admit a node that waits, or that members refuse."""
    cluster = _open(name, rendezvous)
    room.read(cluster)
    node_id = govern.find_node(cluster, node)
    govern.approve(cluster, [node_id])
    output.say(f"{node_id} is approved by policy {cluster.view.cited[0]}")
    _publish(cluster)


@task(positional=["name", "node"], iterable=["rendezvous"],
      help={"name": NAME, "node": "node ID, a beginning of it, or moniker", "rendezvous": RENDEZVOUS})  # fmt: skip
def revoke(_: Context, name: str, node: str, rendezvous: list[str]) -> None:
    """Revoke a node for good, and change the cluster's key."""
    cluster = _open(name, rendezvous)
    room.read(cluster)
    node_id = govern.find_node(cluster, node)
    minted = govern.revoke(cluster, [node_id])
    output.say(f"{node_id} is revoked by policy {cluster.view.cited[0]}, epoch {cluster.view.epoch}")
    _again(minted)
    _publish(cluster)


@task(positional=["name", "node"], iterable=["rendezvous"],
      help={"name": NAME, "node": "node ID, a beginning of it, or moniker", "rendezvous": RENDEZVOUS})  # fmt: skip
def forget(_: Context, name: str, node: str, rendezvous: list[str]) -> None:
    """Make the members forget a machine that is gone: its place becomes free, and no key changes."""
    cluster = _open(name, rendezvous)
    seen = room.read(cluster)
    node_id = govern.find_node(cluster, node)
    govern.forget(cluster, [node_id])
    print(f"{node_id} is forgotten by policy {cluster.view.cited[0]}")
    if node_id in seen.alive:
        print(f"its record is a few minutes old: if it still runs it comes back; to put it out for good: "
              f"./invoke cluster revoke {name} {node_id}")  # fmt: skip
    _publish(cluster)


@task(positional=["name"], iterable=["rendezvous"], help={"name": NAME, "rendezvous": RENDEZVOUS})
def rotate(_: Context, name: str, rendezvous: list[str]) -> None:
    """Change the cluster's key for all current members."""
    cluster = _open(name, rendezvous)
    room.read(cluster)
    minted = govern.rotate(cluster)
    output.say(f"epoch {cluster.view.epoch} for {len(cluster.view.roster.members)} members")
    _again(minted)
    _publish(cluster)


@task(name="operator", positional=["name"], iterable=["verb", "rendezvous"],
      help={"name": NAME, "verb": "what the key may order: " + ", ".join(VERBS) + "; may be repeated",
            "days": "how long it is good for", "out": "the file to write (0600); NAME.operator when not given",
            "rendezvous": RENDEZVOUS})  # fmt: skip
def operator_(_: Context, name: str, *, verb: list[str], rendezvous: list[str], out: str = "", days: int = 90) -> None:
    """Make an operator key: until a date it may give nodes the orders that you name, and nothing else."""
    cluster = _open(name, rendezvous)
    room.read(cluster)
    out = out or f"{name}.operator"
    operator_file.write(cluster, Path(out), verb, days, time.time())
    output.say(f"{out}: may order {', '.join(sorted(set(verb)))} for {days} days; it is a secret, for its holder only")
    output.say(f"next: ./invoke node NODE status --operator {out}")
    output.say(f"to take it back before its end: ./invoke cluster rotate {name}")


@task(positional=["name"], help={"name": NAME, "out": "the file to write; NAME.backup when not given"})
def backup(_: Context, name: str, out: str = "") -> None:
    """Write an encrypted copy of the cluster's keys."""
    cluster = store.Cluster(clusters() / name)
    passphrase = _ask(f"passphrase, at least {backups.PASSPHRASE_CHARS} characters: ")
    if passphrase != _ask("once more: "):
        raise UsageError("the two passphrases differ", hint=f"./invoke cluster backup {name}")
    target = Path(out or f"{name}.backup")
    backups.back_up(cluster, target, passphrase)
    output.say(f"{target}: everything in {cluster.folder}, encrypted")


@task(positional=["file"], help={"file": "what `cluster backup` wrote"})
def restore(_: Context, file: str) -> None:
    """Restore a cluster's keys from a backup."""
    cluster = backups.restore(existing(file, "backup", "ls *.backup"), clusters(), _ask("passphrase: "))
    output.say(f"cluster {cluster.settings.name} is back in {cluster.folder}")


@task(name="status", positional=["name"], iterable=["rendezvous"],
      help={"name": NAME, "rendezvous": RENDEZVOUS, "json": "print it as JSON",
            "watch": "repeat until Ctrl-C"})  # fmt: skip
def status_(_: Context, name: str, rendezvous: list[str], json: bool = False, watch: bool = False) -> None:
    """Show the members as a member sees them, and every alarm."""
    cluster = _open(name, rendezvous)
    seen = room.read(cluster)
    if json:
        output.say_json(status.document(cluster, seen, time.time()))
        return
    if not watch:
        output.show(status.screen(cluster, seen, time.time()))
        return
    with lives.Live(output.Shown(status.screen(cluster, seen, time.time())), console=output.screen()) as live:
        while True:
            time.sleep(EVERY)
            live.update(output.Shown(status.screen(cluster, room.read(cluster), time.time())))


def _open(name: str, rendezvous: list[str]) -> store.Cluster:
    cluster = store.Cluster(clusters() / name)
    cluster.meet_at(rendezvous)
    return cluster


def _ask(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError as error:
        raise UsageError("there is no terminal to type the passphrase on", hint="the same in a terminal") from error


def _mint(cluster: store.Cluster, role: str, most: int, hours: int, *, approve: bool) -> invites.Invite:
    room.endorse(cluster)
    return govern.invite(cluster, govern.InviteSpec(role, most, int(time.time()) + hours * 3600, approve))


def _publish(cluster: store.Cluster) -> None:
    for url in room.publish(cluster):
        output.say(f"published at {url}")


def _again(minted: list[invites.Invite]) -> None:
    if minted:
        output.say("unused invites, minted again (the old lines no longer work):")
    for each in minted:
        output.say(f"  {each.grant.role}, {each.grant.max} node(s): {invites.write_invite(each)}")


def _node(text: str, role: str) -> tuple[str, str]:
    name, _, own = text.partition("=")
    if role == "multi-node" and not own:
        raise UsageError(f"--node {text}: a multi-node machine needs each node's role", hint=f"--node {text}=validator")
    return name, own or role


def _read(file: str) -> bytes:
    return existing(file, "file").read_bytes()


def _mapping(file: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(_read(file))
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not valid YAML: {str(error).splitlines()[0]}", hint=f"less {file}") from error
    if not isinstance(document, dict):
        raise InputError(f"{file} is not a mapping of node.yaml's keys", hint="its keys: cloud-init/node.schema.json")
    return document


ns = Collection("cluster", new, invite, approve, forget, revoke, rotate, backup, restore)
ns.add_task(user_data_, "user-data")
ns.add_task(operator_, "operator")
ns.add_task(status_, "status")
ns.add_task(key_restore.backup_key)
ns.add_task(key_restore.restore_drill)
ns.add_task(key_restore.restore_node)
