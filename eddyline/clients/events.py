"""Publishes events to Kafka, as any producer would."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from eddyline.clients.kafka import quiet_client_config
from feature_store.schema.events import Event, encode_event, key_of
from feature_store.schema.topics import EVENTS
from feature_store.settings import Settings

TIMEOUT_S = 30.0

Delivered = Callable[[Event, int, int], None]
"""Told of an event, and of the partition and offset of `events` where it now lies."""


class NotDelivered(RuntimeError):  # noqa: N818  (a state of the world)
    """Kafka did not take an event in time."""


class EventPublisher:
    """A producer of `events`.

    Parameters
    ----------
    settings : where Kafka is
    delivered : told of each event that Kafka has acknowledged
    """

    def __init__(self, settings: Settings, delivered: Delivered | None = None) -> None:
        self._delivered = delivered
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                **quiet_client_config(settings),
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": settings.kafka_compression,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
                "message.timeout.ms": int(TIMEOUT_S * 1000),
            }
        )

    def publish(self, events: Iterable[Event]) -> None:
        """Hand ``events`` over for sending, keyed by user, or by item where there is no user.

        Raises
        ------
        NotDelivered
            When Kafka takes no more.
        """
        for event in events:
            self._send(encode_event(event), key_of(event), partial(self._acknowledged, event))
        self._producer.poll(0)

    def publish_bytes(self, value: bytes, key: str) -> None:
        """Hand over one message as it is, be it an event or not; raises as :meth:`publish`."""
        self._send(value, key, partial(self._acknowledged, None))

    def flush(self) -> None:
        """Wait until Kafka has acknowledged everything handed over.

        Raises
        ------
        NotDelivered
            When it has not within 30 s, or refused an event.
        """
        try:
            waiting = self._producer.flush(TIMEOUT_S)
        except KafkaException as error:
            raise NotDelivered(str(error)) from error
        if self._failure is not None:
            raise NotDelivered(f"Kafka refused an event: {self._failure.str()}")
        if waiting:
            raise NotDelivered(f"{waiting} events not acknowledged by Kafka within {TIMEOUT_S:.0f} s")

    def _send(self, value: bytes, key: str, report: Callable[[KafkaError | None, Message], None]) -> None:
        try:
            self._producer.produce(EVENTS, value, key.encode(), on_delivery=report)
        except BufferError:
            self.flush()
            self._producer.produce(EVENTS, value, key.encode(), on_delivery=report)

    def _acknowledged(self, event: Event | None, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = error
        elif event is not None and self._delivered is not None:
            self._delivered(event, cast(int, message.partition()), cast(int, message.offset()))
