"""Alert rules: each is tested by promtool, leads to a runbook, and reads metrics that exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
TESTS = ROOT / "deploy/prometheus/tests/alerts.yml"
OWN_METRIC = re.compile(r"eddyline_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_sum", "_count")

pytestmark = pytest.mark.integration


def alerts() -> list[str]:
    return re.findall(r"alert: (\w+)", "".join(path.read_text() for path in RULES))


def test_promtool_finds_that_each_alert_does_what_its_tests_say() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", str(TESTS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_tested_to_fire(alert: str) -> None:
    cases = TESTS.read_text().split("  - interval:")
    mine = [case for case in cases if f"alertname: {alert}\n" in case]
    assert any("exp_labels" in case for case in mine)
    if alert != "EddylineWatchdog":
        assert any("exp_alerts: []" in case for case in mine)


def test_each_runbook_exists_and_names_its_alert() -> None:
    text = "".join(path.read_text() for path in RULES)
    for alert, runbook in re.findall(r"alert: (\w+)\n(?:.*\n)*?\s+runbook: (\S+)", text):
        assert alert in (ROOT / runbook).read_text(), f"{runbook} does not name {alert}"


def test_each_metric_in_a_rule_is_one_that_a_process_exports() -> None:
    declared = "".join(
        path.read_text()
        for folder in ("streams", "ranker", "eddyline")
        for path in (ROOT / folder).rglob("*.py")
    )
    names = set(
        OWN_METRIC.findall(" ".join(re.findall(r"expr: >-\n(.*)", "".join(p.read_text() for p in RULES))))
    )
    for name in names - {"eddyline_"}:
        bare = name
        for suffix in SUFFIXES:
            bare = bare.removesuffix(suffix)
        assert f'"{bare}"' in declared or f'"{name}"' in declared, name
