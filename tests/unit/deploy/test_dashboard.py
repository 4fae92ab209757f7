"""The dashboard: it draws series that processes export, by labels that these have."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.unit.deploy.names import DEPLOY
from tests.unit.deploy.series import exported

GRAFANA = DEPLOY / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "eddyline.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
SERIES = exported()
OF_SCRAPING = {"job", "process", "instance"}
"""Labels that Prometheus adds."""
OF_OTHERS = {"up", "ALERTS", "process_start_time_seconds", "process_cpu_seconds_total"} | {
    "process_resident_memory_bytes"
}
"""Series of Prometheus and of prometheus-client itself."""
WORDS = re.compile(r"\b[a-zA-Z_]\w+\b(?!\s*\()")
GROUPED = re.compile(r"by \(([^)]*)\)")
NOT_SERIES = {"by", "le", "time"}


def series_in(expression: str) -> set[str]:
    """Names in a PromQL expression that are neither functions, labels nor text."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", GROUPED.sub("", expression))
    return set(WORDS.findall(bare)) - NOT_SERIES


def grouped_by(expression: str) -> set[str]:
    return {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",")}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_each_series_is_one_that_a_process_exports(target):
    named = series_in(target["expr"])
    assert named
    assert named <= set(SERIES) | OF_OTHERS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_each_series_has_the_labels_that_it_is_grouped_and_named_by(target):
    labels = grouped_by(target["expr"]) | set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
    for name in series_in(target["expr"]) & set(SERIES):
        assert labels <= SERIES[name] | OF_SCRAPING


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
def test_prometheus_understands_each_expression(tmp_path):
    expressions = [target["expr"].replace("$__rate_interval", "1m") for target in TARGETS]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_series_that_nobody_exports_is_found():
    assert not series_in("sum by (type) (rate(eddyline_ingest_evnts_total[5m]))") <= set(SERIES)


def test_the_dashboard_shows_what_people_on_call_ask_for():
    shown = set().union(*(series_in(target["expr"]) for target in TARGETS))
    assert shown >= {
        "eddyline_ingest_events_total",
        "eddyline_ingest_lag_offsets",
        "eddyline_features_lag_offsets",
        "eddyline_features_freshness_seconds_bucket",
        "eddyline_ingest_dead_letters_total",
        "eddyline_ranker_stage_duration_seconds_bucket",
        "eddyline_ranker_degraded_total",
        "eddyline_join_exposures_total",
        "process_start_time_seconds",
    }


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_panels_read_the_datasource_that_is_provisioned():
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    known = {source["uid"] for source in provisioned["datasources"]}
    assert {part["datasource"]["uid"] for part in [*PANELS, *TARGETS]} <= known


def test_the_datasource_and_the_folder_are_those_of_compose():
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/eddyline.yml").read_text())["providers"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
