"""Checks a trickle of what is served: `python -m eddyline.parity`."""

from contextlib import ExitStack, closing

import structlog
from prometheus_client import REGISTRY

from eddyline.parity.chosen import SampledEntities
from eddyline.parity.follow import Follower, ParityMetrics
from eddyline.parity.kafka_log import KafkaLog
from eddyline.parity.settings import ParitySettings
from eddyline.parity.verify import following_items, parity_check
from feature_store.catalog import Catalog, load_catalog
from feature_store.clock import SystemClock
from feature_store.telemetry.health import HealthServer, Heartbeat
from feature_store.telemetry.logs import configure_logging
from feature_store.telemetry.stopping import told_to_stop

_STUCK_AFTER_S = 60.0


def run(catalog: Catalog) -> None:
    """Check until SIGTERM or SIGINT."""
    settings, stop = ParitySettings(), told_to_stop()
    configure_logging(f"parity-{settings.instance}", settings.log_level)
    heartbeat = Heartbeat(SystemClock(), _STUCK_AFTER_S)
    with ExitStack() as stack:
        health = HealthServer(
            settings.bind_host, settings.metrics_port, live=heartbeat.problem, ready=heartbeat.problem
        )
        stack.callback(health.close)
        structlog.get_logger().info("serving", metrics_port=health.port)
        items = stack.enter_context(following_items(settings, catalog))
        log = stack.enter_context(closing(KafkaLog(settings, heartbeat.beat)))
        check = parity_check(settings, catalog, items, SampledEntities(settings.parity_sample))
        follower = Follower(check, log, ParityMetrics(REGISTRY), settings.parity_requests)
        while not stop.wait(settings.parity_every_s):
            follower.turn()
            heartbeat.beat()


if __name__ == "__main__":
    run(load_catalog())
