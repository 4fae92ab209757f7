"""Owning the join of a partition: where it goes on, and in which order its decisions are written."""

from collections.abc import Collection

from feature_store.online.base import OnlineStore, RowKey
from feature_store.outbound import Outbound, Sink
from feature_store.schema.exposures import encode_exposures
from feature_store.schema.topics import EXPOSURES, FEEDBACK, RANK_SERVED
from streams.processors.exposure_join import ExposureJoiner
from streams.processors.join_checkpoint import (
    JoinCheckpoint,
    decode_checkpoint,
    encode_checkpoint,
    first_offset,
    floors,
)
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_window import JoinWindow
from streams.processors.log_reader import LogReader
from streams.processors.start import LogBounds, TopicIdentity

VIEW = "exposure_join"
"""What the join's state is stored under in the online store."""

_ROW = "checkpoint"


class JoinPartition:
    """The join of one partition during one epoch, with its place in the store."""

    def __init__(self, partition: int, store: OnlineStore, epoch: int, joiner: ExposureJoiner) -> None:
        self.joiner = joiner
        self._partition = partition
        self._store = store
        self._epoch = epoch
        self._sequence = 0
        self._stored: bytes | None = None

    def write_exposures(self, sink: Sink) -> None:
        """Decide what is due, and hand it to ``sink``."""
        for rows in self.joiner.decide():
            for payload in encode_exposures(rows):
                sink.produce(Outbound(EXPOSURES, payload, partition=self._partition))

    def write_checkpoint(self) -> None:
        """Store how far the decisions go; only after the sink has flushed them.

        Raises
        ------
        StaleOwner, RolledBack
            From the store: somebody else owns the partition, or the store lost writes.
        """
        checkpoint = encode_checkpoint(self.joiner.checkpoint())
        if checkpoint != self._stored:
            self._sequence += 1
            rows = [(_ROW, checkpoint)]
            self._store.put_rows(VIEW, self._partition, self._epoch, self._sequence, rows)
            self._stored = checkpoint


def write_decisions(partitions: Collection[JoinPartition], sink: Sink) -> None:
    """Exposures first, then the flush, then the checkpoints: cut off anywhere, nothing is missing."""
    for partition in partitions:
        partition.write_exposures(sink)
    sink.flush()
    for partition in partitions:
        partition.write_checkpoint()


class JoinTakeover:
    """Makes the `JoinPartition` of an assignment.

    Parameters
    ----------
    held_bytes_max : see `ExposureJoiner`
    accept_loss : see `first_offset`
    """

    def __init__(
        self,
        store: OnlineStore,
        window: JoinWindow,
        metrics: JoinMetrics,
        *,
        held_bytes_max: int,
        accept_loss: bool = False,
    ) -> None:
        self._store = store
        self._window = window
        self._metrics = metrics
        self._held_bytes_max = held_bytes_max
        self._accept_loss = accept_loss

    def take(
        self,
        partition: int,
        feedback: tuple[TopicIdentity, LogBounds],
        served: tuple[TopicIdentity, LogBounds],
    ) -> JoinPartition:
        """Own the join of ``partition`` from now on.

        Raises
        ------
        CannotStart
            As `first_offset`.
        """
        epoch = self._store.claim(VIEW, partition).epoch
        (stored,) = self._store.multi_get([RowKey(partition, VIEW, _ROW)])
        checkpoint = None if stored is None else decode_checkpoint(stored)
        joiner = ExposureJoiner(
            partition,
            self._window,
            self._reader(FEEDBACK, partition, checkpoint, *feedback),
            self._reader(RANK_SERVED, partition, checkpoint, *served),
            checkpoint,
            held_bytes_max=self._held_bytes_max,
            metrics=self._metrics,
        )
        return JoinPartition(partition, self._store, epoch, joiner)

    def _reader(
        self,
        name: str,
        partition: int,
        checkpoint: JoinCheckpoint | None,
        topic: TopicIdentity,
        log: LogBounds,
    ) -> LogReader:
        position = None if checkpoint is None else checkpoint.position(name)
        first = first_offset(position, topic, partition, log, accept_loss=self._accept_loss)
        return LogReader(topic, partition, first, floors(checkpoint, name, log))
