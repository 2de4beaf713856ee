"""Tasks about network files: list, show, check, pin, import."""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import asdict, dataclass
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich import table as tables

from goldnode.authoring import chain_registry, lockfile, registry_json, registry_sweep, renewal, source_lock
from goldnode.bake.programs import toolchain
from goldnode.config import network as nouns
from goldnode.config import network_check
from goldnode.errors import Fault, InputError, UsageError
from goldnode.fetch import retry, store
from goldnode.files import write_atomic
from goldnode.paths import cache
from goldnode.progress import Progress
from goldnode.tasks.console import existing, progress
from goldnode.tasks.terminal import output


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One row of the list: ``sources`` says where the daemon can come from, ``ready`` whether all is pinned."""

    name: str
    chain_id: str
    daemon: str
    sources: str
    ready: bool
    description: str


@task(help={"json": "print the list as JSON"})
def networks(_: Context, json: bool = False) -> None:
    """List the networks an image can be baked for."""
    known, faulty = [], []
    for name in nouns.names():
        try:
            known.append(summary(nouns.load(name)))
        except InputError:
            faulty.append(name)
    if json:
        output.say_json([asdict(row) for row in known])
    else:
        _list(known)
    if faulty:
        raise InputError(f"not listed, because of faults in their files: {', '.join(faulty)}",
                         hint=f"./invoke network check {' '.join(faulty)}")  # fmt: skip


def _list(known: list[NetworkRow]) -> None:
    table = tables.Table(
        *(tables.Column(name, no_wrap=True) for name in ("network", "chain id", "daemon", "pinned")), "what"
    )
    for row in known:
        table.add_row(row.name, row.chain_id, row.daemon, "yes" if row.ready else "no", row.description)
    output.show(table)
    for row in known:
        if not row.ready:
            output.say(f"{row.name} waits for: ./invoke network lock {row.name}")


@task(
    iterable=["name"],
    help={"name": "a network, or a file of your own; may be repeated (default: all)", "json": "print faults as JSON"},
)
def check(_: Context, name: list[str], json: bool = False) -> None:
    """Check network files: all faults at once, each with its line and what to write instead."""
    files = [nouns.find(entry) for entry in name or nouns.names()]
    faults = [fault for path in files for fault in _faults(path)]
    if json:
        output.say_json([asdict(fault) for fault in faults])
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InputError(f"{count} in network files:", hint="networks/README.md explains every field", faults=faults)
    if not json:
        output.say(f"{len(files)} network file{'s' if len(files) > 1 else ''} without fault")


@task(positional=["name"], help={"name": "a network, or a file of your own", "json": "print the document as JSON"})
def show(_: Context, name: str, json: bool = False) -> None:
    """Show one network: daemon, sources and hashes, what is still unpinned."""
    network = nouns.load(name)
    if json:
        output.say_json(dict(network.document))
        return
    table = tables.Table("field", "value", title=network.name, show_lines=False)
    for field, value in details(network):
        table.add_row(field, value)
    output.show(table)


@task(positional=["name"], help={"name": "a network, or a file of your own"})
def lock(_: Context, name: str) -> None:
    """Pin what has no published hash: fetch it once, and record its hash, size and date (trust on first use)."""
    path = nouns.find(name)
    today = dt.datetime.now(tz=dt.UTC).date()
    with progress() as shown:
        pins = lockfile.lock(path, store.ArtifactStore(cache() / "artifacts"), today, retry.RetryBudget(), shown)
        sources, remarks = _lock_sources(path, shown)
    for pin in pins:
        output.say(f"{'.'.join(map(str, pin.where))}: sha256 {pin.sha256}, {pin.size} bytes, from {pin.url}")
    for source in sources:
        output.say(f"source: {source}")
    for remark in remarks:
        output.say(f"  {remark}")
    if pins or sources:
        output.say(
            f"Trusted on first use, because nobody publishes these hashes; written to {path}: review and commit it."
        )
    else:
        output.say(f"{path}: everything is pinned already")


def _lock_sources(path: Path, shown: Progress) -> tuple[list[str], list[str]]:
    """Pin builds that are only a repository and a tag; ask about the tags of those that are pinned."""
    document = network_check.checked(path)
    sources = [part["source"] for part in (document["daemon"], *document.get("upgrades", ())) if part.get("source")]
    remarks = source_lock.check_tags(sources)
    if all(source.get("sum") for source in sources):
        return [], remarks
    resolver = source_lock.Resolver(toolchain.go(shown), shown, remarks)
    return lockfile.lock_sources(path, resolver.resolved), remarks


@task(
    name="import",
    positional=["name"],
    help={
        "name": "name of the new network",
        "from_": "a chain.json, or a chain's folder, of the chain-registry",
        "update": "bring an existing network file up to date: pins, comments and fields of yours stay",
        "dry_run": "show what would be written, and write nothing",
    },
)
def import_(_: Context, name: str, from_: str, update: bool = False, dry_run: bool = False) -> None:
    """Make a network file from chain-registry data; what is malformed is left out and reported."""
    if not nouns.NAME.fullmatch(name):
        raise UsageError(
            f"{registry_json.printable(name)!r} is not a name for a network: use a-z, 0-9 and inner dashes",
            hint="./invoke network import --help",
        )
    path = nouns.NETWORKS / f"{name}.yaml"
    if path.exists() and not update:
        raise UsageError(f"{path} exists", hint=f"./invoke network import {name} --from {from_} --update")
    given = Path(from_) / "chain.json" if Path(from_).is_dir() else Path(from_)
    hint = "git clone https://github.com/cosmos/chain-registry"
    imported = chain_registry.read(existing(str(given), "chain.json", hint))
    old, new, remarks = "", imported.text, list(imported.remarks)
    if path.exists():
        network_check.checked(path)
        old = path.read_text(encoding="utf-8")
        new, changes = renewal.renewed(str(path), old, imported.document)
        remarks += changes
    _reject(network_check.faults(network_check.parse(str(path), new)), path)
    for remark in remarks:
        output.say(f"  {remark}")
    if old:
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), str(path), "from the registry", lineterm="")
        output.say("\n".join(lines))
    if dry_run:
        output.say(f"{path} was not written: --dry-run" if old else new, end="\n" if old else "")
    elif old == new:
        output.say(f"{path} is up to date")
    else:
        write_atomic(path, new)
        output.say(f"{path} written; next: ./invoke network lock {name}")


@task(
    name="import-all",
    help={
        "from_": "a clone of the chain-registry",
        "into": "folder for the network files (default: nothing is written)",
        "page": "write the table of outcomes to this file, as Markdown",
        "json": "print the outcomes as JSON",
    },
)
def import_all(_: Context, from_: str, into: str = "", page: str = "", json: bool = False) -> None:
    """Import every live chain of a registry, and report the outcome of each."""
    outcomes = registry_sweep.sweep(Path(from_), Path(into) if into else None)
    if page:
        write_atomic(Path(page), registry_sweep.table(outcomes))
    if json:
        output.say_json([asdict(outcome) for outcome in outcomes])
        return
    table = tables.Table("chain", "daemon", "comes from", "remarks")
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.daemon, outcome.reason or outcome.way, str(outcome.remarks))
    output.show(table)
    made = sum(not outcome.reason for outcome in outcomes)
    output.say(f"{made} of {len(outcomes)} live chains make a network file" + (f", written to {into}" if into else ""))


def _reject(faults: list[Fault], path: Path) -> None:
    if faults:
        raise InputError(f"{path} would have faults, so it was not written:", faults=faults)


def summary(network: nouns.Network) -> NetworkRow:
    """One row of the list."""
    daemon = network.daemon
    ways = {"release": daemon.release, "source": daemon.source, "jars": daemon.jvm}
    return NetworkRow(
        name=network.name,
        chain_id=network.chain_id,
        daemon=f"{daemon.name} {daemon.version}",
        sources=", ".join(way for way, given in ways.items() if given),
        ready=not network.unpinned("amd64"),
        description=network.description,
    )


def details(network: nouns.Network) -> list[tuple[str, str]]:
    """What `show` prints, field by field."""
    daemon = network.daemon
    rows = [
        ("chain id", network.chain_id),
        ("daemon", f"{daemon.name} {daemon.version}, home {daemon.home}"),
        *(
            (f"release {arch}", f"{entry.url}\nsha256 {entry.sha256 or 'unpinned'}")
            for arch, entry in daemon.release.items()
        ),
    ]
    if daemon.source:
        rows.append(("source", f"{daemon.source.label}\n{daemon.source.sum or 'unpinned'}"))
        if daemon.source.toolchain:
            rows.append(("toolchain", f"{daemon.source.toolchain}, cgo {'on' if daemon.source.cgo else 'off'}"))
    rows += [("library", f"{entry.name} from {entry.module}@{entry.version}") for entry in daemon.libraries]
    if network.genesis:
        rows.append(("genesis", f"{network.genesis.url}\nsha256 {network.genesis.sha256 or 'unpinned'}"))
    else:
        rows.append(("genesis", "made for each cluster"))
    rows.append(("meshes", ", ".join(network.meshes)))
    rows.append(("peers", f"{len(network.seeds)} seeds, {len(network.persistent_peers)} persistent"))
    rows += [("upgrade", f"{step.name} at {step.height}: {step.version}") for step in network.upgrades]
    rows += [("unpinned", f"{entry.path}: {entry.url}") for entry in network.unpinned("amd64")]
    return rows


def _faults(path: Path) -> list[Fault]:
    try:
        return list(network_check.faults(network_check.read(path)))
    except InputError as error:
        return list(error.faults)


ns = Collection(check, show, lock, import_, import_all)
