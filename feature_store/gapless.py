"""A producer that keeps every message or ends the process."""

from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_store.outbound import Outbound
from feature_store.settings import NOTICE, Settings, gapless_producer_config

_WAIT_S = 0.1
_ANY_PARTITION = -1


class GaplessProducer:
    """Produces in order; the first failed delivery fails every call from then on.

    Parameters
    ----------
    settings : where Kafka is
    waiting : called while the producer waits for the broker, so that a probe sees that it does
    log_level : syslog's, of what librdkafka prints: 5 notices and worse, 3 errors, such as why somebody waits
    """

    def __init__(self, settings: Settings, waiting: Callable[[], None], log_level: int = NOTICE) -> None:
        self._failure: KafkaError | None = None
        self._waiting = waiting
        self._producer = Producer(
            {
                **gapless_producer_config(settings),
                "linger.ms": 0,
                "log_level": log_level,
                "error_cb": self._note_fatal,
            }
        )

    def produce(self, message: Outbound) -> None:
        """Hand over one message; waits while the producer's queue is full.

        Raises
        ------
        confluent_kafka.KafkaException
            When this or an earlier message cannot be delivered.
        """
        while not self._accepted(message):
            self._producer.poll(_WAIT_S)
            self._waiting()
            self._raise_failure()

    def poll(self) -> None:
        """Take in what the broker said; raises as :meth:`produce`."""
        self._producer.poll(0)
        self._raise_failure()

    def flush(self) -> None:
        """Wait until the broker has every message; raises as :meth:`produce`."""
        while self._producer.flush(_WAIT_S):
            self._waiting()
            self._raise_failure()
        self._raise_failure()

    def _accepted(self, message: Outbound) -> bool:
        try:
            self._producer.produce(
                message.topic,
                message.value,
                message.key,
                partition=_ANY_PARTITION if message.partition is None else message.partition,
                headers=message.headers,
                on_delivery=self._note_failed,
            )
        except BufferError:  # the queue is full
            return False
        return True

    def _note_failed(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error

    def _note_fatal(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = self._failure or error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise KafkaException(self._failure)
