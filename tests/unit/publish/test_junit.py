"""The test report of a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.errors import ImageError
from goldnode.image.check import HygieneReport, RuleResult
from goldnode.image.rule import Finding, Rule
from goldnode.publish import junit

RULE = Rule("host-keys", "no host keys", "why", "source", "fix", lambda _: [])


def test_rules_and_other_reports_are_in_one_file(tmp_path: Path) -> None:
    """Every rule is a test, and other reports stand beside them; failures of either are found."""
    other = tmp_path / "boot.xml"
    other.write_text(
        "<testsuite name='boot'><testcase name='boots'/><testcase name='joins'><error/></testcase></testsuite>"
    )
    broken = RuleResult(RULE, (Finding("/etc/ssh/key", "must not ship"),))

    junit.write(HygieneReport("disk", (broken, RuleResult(RULE, ()))), [other], tmp_path / "all.xml")

    assert ["host-keys", "joins"] == junit.failures(tmp_path / "all.xml")
    assert "/etc/ssh/key: must not ship" in (tmp_path / "all.xml").read_text()


def test_an_empty_report_has_failed(tmp_path: Path) -> None:
    """A report without a test proves nothing."""
    (tmp_path / "r.xml").write_text("<testsuites/>")

    assert ["no test was run"] == junit.failures(tmp_path / "r.xml")


def test_no_report(tmp_path: Path) -> None:
    """What is no JUnit is named."""
    (tmp_path / "r.xml").write_text("no xml")

    with pytest.raises(ImageError, match=r"r.xml is not a JUnit report"):
        junit.failures(tmp_path / "r.xml")
