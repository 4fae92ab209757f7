"""Watches who reads what models decide: `python -m eddyline.lineage`."""

from contextlib import closing
from functools import partial

import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from eddyline.lineage.declared import declared_lineage, read_outside
from eddyline.lineage.settings import LineageSettings
from eddyline.lineage.watch import LineageWatch
from feature_store.clock import SystemClock
from feature_store.findings_log import read_findings, write_record
from feature_store.lineage import Lineage
from feature_store.telemetry.health import HealthServer, Heartbeat
from feature_store.telemetry.logs import configure_logging
from feature_store.telemetry.stopping import told_to_stop
from streams.feedback.lineage_broker import consumer_groups
from streams.feedback.production.finding_metrics import FindingMetrics

_STUCK_AFTER_S = 120.0
"""A broker that does not answer is given 30 s for each question."""


def make_watch(settings: LineageSettings, registry: CollectorRegistry) -> LineageWatch:
    """Over the broker of ``settings``; raises as `declared_lineage`."""
    inside = declared_lineage()

    def declared() -> Lineage:
        outside = settings.lineage_outside
        return inside if outside is None else Lineage.of(inside.edges, read_outside(outside))

    return LineageWatch(
        declared,
        partial(consumer_groups, settings),
        partial(read_findings, settings),
        partial(write_record, settings),
        FindingMetrics(registry),
        SystemClock(),
    )


def run() -> None:
    """Watch until SIGTERM or SIGINT."""
    settings, stop = LineageSettings(), told_to_stop()
    configure_logging(f"lineage-{settings.instance}", settings.log_level)
    heartbeat = Heartbeat(SystemClock(), settings.lineage_every_s + _STUCK_AFTER_S)
    health = HealthServer(
        settings.bind_host, settings.metrics_port, live=heartbeat.problem, ready=heartbeat.problem
    )
    with closing(health):
        structlog.get_logger().info("serving", metrics_port=health.port)
        watch = make_watch(settings, REGISTRY)
        watch.look()
        while not stop.wait(settings.lineage_every_s):
            watch.look()
            heartbeat.beat()


if __name__ == "__main__":
    run()
