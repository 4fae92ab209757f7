"""How the commands on rows say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print what may go wrong with Redis or Kafka as one message, without a trace, and exit with 1."""
    from confluent_kafka import KafkaException

    from eddyline.commands import _terminal
    from feature_store.online.connection import EvictingRedis, redis_errors

    with _terminal.clear_errors(EvictingRedis, KafkaException, OSError), redis_errors("the rows"):
        yield
