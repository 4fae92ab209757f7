"""Keeps an `ItemTable` up to date from the compacted topic `items`, on a thread of its own."""

import threading

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.items.table import CreatorChanged, ItemTable
from feature_store.schema.events import ItemEvent, ItemRemovedEvent, Refusal, parse_events
from feature_store.schema.topics import ITEMS
from feature_store.settings import Settings, kafka_client_config
from feature_store.topic_log import partitions_of

_POLL_MESSAGES = 4_096
_POLL_S = 0.2

log = structlog.get_logger()


class ItemsFollower:
    """Reads `items` from its beginning and goes on following it.

    Parameters
    ----------
    settings : where Kafka is
    table : written by this follower's thread
    """

    def __init__(self, settings: Settings, table: ItemTable) -> None:
        self._settings = settings
        self._table = table
        self._caught_up = threading.Event()
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="items-follower", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def caught_up(self) -> bool:
        """Whether the table holds everything that was in the topic when the follower started."""
        return self._caught_up.is_set()

    def wait_caught_up(self, timeout_s: float) -> bool:
        """Wait for :meth:`caught_up`; its value when it came or the time was over."""
        return self._caught_up.wait(timeout_s)

    def problem(self) -> str | None:
        """None while the follower does its work, else why it does not."""
        return self.failed() or (None if self.caught_up() else "items are being loaded")

    def failed(self) -> str | None:
        """What ended the follower's thread, if anything did: only a new process follows again."""
        return None if self._failure is None else f"items follower failed: {self._failure}"

    def raise_failure(self) -> None:
        """Raise what ended the follower's thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop reading and wait for the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            consumer = Consumer(_consumer_config(self._settings))
            try:
                self._follow(consumer)
            finally:
                consumer.close()
        except Exception as error:  # noqa: BLE001  (whoever owns the follower re-raises it)
            log.error("items_follower_failed", error=str(error))
            self._failure = error

    def _follow(self, consumer: Consumer) -> None:
        loading = _assign_from_the_beginning(consumer)
        while not self._stopping.is_set():
            messages = consumer.consume(_POLL_MESSAGES, _POLL_S)
            self._apply([message for message in messages if message.error() is None])
            loading -= {number for message in messages if (number := _partition_at_end(message)) is not None}
            if not loading:
                self._caught_up.set()

    def _apply(self, messages: list[Message]) -> None:
        for event in parse_events([message.value() for message in messages if message.value() is not None]):
            if isinstance(event, ItemEvent | ItemRemovedEvent):
                self._apply_one(event)
            else:
                log.error("items_record_ignored", why=_why(event))

    def _apply_one(self, event: ItemEvent | ItemRemovedEvent) -> None:
        try:
            self._table.apply(event)
        except CreatorChanged as error:
            log.error("items_record_ignored", why=str(error))


def _assign_from_the_beginning(consumer: Consumer) -> set[int]:
    partitions = partitions_of(consumer, ITEMS)
    consumer.assign([TopicPartition(ITEMS, number, OFFSET_BEGINNING) for number in partitions])
    return set(partitions)


def _partition_at_end(message: Message) -> int | None:
    """The partition whose end this message reports, if it is such a report; raises what is lasting."""
    error = message.error()
    if error is None:
        return None
    if error.code() == KafkaError._PARTITION_EOF:
        return message.partition()
    if error.fatal() or not error.retriable():
        raise KafkaException(error)
    log.warning("items_follower_waits", error=str(error))
    return None


def _why(event: object) -> str:
    return event.message if isinstance(event, Refusal) else f"{type(event).__name__} is not an item's"


def _consumer_config(settings: Settings) -> dict[str, str | int | bool]:
    return {
        **kafka_client_config(settings),
        "group.id": "eddyline-items",  # required by the client; nothing is subscribed or committed
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 200,  # the end of a log is seen so late; what comes is not
    }
