"""What is shipped for Prometheus: rules that were seen to fire and to rest, each with its page; current dashboards."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from goldnode.node.agent.metrics import HELP
from goldnode.paths import REPOSITORY
from goldnode.run import run

MONITORING = REPOSITORY / "monitoring"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
#: Metrics of the monitoring itself, and of the programs whose pages are passed on (seen on a real page by test_page).
OTHERS = ("up", "node_", "process_", "(cometbft|tendermint)_")
_NAME = re.compile(r"\b((?:goldnode|node|process)_[A-Za-z0-9_]+|up)\b(?=[{\s)\[]|$)")


def queries(dashboard: Path) -> list[str]:
    """Every query of a dashboard."""
    panels = json.loads(dashboard.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_every_rule_fires_and_rests_as_its_test_says() -> None:
    """Prometheus' own tool runs the rules over time."""
    done = run(["promtool", "test", "rules", MONITORING / "alerts.test.yml"], check=False, timeout=120)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_no_rule_goes_untested() -> None:
    """Each alert has a time at which it is raised, and one at which it is not."""
    cases = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"]
    seen = {(each["alertname"], bool(each["exp_alerts"])) for case in cases for each in case["alert_rule_test"]}

    assert {(name, raised) for name in RULES for raised in (True, False)} == seen


def test_the_examples_are_what_prometheus_and_alertmanager_read() -> None:
    """Their own tools find no fault."""
    run(["promtool", "check", "rules", MONITORING / "alerts.yml"])
    run(["promtool", "check", "config", "--syntax-only", MONITORING / "prometheus.example.yml"])
    run(["amtool", "check-config", MONITORING / "alertmanager.example.yml"])


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_its_page(name: str) -> None:
    """What it means and what to type, where the alert points to."""
    text = (REPOSITORY / "docs" / "alerts.md").read_text()
    pages = dict(re.findall(r"^## (\w+)\n(.+?)(?=\n## |\Z)", text, re.MULTILINE | re.DOTALL))

    assert "**Type**" in pages.get(name, "")
    assert f"docs/alerts.md#{name.lower()}" == RULES[name]["annotations"]["runbook_url"]


@pytest.mark.parametrize(
    "expr", [*(rule["expr"] for rule in RULES.values()), *(expr for board in DASHBOARDS for expr in queries(board))]
)
def test_every_query_names_metrics_that_there_are(expr: str) -> None:
    """A metric of ours in a rule or a dashboard is one that the agent tells."""
    names = set(_NAME.findall(expr))

    assert names or "__name__" in expr
    assert [] == [name for name in names if name not in HELP and not name.startswith(OTHERS)]


def test_the_dashboards_are_what_the_code_writes(tmp_path: Path) -> None:
    """Whoever changes the code has written the files again."""
    run([sys.executable, MONITORING / "dashboards.py", tmp_path], timeout=60)

    assert {path.name: path.read_text() for path in DASHBOARDS} == {
        path.name: path.read_text() for path in tmp_path.iterdir()
    }
