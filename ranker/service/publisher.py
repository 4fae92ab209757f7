"""One Kafka producer for what is not a response: events over HTTP, `rank.served`."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock, Thread

from confluent_kafka import KafkaException, Message, Producer

from feature_store.schema.topics import EVENTS, RANK_SERVED
from feature_store.settings import MAX_MESSAGE_BYTES, Settings, kafka_client_config
from feature_store.telemetry.health import Heartbeat

_POLL_S = 0.1


class NotAcknowledged(RuntimeError):  # noqa: N818  (a state of the world)
    """Kafka has not taken a message."""


class Publisher:
    """Produces, and polls for acknowledgements on a thread of its own.

    Parameters
    ----------
    timeout_ms : a message not acknowledged by then has failed
    on_lost : told of each message of `rank.served` that failed
    heartbeat : of the thread that polls
    """

    def __init__(
        self,
        settings: Settings,
        timeout_ms: int,
        on_lost: Callable[[str, int], None],
        heartbeat: Heartbeat,
    ) -> None:
        self._producer = Producer(
            {
                **kafka_client_config(settings),
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": settings.kafka_compression,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "message.timeout.ms": timeout_ms,
            }
        )
        self._on_lost = on_lost
        self._heartbeat = heartbeat
        self._open = True
        self._thread = Thread(target=self._poll, name="publisher", daemon=True)
        self._thread.start()

    def append(self, partition: int, message: bytes) -> None:
        """Write one message of `rank.served`.

        Raises
        ------
        BufferError
            Too much is waiting to be sent.
        """
        self._producer.produce(RANK_SERVED, message, partition=partition, on_delivery=self._served_delivered)

    def publish_events(self, events: Sequence[tuple[str, bytes]]) -> "Future[None]":
        """Write events of (key, bytes) to `events`.

        The future is done when Kafka has acknowledged all of them, or raises `NotAcknowledged`.
        """
        acknowledged = _Acknowledgements(len(events))
        for key, value in events:
            try:
                self._producer.produce(EVENTS, value, key.encode(), on_delivery=acknowledged.one)
            except (BufferError, KafkaException) as error:
                acknowledged.failed(str(error))
        return acknowledged.future

    def close(self, timeout_s: float) -> int:
        """Send what waits, and stop; returns how many messages were not acknowledged in time."""
        waiting = int(self._producer.flush(timeout_s))
        self._open = False
        self._thread.join()
        return waiting

    def _poll(self) -> None:
        while self._open:
            self._heartbeat.beat()
            self._producer.poll(_POLL_S)

    def _served_delivered(self, error: object, _: Message) -> None:
        if error is not None:
            self._on_lost("served_not_acknowledged", 1)


class _Acknowledgements:
    """Counts down to a future."""

    def __init__(self, expected: int) -> None:
        self.future: Future[None] = Future()
        self._missing = expected
        self._problem: str | None = None
        self._lock = Lock()
        if expected == 0:
            self.future.set_result(None)

    def one(self, error: object, _: Message) -> None:
        if error is None:
            self._count(None)
        else:
            self.failed(str(error))

    def failed(self, problem: str) -> None:
        self._count(problem)

    def _count(self, problem: str | None) -> None:
        with self._lock:
            self._problem = self._problem or problem
            self._missing -= 1
            done = self._missing == 0
        if done and self._problem is None:
            self.future.set_result(None)
        elif done:
            self.future.set_exception(NotAcknowledged(f"Kafka did not take all events: {self._problem}"))
