"""The test report of a release: JUnit with the hygiene rules as one suite, then any other suites that were run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from goldnode.errors import ImageError
from goldnode.image.check import HygieneReport

_BAD = ("failure", "error")


def write(report: HygieneReport, others: Sequence[Path], target: Path) -> None:
    """Merge the hygiene check and other JUnit files into one report.

    Raises:
        ImageError: One of the other files is not a JUnit report.
    """
    root = ET.Element("testsuites", name=report.image)
    broken = {result.rule.id for result in report.broken}
    suite = ET.SubElement(
        root, "testsuite", name="hygiene", tests=str(len(report.results)), failures=str(len(broken)), errors="0"
    )
    for result in report.results:
        case = ET.SubElement(suite, "testcase", classname="hygiene", name=result.rule.id)
        for finding in result.findings:
            ET.SubElement(case, "failure", message=f"{finding.where}: {finding.what}")
    for path in others:
        root.extend(copy.deepcopy(each) for each in _suites(path))
    ET.indent(root)
    ET.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)


def failures(path: Path) -> list[str]:
    """Names of tests that failed; an empty report has failed as a whole.

    Raises:
        ImageError: It is not a JUnit report.
    """
    cases = [case for suite in _suites(path) for case in suite.iter("testcase")]
    if not cases:
        return ["no test was run"]
    return [str(case.get("name")) for case in cases if any(case.find(bad) is not None for bad in _BAD)]


def _suites(path: Path) -> list[ET.Element]:
    try:
        # expat itself stops entity bombs (since 2.4.1), and ElementTree loads nothing from outside.
        root = ET.parse(path).getroot()  # noqa: S314
    except (OSError, ET.ParseError) as broken:
        raise ImageError(f"{path} is not a JUnit report: {broken}") from broken
    return list(root.iter("testsuite"))
