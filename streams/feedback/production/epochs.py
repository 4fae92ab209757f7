"""Closes epochs when their time has come, writes what was found, then how far it went."""

from collections.abc import Callable, Mapping

from feature_store.outbound import Outbound, Sink
from feature_store.schema.findings import Record, encode_record
from feature_store.schema.panel import late_after_ms
from feature_store.schema.topics import EXPOSURES, FINDINGS, FINDINGS_AGAIN_MS, SCORE_PANEL
from streams.feedback.base import State
from streams.feedback.production.checkpoint import (
    ANEW,
    LoopCheckpoint,
    LoopStore,
    Position,
    first_offsets,
)
from streams.feedback.production.dated_log import Judged
from streams.feedback.production.log_cut import LogCut, Place
from streams.feedback.production.watches import Watches
from streams.processors.start import CannotStart, LogBounds, TopicIdentity

TOPICS = (EXPOSURES, SCORE_PANEL, FINDINGS)
_AT_ONCE = 100
"""Epochs closed before the state is written, when there are many."""


class LoopEpochs:
    """The detectors from one takeover to the next.

    Epoch e is closed ``grace_ms`` after its end by log time, with the exposures stamped since the epoch
    before was closed and the panel stamped within half an epoch of its beginning.

    Parameters
    ----------
    watches : as the store left them
    topics : what the offsets belong to
    cut : from where the logs are read
    next_epoch : to be closed; None: the one that the logs begin with
    """

    def __init__(
        self,
        store: LoopStore,
        watches: Watches,
        topics: Mapping[str, TopicIdentity],
        cut: LogCut,
        next_epoch: int | None,
        *,
        epoch_ms: int,
        grace_ms: int,
    ) -> None:
        self.cut = cut
        self._store = store
        self._watches = watches
        self._topics = dict(topics)
        self._next_epoch = next_epoch
        self._epoch_ms = epoch_ms
        self._grace_ms = grace_ms

    def close_due(self, sink: Sink) -> int:
        """Close the epochs that are complete; how many.

        Findings first, then the flush, then the state: cut off anywhere, nothing is missing, and what is
        written twice is the same.
        """
        closed = 0
        while closed < _AT_ONCE and self._close_next(sink):
            closed += 1
        if closed:
            sink.flush()
            next_epoch, positions = self._next_epoch or 0, self._positions()
            self._store.write(next_epoch, self._epoch_ms, positions, *self._watches.state())
        return closed

    def _close_next(self, sink: Sink) -> bool:
        epoch = self._first_epoch() if self._next_epoch is None else self._next_epoch
        if epoch is None:
            return False
        cut_ms = (epoch + 1) * self._epoch_ms + self._grace_ms
        if not self.cut.complete(cut_ms):
            return False
        records: list[Record] = [*self._watches.fold(epoch, self.cut.before(cut_ms), cut_ms)]
        if (cut_ms - self._epoch_ms) // FINDINGS_AGAIN_MS < cut_ms // FINDINGS_AGAIN_MS:
            records += self._watches.still_open()
        for record in records:
            sink.produce(Outbound(FINDINGS, encode_record(record), record.subject.encode()))
        self._next_epoch = epoch + 1
        return True

    def _first_epoch(self) -> int | None:
        """That of the earliest message, as far as is known: an older one may yet come from another log."""
        first_ms = self.cut.first_ms()
        return None if first_ms is None else (first_ms - self._grace_ms) // self._epoch_ms

    def _positions(self) -> list[Position]:
        judged = self.cut.judged()
        return [
            self._position(*place, offset, judged[place]) for place, offset in self.cut.next_offsets().items()
        ]

    def _position(self, topic: str, partition: int, next_offset: int, judged: Judged) -> Position:
        identity = self._topics[topic]
        return Position(topic, partition, identity.topic_id, identity.partitions, next_offset, judged)


def take_over(
    store: LoopStore,
    make_watches: Callable[[], Watches],
    topics: Mapping[str, TopicIdentity],
    logs: Mapping[Place, LogBounds],
    *,
    epoch_ms: int,
    grace_ms: int,
    start_anew: bool,
) -> LoopEpochs:
    """Own the detectors from now on.

    Parameters
    ----------
    start_anew : leave what is stored alone, and begin where the logs do

    Raises
    ------
    CannotStart
        What is stored cannot be continued.
    """
    stored, watches = store.take_over(start_anew=start_anew), make_watches()
    if stored is None:
        offsets, next_epoch, judged = first_offsets(None, topics, logs), None, {}
    else:
        checkpoint, arrays = stored
        _same_epochs(checkpoint, epoch_ms)
        offsets, next_epoch = first_offsets(checkpoint, topics, logs), checkpoint.next_epoch
        judged = {(each.topic, each.partition): each.judged for each in checkpoint.positions}
        _restore(watches, checkpoint.header, arrays)
    delays = {EXPOSURES: 0, FINDINGS: 0, SCORE_PANEL: grace_ms + epoch_ms - late_after_ms(epoch_ms)}
    cut = LogCut(offsets, delays, judged)
    return LoopEpochs(store, watches, topics, cut, next_epoch, epoch_ms=epoch_ms, grace_ms=grace_ms)


def _same_epochs(checkpoint: LoopCheckpoint, epoch_ms: int) -> None:
    if checkpoint.epoch_ms != epoch_ms:
        raise CannotStart(
            f"EDDYLINE_NUDGE_EPOCH_S: {checkpoint.epoch_ms / 1000:g} when the detectors began, now "
            f"{epoch_ms / 1000:g}: epochs of another length are other epochs; {ANEW}"
        )


def _restore(watches: Watches, header: bytes, arrays: State) -> None:
    try:
        watches.restore(header, arrays)
    except ValueError as error:
        raise CannotStart(f"what the detectors left cannot be continued: {error}; {ANEW}") from error
