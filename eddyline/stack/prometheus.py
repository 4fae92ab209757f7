"""Prometheus and Alertmanager, with a scrape configuration made of the stack's own ports."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from eddyline.stack.parts import ROOT, Parts
from eddyline.stack.probes import http_ok
from eddyline.stack.process import Process
from eddyline.stack.settings import StackSettings

RULES = ROOT / "deploy" / "prometheus" / "rules"
"""Folder of the alert rules."""
RECEIVERS = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
"""Configuration of the Alertmanager."""


def prometheus(
    settings: StackSettings,
    parts: Parts,
    folder: Path,
    port: int,
    alertmanager_port: int,
    targets: Mapping[str, Mapping[str, int]],
) -> Process:
    """A Prometheus on ``127.0.0.1:port`` that reads ``targets`` (job → process → port) and has our rules."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "prometheus.yml"
    # JSON is YAML.
    configuration.write_text(json.dumps(_configuration(settings, alertmanager_port, targets), indent=2))
    argv = [
        parts.prometheus,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={settings.prometheus_retention_hours}h",
        f"--storage.tsdb.retention.size={settings.prometheus_retention_mb}MB",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    ready = http_ok(f"http://127.0.0.1:{port}/-/ready")
    return Process(name="prometheus", argv=lambda: argv, env=os.environ, ready=ready)


def alertmanager(parts: Parts, folder: Path, port: int, receivers: Path = RECEIVERS) -> Process:
    """An Alertmanager on ``127.0.0.1:port`` that clusters with nobody and tells ``receivers``."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [
        parts.alertmanager,
        f"--config.file={receivers}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    ready = http_ok(f"http://127.0.0.1:{port}/-/ready")
    return Process(name="alertmanager", argv=lambda: argv, env=os.environ, ready=ready)


def _configuration(
    settings: StackSettings, alertmanager_port: int, targets: Mapping[str, Mapping[str, int]]
) -> dict[str, object]:
    interval = f"{settings.prometheus_scrape_interval_s}s"
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [f"{RULES}/*.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]
        },
        "scrape_configs": [
            {"job_name": job, "static_configs": _static(instances)} for job, instances in targets.items()
        ],
    }


def _static(instances: Mapping[str, int]) -> Sequence[object]:
    return [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"process": name}} for name, port in instances.items()
    ]
