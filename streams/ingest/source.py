"""`events` as runs of records, from the last commit on and with what the duplicate windows need before it."""

from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.schema.topics import EVENTS
from feature_store.settings import kafka_client_config
from streams.ingest.origin import EventsMadeAnew
from streams.ingest.records import Run
from streams.ingest.settings import IngestSettings

_TIMEOUT_S = 30.0
_IDLE_S = 0.1
_REBALANCING = frozenset(
    {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}
)

Starts = dict[int, tuple[int, int]]
"""Partition -> (offset to read from, first offset that nobody emitted yet)."""

log = structlog.get_logger()


class EventSource:
    """The partitions of `events` that the group assigns to this worker.

    Parameters
    ----------
    settings : group, poll size, duplicate window
    on_assigned : called with the starts of all partitions now owned
    on_revoked : called before they are given up; what was produced should be committed now
    on_lost : called with the count of offsets that retention deleted before anyone read them
    """

    def __init__(
        self,
        settings: IngestSettings,
        *,
        on_assigned: Callable[[Starts], None],
        on_revoked: Callable[[], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_lost = on_lost
        self._consumer = Consumer(_consumer_config(settings))
        self._read_to: dict[int, int] = {}

    def subscribe(self) -> None:
        """Join the group; partitions are assigned during a later :meth:`poll`."""
        self._consumer.subscribe(
            [EVENTS], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._abandon
        )

    def poll(self, gather_s: Callable[[], float]) -> list[Run]:
        """Up to ``ingest_poll_events`` records, one run per partition; none where none come for a while.

        Parameters
        ----------
        gather_s : how long to go on taking records, asked when the first one is there

        Raises
        ------
        confluent_kafka.KafkaException
            When the consumer cannot go on.
        """
        messages, assignment = self._consumer.consume(1, _IDLE_S), self._read_to
        if messages:
            more = self._consumer.consume(self._settings.ingest_poll_events - 1, gather_s())
            # Where partitions changed hands meanwhile, the first one is read again, from the commit.
            messages = messages + more if self._read_to is assignment else more
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            if message.error() is None:
                by_partition.setdefault(message.partition(), []).append(message)  # type: ignore[arg-type]
            else:
                self._note(message)
        runs = [_run(number, part) for number, part in by_partition.items() if number in self._read_to]
        for run in runs:
            self._reached(run.partition, run.offsets[-1] + 1)
        return runs

    def at_end(self, partition: int) -> bool:
        """Whether everything that the broker is known to have of a partition was read."""
        return self.lag(partition, self._read_to[partition]) == 0

    def lag(self, partition: int, offset: int) -> int | None:
        """How far ``offset`` is from the end of a partition, as last heard; None before that."""
        _, high = self._consumer.get_watermark_offsets(TopicPartition(EVENTS, partition), cached=True)
        return max(0, high - offset) if high >= 0 else None

    def commit(self, next_offsets: dict[int, int]) -> None:
        """Commit where to go on; during a rebalance it may be refused, which only repeats work."""
        offsets = [TopicPartition(EVENTS, partition, offset) for partition, offset in next_offsets.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _REBALANCING:
                raise
            log.warning("commit_refused_by_rebalance", error=str(error))

    def close(self) -> None:
        """Leave; :meth:`commit` before it."""
        self._consumer.close()

    def _note(self, message: Message) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:  # type: ignore[union-attr]
            self._reached(message.partition(), message.offset())  # type: ignore[arg-type]
        elif error.fatal() or not error.retriable():  # type: ignore[union-attr]
            raise KafkaException(error)
        else:
            log.warning("events_consumer_waits", error=str(error))

    def _reached(self, partition: int, offset: int) -> None:
        if partition in self._read_to:
            self._read_to[partition] = max(self._read_to[partition], offset)

    def _assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        committed = consumer.committed(list(partitions), timeout=_TIMEOUT_S)
        starts = {item.partition: self._start(item) for item in committed}
        self._read_to = {partition: first for partition, (first, _) in starts.items()}
        self._on_assigned(starts)
        consumer.assign(
            [TopicPartition(EVENTS, partition, first) for partition, (first, _) in starts.items()]
        )
        log.info("assigned", starts=starts)

    def _start(self, committed: TopicPartition) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(EVENTS, committed.partition), timeout=_TIMEOUT_S
        )
        emit_from = committed.offset if committed.offset >= 0 else low
        if emit_from > high:
            place = f"{EVENTS}[{committed.partition}]"
            raise EventsMadeAnew(f"{place} ends at {high}, but the group committed {emit_from}")
        if emit_from < low:
            log.error("events_lost", partition=committed.partition, first=emit_from, last=low - 1)
            self._on_lost(low - emit_from)
            emit_from = low
        return max(low, emit_from - self._settings.ingest_duplicate_window), emit_from

    def _revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._on_revoked()
        self._read_to = {}

    def _abandon(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Another worker owns the partitions already: nothing may be committed."""
        self._read_to = {}
        self._on_assigned({})


def _run(partition: int, messages: list[Message]) -> Run:
    return Run(
        partition,
        [message.offset() for message in messages],  # type: ignore[misc]
        [message.timestamp()[1] for message in messages],
        [message.key() for message in messages],
        [message.value() for message in messages],
    )


def _consumer_config(settings: IngestSettings) -> dict[str, str | int | bool]:
    return {
        **kafka_client_config(settings),
        "group.id": settings.ingest_group,
        "group.instance.id": f"{settings.ingest_group}-{settings.instance}",
        "client.id": f"ingest-{settings.instance}",
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        "heartbeat.interval.ms": settings.kafka_session_timeout_ms // 4,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 100,
    }
