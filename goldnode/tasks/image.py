"""Tasks about finished images: check their hygiene, look inside, compute their digest."""

from __future__ import annotations

import json as json_text
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from goldnode.errors import UsageError
from goldnode.image import digest as file_tree
from goldnode.image.check import HygieneReport, check_image, open_image
from goldnode.image.summary import Summary, summarise
from goldnode.tasks.console import needing, progress
from goldnode.tasks.host import Need

#: Findings of one rule that are printed; the rest is counted.
SHOWN = 5
IMAGE = "a finished disk: .qcow2, .raw or .raw.zst"


@needing(Need.IMAGE)
@task(
    positional=["image"],
    iterable=["builder_key"],
    help={
        "image": IMAGE,
        "json": "print the report as JSON",
        "builder_key": "file with the public SSH key of the bake, which must have left no trace; may be repeated",
    },
)
def check(_: Context, image: str, builder_key: list[str], json: bool = False) -> None:
    """Check a finished image against every hygiene rule; exit code 7 when one is broken."""
    keys = [_public_key(Path(name)) for name in builder_key]
    with progress() as shown:
        report = check_image(Path(image), keys, shown)
    if json:
        print(json_text.dumps(report.document(), indent=2, ensure_ascii=False))
    else:
        Console().print(_table(report))
    report.raise_if_broken()


@needing(Need.IMAGE)
@task(positional=["image"], help={"image": IMAGE, "json": "print it as JSON"})
def show(_: Context, image: str, json: bool = False) -> None:
    """Show what is on a finished image: partitions, space, packages, units that start at boot."""
    with open_image(Path(image)) as opened:
        summary = summarise(Path(image).name, opened)
    if json:
        print(json_text.dumps(summary.document(), indent=2, ensure_ascii=False))
    else:
        Console().print(_summary_table(summary))


@needing(Need.IMAGE)
@task(
    positional=["image"],
    help={"image": IMAGE, "files": "print the text behind the digest instead, one line per file, to compare with diff"},
)
def digest(_: Context, image: str, files: bool = False) -> None:
    """Print the file-tree digest: the same for every image that holds the same files."""
    with open_image(Path(image)) as opened:
        if files:
            print(file_tree.canonical(opened.root, opened.esp), end="")
        else:
            print(file_tree.tree_digest(opened.root, opened.esp))


ns = Collection(check, show, digest)


def _public_key(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise UsageError(f"cannot read the builder's key {path}: {error.strerror}") from error
    if len(text.split()) < 2:  # noqa: PLR2004 - type and key
        raise UsageError(f"{path} holds no SSH public key", hint="--builder-key ~/.ssh/id_ed25519.pub")
    return text


def _table(report: HygieneReport) -> Table:
    table = Table("rule", "result", title=f"{report.image}: {len(report.results)} rules")
    for result in report.results:
        if not result.findings:
            table.add_row(result.rule.id, "[green]kept[/]")
            continue
        lines = [f"{finding.where} {finding.what}" for finding in result.findings[:SHOWN]]
        if len(result.findings) > SHOWN:
            lines.append(f"and {len(result.findings) - SHOWN} more")
        lines += [f"why: {result.rule.why}", f"fix: {result.rule.fix}"]
        table.add_row(f"[red]{result.rule.id}[/]", escape("\n".join(lines)))
    return table


def _summary_table(summary: Summary) -> Table:
    table = Table("what", "value", title=summary.image)
    table.add_row("disk", f"{summary.size >> 20} MiB, {summary.free >> 20} MiB of them free in the root filesystem")
    table.add_row("partitions", "\n".join(f"{p.number} {p.name}: {p.size >> 20} MiB" for p in summary.partitions))
    table.add_row("daemon", "\n".join(summary.daemons) or "none")
    table.add_row("files", str(summary.files))
    table.add_row("packages", f"{len(summary.packages)} (names and versions: --json)")
    table.add_row("start at boot", "\n".join(summary.enabled))
    return table
