"""Keeps the champion fresh: `python -m ranker.training`."""

from contextlib import closing
from threading import Event

import structlog
from confluent_kafka import KafkaException
from prometheus_client import REGISTRY

from feature_store.clock import SystemClock
from feature_store.exposure_log import read_exposures
from feature_store.telemetry.health import HealthServer, Heartbeat
from feature_store.telemetry.logs import configure_logging
from feature_store.telemetry.stopping import told_to_stop
from ranker.registry.connect import open_registry, open_training_data
from ranker.registry.hold import HoldUnknown, training_hold
from ranker.registry.signature import default_signature
from ranker.training.publish import Publisher
from ranker.training.settings import TrainerSettings
from ranker.training.trainer import Trainer
from ranker.training.trainer_metrics import TrainerMetrics
from ranker.triton.connect import open_inference

_log = structlog.get_logger()

_STUCK_AFTER_S = 300.0
"""A full log to read, or a slow model to load, may take this long; more is no progress."""


def main() -> None:
    """Follow `exposures` until SIGTERM or SIGINT."""
    settings, clock, stopped = TrainerSettings(), SystemClock(), told_to_stop()
    configure_logging(f"trainer-{settings.instance}", settings.log_level)
    heartbeat = Heartbeat(clock, _STUCK_AFTER_S)
    health = HealthServer(
        settings.bind_host, settings.metrics_port, live=heartbeat.problem, ready=heartbeat.problem
    )
    signature = default_signature()
    with closing(health), closing(open_inference(settings, signature.fingerprint)) as inference:
        registry = open_registry(settings, clock, recorded=True)
        publisher = Publisher(
            registry, inference, signature, open_training_data(settings), training_hold(settings)
        )
        trainer = Trainer(publisher, settings, TrainerMetrics(REGISTRY, clock), clock)
        follow(trainer, settings, heartbeat, stopped)


def follow(trainer: Trainer, settings: TrainerSettings, heartbeat: Heartbeat, stopped: Event) -> None:
    """Read what is new and give it to the trainer, again and again."""
    while not stopped.wait(settings.trainer_poll_s):
        try:
            trainer.take(read_exposures(settings, trainer.next_offsets))
        except KafkaException as error:
            _log.warning("exposures_unreadable", problem=str(error))
        except HoldUnknown as error:
            _log.warning("hold_not_known", problem=str(error))
        heartbeat.beat()


if __name__ == "__main__":
    main()
