"""The detectors' state in the online store: written beside the last one, then pointed to, behind a fence."""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
import numpy as np

from feature_store.online.base import OnlineStore, RowKey
from streams.feedback.base import State
from streams.feedback.production.dated_log import Judged
from streams.feedback.production.log_cut import Place
from streams.processors.start import CannotStart, LogBounds, TopicIdentity

VIEW = "loop_detectors"
"""What the state is stored under."""

ANEW = "to begin anew, start them once with EDDYLINE_DETECT_START_ANEW=true"
"""What to do where what is stored cannot be continued."""

_PARTITION = 0
_POINTER = "checkpoint"
_CHUNK_BYTES = 1 << 20
_SIDES = ("a", "b")


class Position(msgspec.Struct, frozen=True):
    """How far one log was taken in.

    Attributes
    ----------
    topic_id, partitions : what the offset belongs to
    judged : of its stamps
    """

    topic: str
    partition: int
    topic_id: str
    partitions: int
    next_offset: int
    judged: Judged = Judged()


class LoopCheckpoint(msgspec.Struct, frozen=True):
    """Where the detectors go on.

    Attributes
    ----------
    next_epoch : not closed yet
    epoch_ms : length of an epoch, without which their numbers mean nothing
    side, chunks : where the arrays are
    header : see `Watches.state`
    """

    next_epoch: int
    epoch_ms: int
    positions: tuple[Position, ...]
    side: str
    chunks: int
    header: bytes


class LoopStore:
    """Owns the state from :meth:`take_over` on.

    Whatever is cut off between two writes, the pointer names a whole state.
    """

    def __init__(self, store: OnlineStore) -> None:
        self._store = store
        self._epoch = 0
        self._sequence = 0
        self._side = _SIDES[0]

    def take_over(self, *, start_anew: bool = False) -> tuple[LoopCheckpoint, State] | None:
        """Become the owner; what the last one left, unless it is to be left alone. Raises as `peek`."""
        self._epoch, self._sequence = self._store.claim(VIEW, _PARTITION).epoch, 0
        found = None if start_anew else self.peek()
        if found is not None:
            self._side = found[0].side
        return found

    def peek(self) -> tuple[LoopCheckpoint, State] | None:
        """What the owner left, without becoming it.

        Raises
        ------
        CannotStart
            It cannot be read.
        """
        (stored,) = self._store.multi_get([_key(_POINTER)])
        if stored is None:
            return None
        with _readable():
            checkpoint = msgspec.json.decode(stored, type=LoopCheckpoint)
        names = _chunk_names(checkpoint.side, checkpoint.chunks)
        parts = self._store.multi_get([_key(name) for name in names])
        with _readable():
            return checkpoint, _unpacked(b"".join(part or b"" for part in parts))

    def write(
        self, next_epoch: int, epoch_ms: int, positions: Iterable[Position], header: bytes, arrays: State
    ) -> None:
        """Store the state after everything before ``positions``.

        Raises
        ------
        StaleOwner, RolledBack
            Somebody else owns the state, or the store lost writes.
        """
        side = _SIDES[1] if self._side == _SIDES[0] else _SIDES[0]
        packed = _packed(arrays)
        chunks = [packed[start : start + _CHUNK_BYTES] for start in range(0, len(packed), _CHUNK_BYTES)]
        for name, chunk in zip(_chunk_names(side, len(chunks)), chunks, strict=True):
            self._put(name, chunk)
        checkpoint = LoopCheckpoint(next_epoch, epoch_ms, tuple(positions), side, len(chunks), header)
        self._put(_POINTER, msgspec.json.encode(checkpoint))
        self._side = side

    def _put(self, name: str, payload: bytes) -> None:
        self._sequence += 1
        self._store.put_rows(VIEW, _PARTITION, self._epoch, self._sequence, [(name, payload)])


def first_offsets(
    checkpoint: LoopCheckpoint | None,
    topics: Mapping[str, TopicIdentity],
    logs: Mapping[Place, LogBounds],
) -> dict[Place, int]:
    """Offset of the message to read first of each log.

    Raises
    ------
    CannotStart
        When the checkpoint is of another topic, or the log no longer holds (or does not yet hold) what
        comes next.
    """
    known = {(each.topic, each.partition): each for each in (checkpoint.positions if checkpoint else ())}
    return {
        place: _first(known[place], topics[place[0]], log) if place in known else log.start
        for place, log in logs.items()
    }


def _first(position: Position, topic: TopicIdentity, log: LogBounds) -> int:
    fits = (position.topic_id, position.partitions) == (topic.topic_id, topic.partitions)
    if fits and log.start <= position.next_offset <= log.end:
        return position.next_offset
    raise CannotStart(
        f"{topic.name}[{position.partition}]: the detectors go on at offset {position.next_offset} of topic "
        f"id {position.topic_id}, the broker has {log.start} to {log.end} of {topic.topic_id}: the evidence "
        f"cannot be continued; {ANEW}"
    )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # bytes can be wrong in any way
        raise CannotStart(f"what the detectors left cannot be read: {error}; {ANEW}") from error


def _key(name: str) -> RowKey:
    return RowKey(_PARTITION, VIEW, name)


def _chunk_names(side: str, chunks: int) -> list[str]:
    return [f"{side}/{number}" for number in range(chunks)]


def _packed(arrays: State) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{f"{n}": value for n, value in enumerate(arrays.values())})
    names = msgspec.json.encode(list(arrays))
    return len(names).to_bytes(4, "big") + names + buffer.getvalue()


def _unpacked(packed: bytes) -> State:
    end = 4 + int.from_bytes(packed[:4], "big")
    names = msgspec.json.decode(packed[4:end], type=list[str])
    with np.load(io.BytesIO(packed[end:]), allow_pickle=False) as stored:
        return {name: stored[str(n)] for n, name in enumerate(names)}
