"""Tasks about finished images: check their hygiene, look inside, compute their digest."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich import table as tables
from rich import text as texts

from goldnode.errors import UsageError
from goldnode.image import check as checks
from goldnode.image import digest as file_tree
from goldnode.image import summary as summaries
from goldnode.tasks import host
from goldnode.tasks.console import existing, progress
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output

#: Findings printed for one rule; the rest are only counted.
SHOWN = 5
IMAGE = "a finished disk: .qcow2, .raw or .raw.zst"


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
    disk = _disk(image)
    keys = [_public_key(name) for name in builder_key]
    host.require([Need.IMAGE])
    with progress() as shown:
        report = checks.check_image(disk, keys, shown)
    if json:
        output.say_json(report.document())
    else:
        output.show(_table(report))
    report.raise_if_broken()


@task(positional=["image"], help={"image": IMAGE, "json": "print it as JSON"})
def show(_: Context, image: str, json: bool = False) -> None:
    """Show what is on a finished image: partitions, space, packages, units that start at boot."""
    disk = _disk(image)
    host.require([Need.IMAGE])
    with checks.open_image(disk) as opened:
        summary = summaries.summarise(disk.name, opened)
    if json:
        output.say_json(summary.document())
    else:
        output.show(_summary_table(summary))


@task(
    positional=["image"],
    help={"image": IMAGE, "files": "print the text behind the digest instead, one line per file, to compare with diff"},
)
def digest(_: Context, image: str, files: bool = False) -> None:
    """Print the file-tree digest: the same for every image that holds the same files."""
    disk = _disk(image)
    host.require([Need.IMAGE])
    with checks.open_image(disk) as opened:
        if files:
            output.say(file_tree.canonical(opened.root, opened.esp), end="")
        else:
            output.say(file_tree.tree_digest(opened.root, opened.esp))


ns = Collection(check, show, digest)


def _disk(image: str) -> Path:
    return existing(image, "image", "./invoke bake")


def _public_key(file: str) -> str:
    path = existing(file, "public key of the bake")
    text = path.read_text().strip()
    if not text.startswith(("ssh-", "ecdsa-", "sk-")):
        raise UsageError(f"{path} does not hold an SSH public key", hint="--builder-key ~/.ssh/id_ed25519.pub")
    return text


def _table(report: checks.HygieneReport) -> tables.Table:
    table = tables.Table("rule", "result", title=f"{report.image}: {len(report.results)} rules")
    for result in report.results:
        if not result.findings:
            table.add_row(result.rule.id, texts.Text("kept", "green"))
            continue
        lines = [f"{finding.where} {finding.what}" for finding in result.findings[:SHOWN]]
        if len(result.findings) > SHOWN:
            lines.append(f"and {len(result.findings) - SHOWN} more")
        lines += [f"why: {result.rule.why}", f"fix: {result.rule.fix}"]
        table.add_row(texts.Text(result.rule.id, "red"), "\n".join(lines))
    return table


def _summary_table(summary: summaries.ImageSummary) -> tables.Table:
    table = tables.Table("what", "value", title=summary.image)
    table.add_row("disk", f"{summary.size >> 20} MiB, {summary.free >> 20} MiB of them free in the root filesystem")
    table.add_row("partitions", "\n".join(f"{p.number} {p.name}: {p.size >> 20} MiB" for p in summary.partitions))
    table.add_row("daemon", "\n".join(summary.daemons) or "none")
    table.add_row("files", str(summary.files))
    table.add_row("packages", f"{len(summary.packages)} (names and versions: --json)")
    table.add_row("start at boot", "\n".join(summary.enabled))
    return table
