"""The task that says what is behind: daemons, Debian packages, and what runs; and what to do about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task
from rich import table as tables

from goldnode.authoring import behind, ladder
from goldnode.authoring import outdated as versions
from goldnode.bake import debian_today, freshness
from goldnode.bake.programs import gitsource
from goldnode.config import network as nouns
from goldnode.errors import HostError, ImageError, UsageError
from goldnode.fleet import state as states
from goldnode.paths import cache, out
from goldnode.publish import binding
from goldnode.tasks import host
from goldnode.tasks.console import progress
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output

#: Packages of one image that are named; --json has all.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image, or one release.

    Attributes:
        image: Its name.
        network: What it was baked for.
        daemon: The daemon's version.
        date: The day its Debian packages are of; empty where nobody kept it.
        behind: Its packages that Debian has in a newer version; None when Debian could not be asked.
        runs: The machines of the fleet here that run it.
        advice: What to do; empty when nothing.
    """

    image: str
    network: str
    daemon: str
    date: str
    behind: tuple[behind.LatePackage, ...] | None
    runs: tuple[str, ...]
    advice: str


@task(
    positional=[],
    iterable=["name"],
    help={
        "name": "a network, or a file of your own; may be repeated (default: every real network, and all images)",
        "from_": "a clone of the chain-registry, for what it recommends",
        "folder": "where the fleet lives (default: in the cache)",
        "json": "print everything as JSON",
    },
)
def outdated(_: Context, name: list[str], from_: str = "", folder: str = "", json: bool = False) -> None:
    """Compare daemons, Debian packages and what runs with today's versions, and say what to do."""
    known = [nouns.load(entry) for entry in name or nouns.names()]
    wanted = [network for network in known if name or not network.private]
    registry = versions.recommendations(Path(from_)) if from_ else {}
    stocks = [stock for stock in _stocks(folder) if not name or stock.network in {it.name for it in known}]
    if stocks:
        host.require([Need.BAKE])
    with progress() as told:
        with told.step("ask the repositories"):
            rows = versions.rows(wanted, registry, versions.images(out()), gitsource.tags)
        with told.step("ask Debian"):
            images, unknown = _images(stocks)
    if json:
        output.say_json(
            {
                "version": 1,
                "networks": [asdict(row) for row in rows],
                "images": [asdict(row) for row in images],
                "debian": unknown,
            }
        )
        return
    _show_networks(rows)
    _show_images(images, unknown)


def _stocks(folder: str) -> Iterator[behind.Stock]:
    """What every image, every release, and the fleet here hold; what cannot be read says so and hides nothing."""
    runs = dict(_running(Path(folder) if folder else cache() / "fleet"))
    manifests = [(path, ()) for path in sorted(out().glob("*.manifest.json"))]
    for path, machines in [*manifests, *runs.items()]:
        try:
            yield behind.of_image(path, machines)
        except ImageError as error:
            output.tell(error.message)
    for release in sorted(path.parent for path in (out() / "release").glob("*/release.json")):
        try:
            paths = [
                release / f"{release.name}{role.ending}" for role in (binding.FileRole.MANIFEST, binding.FileRole.SBOM)
            ]
            yield behind.of_release(*paths)
        except ImageError as error:
            output.tell(error.message)


def _running(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The images of a fleet, by their manifests, with the machines that are on and run them."""
    try:
        state = states.read(folder)
    except UsageError:
        return
    machines: dict[Path, list[str]] = {}
    for vm in state.vms:
        own = folder / f"image-{vm.name}.manifest.json"
        if vm.name in state.powered_on:
            machines.setdefault(own if own.exists() else folder / "image.manifest.json", []).append(vm.name)
    yield from ((path, tuple(names)) for path, names in machines.items() if path.exists())


def _images(stocks: Sequence[behind.Stock]) -> tuple[list[ImageRow], str]:
    """A row for each, and why Debian could not be asked; empty when it was."""
    offers: dict[str, Mapping[str, Sequence[debian_today.Offer]]] = {}
    unknown = ""
    for arch in sorted({stock.arch for stock in stocks}):
        try:
            offers[arch] = debian_today.offers(arch)
        except HostError as error:
            unknown = error.message
    late = [behind.late(stock, offers.get(stock.arch, {}), debian_today.is_newer) for stock in stocks]
    rows = []
    for stock, packages in zip(stocks, late, strict=True):
        fellows = [each for each in stocks if (each.network, each.arch) == (stock.network, stock.arch)]
        best = max(fellows, key=_recency)
        advice = behind.advice(stock, packages, (best, late[stocks.index(best)]))
        date = f"{stock.of:%Y-%m-%d}" if stock.of else ""
        known = packages if stock.arch in offers else None
        rows.append(ImageRow(stock.name, stock.network, stock.daemon, date, known, stock.runs, advice))
    return rows, unknown


def _recency(stock: behind.Stock) -> tuple[object, ...]:
    """The newest daemon first, then the newest Debian."""
    return ladder.order(stock.daemon), stock.of or dt.datetime.min.replace(tzinfo=dt.UTC)


def _show_networks(rows: Sequence[versions.VersionRow]) -> None:
    table = tables.Table("network", "file", "recommended", "newest tag", "baked")
    for row in rows:
        table.add_row(row.network, row.file, row.recommended or "?", row.tagged or "?", ", ".join(row.baked) or "-")
    output.show(table)
    for row in rows:
        if row.advice or row.reason:
            output.say(f"{row.network}: {row.advice or f'newest tag unknown: {row.reason}'}")


def _show_images(rows: Sequence[ImageRow], unknown: str) -> None:
    if not rows:
        output.say(f"no image in {out()}: ./invoke bake")
        return
    today = dt.datetime.now(dt.UTC)
    table = tables.Table("image", "daemon", "Debian of", "behind", "security", "runs on")
    for row in rows:
        counts = ("?", "?") if row.behind is None else (
            str(len(row.behind)), str(sum(each.security for each in row.behind)))  # fmt: skip
        of = dt.datetime.fromisoformat(row.date).replace(tzinfo=dt.UTC) if row.date else None
        date = f"{row.date}, {freshness.age(of, today)}" if of else "?"
        table.add_row(row.image, row.daemon, date, *counts, ", ".join(row.runs) or "-")
    output.show(table)
    if unknown:
        output.say(f"packages unknown: {unknown}")
    for row in rows:
        for each in (row.behind or ())[:SHOWN]:
            output.say(f"{row.image}: {each}")
        if len(row.behind or ()) > SHOWN:
            output.say(f"{row.image}: and {len(row.behind or ()) - SHOWN} more (--json)")
        if row.advice:
            output.say(f"{row.image}: {row.advice}")
