"""Runs one ingest worker: `python -m streams.ingest`."""

import signal

import structlog
from prometheus_client import REGISTRY

from feature_store.catalog import ViewSet, load_folded
from feature_store.clock import SystemClock
from feature_store.telemetry.health import HealthServer
from feature_store.telemetry.logs import configure_logging
from streams.garbage import collect_rarely
from streams.ingest.metrics import IngestMetrics
from streams.ingest.routes import routes_of
from streams.ingest.settings import IngestSettings
from streams.ingest.worker import IngestWorker


def run(views: ViewSet) -> None:
    """Ingest until SIGTERM or SIGINT; any doubt ends the process with another exit code than 0."""
    settings, clock = IngestSettings(), SystemClock()
    configure_logging(f"ingest-{settings.instance}", settings.log_level)
    worker = IngestWorker(settings, routes_of(views), clock, IngestMetrics(REGISTRY, clock))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    health = HealthServer(
        settings.bind_host, settings.metrics_port, live=worker.heartbeat.problem, ready=worker.problem
    )
    structlog.get_logger().info("serving", metrics_port=health.port)
    collect_rarely()
    worker.run()
    health.close()


if __name__ == "__main__":
    run(load_folded())
