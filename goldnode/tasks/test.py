"""The tasks test and check: test runs the tiers, check is what to run before each commit.

A tier is a folder under ``tests/``; the table at the end shows each tier's budget and use, and
what was skipped and why.  The last line has the totals.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task
from rich import table as tables
from rich import text as texts

from goldnode import beside, paths
from goldnode.bake import manifest
from goldnode.config import network as networks
from goldnode.errors import HostError, UsageError
from goldnode.fleet import program as programs
from goldnode.progress import SILENT
from goldnode.run import clean_env
from goldnode.tasks import host
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output
from goldnode.vm import accel


class Tier(StrEnum):
    """Folders under ``tests/``, in the order they run; ``long`` is a marker used in all of them."""

    UNIT = "unit"
    REPO = "repo"
    INTEGRATION = "integration"
    IMAGE = "image"
    BOOT = "boot"
    FLEET = "fleet"
    LONG = "long"


#: Seconds each tier may use on two cores without KVM, from a fresh clone; 50 minutes in all, with the set-up.
BUDGET = {
    Tier.UNIT: 90,
    Tier.REPO: 150,
    Tier.INTEGRATION: 720,
    Tier.IMAGE: 480,
    Tier.BOOT: 600,
    Tier.FLEET: 900,
    Tier.LONG: 5400,
}
NO_TESTS = 5
#: Tiers whose files may run beside each other; in the others machines boot, one fleet of which two cores carry.
BESIDE_EACH_OTHER = frozenset({Tier.UNIT, Tier.REPO, Tier.INTEGRATION})
#: The most workers: each may have a chain of four daemons.
WORKERS = 4
#: Tiers that start no daemon.
WITHOUT_DAEMONS = frozenset({Tier.UNIT, Tier.REPO})
#: Networks whose daemons the tests start.
TESTED_NETWORKS = ("localnet", "localwasm")
PROOF_NEEDS = (Need.BAKE, Need.MACHINE, Need.FLEET, Need.LEASE_STORE, Need.MONITORING, Need.C_COMPILER, Need.JDK,
               Need.PROOF, Need.TEST_PACKAGES)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TierResult:
    """A tier's result: counts, seconds, and why tests were skipped."""

    tier: Tier
    passed: int
    failed: int
    skipped: tuple[str, ...]
    seconds: float


@task(
    name="test",
    positional=[],
    iterable=["tier"],
    help={
        "tier": f"one of {', '.join(Tier)}; may be repeated (default: all but long)",
        "match": "only tests whose name matches this expression (pytest -k)",
        "junit": "folder for JUnit reports, one per tier",
    },
)
def run_tests(_: Context, tier: list[str], match: str = "", junit: str = "") -> None:
    """Test everything, tier by tier; fails when a test fails."""
    unknown = sorted(set(tier) - set(Tier))
    if unknown:
        raise UsageError(f"there is no tier {', '.join(unknown)}", hint=f"./invoke test --tier {Tier.UNIT}")
    host.require([*PROOF_NEEDS, *([Need.RUST, Need.BROWSER] if Tier.LONG in tier else [])])
    chosen = [Tier(name) for name in tier] or [each for each in Tier if each is not Tier.LONG]
    with TemporaryDirectory() as scratch:
        reports = Path(junit or scratch).resolve()
        outcomes = _run_all([each for each in chosen if _folders(each)], match, reports)
    _show(outcomes)
    if any(outcome.failed for outcome in outcomes) or not any(outcome.passed for outcome in outcomes):
        raise Exit(code=1)


@task()
def check(_: Context) -> None:
    """What to run before each commit: format, lint, types, unit and repo tests; under a minute."""
    host.require([Need.TEST_PACKAGES])
    python = [sys.executable, "-m"]
    _must([*python, "ruff", "format", "--check", "--quiet", "."])
    _must([*python, "ruff", "check", "--quiet", "."])
    _must([*python, "mypy", "--no-error-summary"])
    _must([*python, "pytest", "-q", *_workers(), "-m", "not long", "tests/unit", "tests/repo"])


def _folders(tier: Tier) -> list[str]:
    """The folders with a tier's tests; empty if it has none yet."""
    if tier is Tier.LONG:
        return ["tests"]
    folder = paths.REPOSITORY / "tests" / tier
    return [f"tests/{tier}"] if any(folder.rglob("test_*.py")) else []


def _run_all(chosen: Sequence[Tier], match: str, reports: Path) -> list[TierResult]:
    """Run the tiers; those that start no daemon run while the daemons are built.

    On a new machine that takes minutes, which are no test's own, so that no test's time limit has to allow for them.
    """
    first = [tier for tier in chosen if tier in WITHOUT_DAEMONS]
    rest = [tier for tier in chosen if tier not in WITHOUT_DAEMONS]
    if not rest:
        return [_run(tier, match, reports) for tier in first]
    with beside.beside(_build_daemons) as built:
        outcomes = [_run(tier, match, reports) for tier in first]
        if not built.done():
            output.say(f"\nbuilding the daemons of {' and '.join(TESTED_NETWORKS)} (once) ...")
        built.exception()  # the tests that need a daemon build it themselves then, and say why they cannot
    return outcomes + [_run(tier, match, reports) for tier in rest]


def _build_daemons() -> None:
    for name in TESTED_NETWORKS:
        programs.program(networks.load(name), SILENT)


def _run(tier: Tier, match: str, reports: Path) -> TierResult:
    report = reports / f"{tier}.xml"
    output.say(f"\n{tier}: {BUDGET[tier]} s are given")
    marked = "long" if tier is Tier.LONG else "not long"
    workers = _workers() if tier in BESIDE_EACH_OTHER else []
    argv = [*_pytest(report, marked), *workers, *(["-k", match] if match else []), *_folders(tier)]
    started = time.monotonic()
    code = _pass_through(argv)
    seconds = time.monotonic() - started
    passed, failed, skipped = _counts(report)
    broken = code not in (0, 1, NO_TESTS)
    return TierResult(tier, passed, failed + broken, skipped, seconds)


def require_root() -> None:
    """Check that ``ask`` can be used.

    Raises:
        HostError: It cannot, without root.
    """
    if os.geteuid():
        raise HostError(
            "the tests of an image need root: they look into it, and boot it, as a container",
            hint=f"sudo ./invoke {shlex.join(sys.argv[1:])}",
        )


def ask(image: Path, report: Path) -> None:
    """Run the tests that apply to every sealed image, whatever its network.

    Args:
        image: The image, with its manifest beside it.
        report: JUnit file to write, with the failures; output goes to stderr.

    Raises:
        HostError: The tests could not be run.
    """
    argv = [*_pytest(report, "any_image"), f"tests/{Tier.IMAGE}", f"tests/{Tier.BOOT}"]
    code = _pass_through(argv, {"GOLDNODE_IMAGE": str(image.resolve())}, stdout=sys.stderr)
    if code not in (0, 1):
        raise HostError(f"the tests of {image.name} could not be run: pytest exited {code}")


def _pytest(report: Path, marked: str) -> list[str]:
    """The command that runs the tests of one marker expression into one report."""
    argv = [sys.executable, "-m", "pytest", "-q", "--no-header", "-m", marked, f"--randomly-seed={_seed()}"]
    return [*argv, f"--junit-xml={report}", "-o", f"junit_suite_name={report.stem}"]


def _workers() -> list[str]:
    """A worker for each core; a file's tests stay with one, as they share what they have started."""
    return ["-n", str(min(os.cpu_count() or 1, WORKERS)), "--dist", "loadfile"]


def _seed() -> int:
    """The seed of the random order: it changes with each commit, and is the same when a commit is tested again."""
    return int(str(manifest.source()["commit"] or "0")[:8], 16)


def _pass_through(argv: list[str], extra: Mapping[str, str] | None = None, stdout: TextIO | None = None) -> int:
    """Run on this terminal: people want to see the tests' own output."""
    env = {**clean_env(), **_kept(), **(extra or {})}
    return subprocess.run(argv, cwd=paths.REPOSITORY, env=env, stdout=stdout, check=False).returncode


def _kept() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("GOLDNODE_", "PIP_", "GO", "CI"))}


def _must(argv: list[str]) -> None:
    if code := _pass_through(argv):
        raise Exit(code=code)


def _counts(report: Path) -> tuple[int, int, tuple[str, ...]]:
    if not report.exists():
        return 0, 0, ()
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - written by our own pytest a moment ago
    passed = failed = 0
    skipped = []
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif (skip := case.find("skipped")) is not None:
            skipped.append(f"{case.get('name')}: {skip.get('message')}")
        else:
            passed += 1
    return passed, failed, tuple(skipped)


def _show(outcomes: list[TierResult]) -> None:
    table = tables.Table("tier", "passed", "failed", "skipped", "given", "used")
    for outcome in outcomes:
        table.add_row(
            outcome.tier,
            str(outcome.passed),
            texts.Text(str(outcome.failed), "red" if outcome.failed else ""),
            str(len(outcome.skipped)),
            f"{BUDGET[outcome.tier]} s",
            f"{outcome.seconds:.0f} s",
        )
    output.show(table)
    for outcome in outcomes:
        for reason in outcome.skipped:
            output.say(f"skipped {reason}")
    if remembered := accel.remembered():
        output.say(f"accelerator: {remembered}")
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed for o in outcomes)
    output.say(f"{passed} passed, {failed} failed, {sum(len(o.skipped) for o in outcomes)} skipped")
