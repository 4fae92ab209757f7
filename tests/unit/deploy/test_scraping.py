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


def target(config):
    """(host:port, value of the label `process`) of a job."""
    if "static_configs" in config:
        [static] = config["static_configs"]
        return static["targets"][0], static["labels"]["process"]
    [found], [relabeling] = config["dns_sd_configs"], config["relabel_configs"]
    return f"{found['names'][0]}:{found['port']}", relabeling["replacement"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_compose_scrapes_every_worker_by_the_names_of_the_local_stack(kind):
    [config] = [each for each in COMPOSE["scrape_configs"] if each["job_name"] == kind.name]
    service = compose()["services"][kind.name]
    port = service["environment"]["EDDYLINE_METRICS_PORT"]
    assert target(config) == (f"{kind.name}:{port}", f"{kind.name}-0")
    assert ("profiles" in service) == ("dns_sd_configs" in config)


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
