"""Who is scraped: every worker, under the labels that alerts and dashboard know, where it listens."""

import re
import shutil
import subprocess

import pytest
import yaml

from eddyline.stack.workers import KINDS
from tests.unit.deploy.manifests import compose
from tests.unit.deploy.names import DEPLOY

COMPOSE = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text())
POD_MONITOR = yaml.safe_load((DEPLOY / "kubernetes" / "monitoring" / "pod-monitor.yaml").read_text())


def scraped() -> dict[str, tuple[str, str]]:
    """Job → (target, value of the label `process`)."""
    return {
        config["job_name"]: (static["targets"][0], static["labels"]["process"])
        for config in COMPOSE["scrape_configs"]
        for static in config["static_configs"]
    }


def test_compose_scrapes_every_worker_by_the_names_of_the_local_stack():
    for kind in KINDS:
        port = compose()["services"][kind.name]["environment"]["EDDYLINE_METRICS_PORT"]
        assert scraped()[kind.name] == (f"{kind.name}:{port}", f"{kind.name}-0")


def test_compose_reads_the_rules_and_sends_alerts_to_a_service():
    services = compose()["services"]
    assert "../prometheus/rules:/etc/prometheus/rules:ro" in services["prometheus"]["volumes"]
    assert COMPOSE["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    [manager] = COMPOSE["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert manager.partition(":")[0] in services


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
def test_prometheus_understands_the_configuration():
    file = DEPLOY / "compose" / "prometheus.yml"
    argv = ["promtool", "check", "config", "--syntax-only", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_names_jobs_by_kind_and_processes_as_the_local_stack_does():
    assert POD_MONITOR["spec"]["jobLabel"] == "app.kubernetes.io/component"
    [endpoint] = POD_MONITOR["spec"]["podMetricsEndpoints"]
    [relabeling] = endpoint["relabelings"]
    assert relabeling["targetLabel"] == "process"
    assert re.fullmatch(relabeling["regex"], "eddyline-ingest-0").group(1) == "ingest-0"
