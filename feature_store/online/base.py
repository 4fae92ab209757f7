"""The online store's contract: rows, checkpoints, and the fence that keeps one writer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import inf
from typing import Protocol

import msgspec


class StaleOwner(RuntimeError):  # noqa: N818  (a state of the world, named as in the design)
    """Another epoch owns this partition: this writer must stop."""


class RolledBack(RuntimeError):  # noqa: N818
    """The store is behind what this writer has written: it restarted or failed over and lost writes."""


class RowKey(msgspec.Struct, frozen=True, gc=False):
    """Where a row lives: the partition is the Redis hash tag, the view is its fingerprint."""

    partition: int
    view: str
    entity_id: str


class RowsOf(msgspec.Struct, frozen=True, gc=False):
    """Rows of one view to be read together: ids, and the partition of each (or one for all)."""

    view: str
    entity_ids: Sequence[str]
    partitions: Sequence[int] | int


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a view has folded one batch partition.

    Attributes
    ----------
    next_offset : offset of the batch to fold next
    source_high_water : source partition of `events` -> last offset folded
    topic_id : Kafka's id of the batch topic that the offsets belong to
    partitions : partition count of the batch topic
    """

    next_offset: int
    source_high_water: dict[int, int]
    topic_id: str
    partitions: int


class Claim(msgspec.Struct, frozen=True):
    """What a new owner gets: its epoch (unique, compared only for equality) and where to go on from."""

    epoch: int
    checkpoint: Checkpoint | None


class Run(msgspec.Struct, frozen=True):
    """What one owner writes at once: chunks numbered from ``first_sequence``, then the checkpoint.

    Attributes
    ----------
    chunks : each at most 256 of (entity id, row bytes)
    ttl_s : seconds until an untouched row expires; None: never
    """

    view: str
    partition: int
    epoch: int
    first_sequence: int
    chunks: Sequence[Sequence[tuple[str, bytes]]]
    checkpoint: Checkpoint
    ttl_s: int | None = None


RowsFound = list[list[bytes | None]]
"""The rows of several views as they are stored, None where there is no row."""
Ask = Callable[[Sequence[RowsOf]], Callable[[], RowsFound]]
"""Asks for rows; what it returns waits for them. Answers are waited for in the order of the questions."""


TimeLeft = Callable[[], float]
"""Milliseconds that the caller can still wait, for all answers together; none at 0 or less."""


def unhurried() -> float:
    """The time left of a caller without a deadline."""
    return inf


def require_time(left_ms: TimeLeft) -> float:
    """What is left, milliseconds; raises TimeoutError where that is nothing."""
    left = left_ms()
    if left <= 0:
        raise TimeoutError("no time left to read rows")
    return left


class RowReader(Protocol):
    """The part of an `OnlineStore` that requests need."""

    def asking(self, left_ms: TimeLeft = unhurried) -> AbstractContextManager[Ask]:
        """Ask several times before the first answer is needed: the store works while the caller does.

        Raises
        ------
        TimeoutError
            The store did not answer in time, or no time was left to ask it.
        """


@contextmanager
def asking_at_once(
    read: Callable[[Sequence[RowsOf]], RowsFound], left_ms: TimeLeft = unhurried
) -> Iterator[Ask]:
    """For stores that answer each question before the next is asked."""

    def ask(wanted: Sequence[RowsOf]) -> Callable[[], RowsFound]:
        require_time(left_ms)
        found = read(wanted)
        return lambda: found

    yield ask


class OnlineStore(Protocol):
    """Rows of state, written by one owner per (view, partition), read by anyone.

    The owner numbers its writes 1, 2, 3 … within its epoch. Each write compares the stored
    (epoch, sequence) with its predecessor's in the same atomic step: equal to its own means that it
    was applied before (a safe retry).
    """

    def multi_get(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        """The rows' bytes in the order of ``keys``; None where there is no row."""

    def read(self, wanted: Sequence[RowsOf]) -> RowsFound:
        """The rows of several views in one round trip; raises as `RowReader.asking`."""

    def claim(self, view: str, partition: int) -> Claim:
        """Become the owner: a fresh epoch, sequence 0; every earlier owner is stale from now on."""

    def put_rows(
        self,
        view: str,
        partition: int,
        epoch: int,
        sequence: int,
        rows: Sequence[tuple[str, bytes]],
        ttl_s: int | None = None,
    ) -> None:
        """Write one chunk of (entity id, row bytes), at most 256, atomically.

        Raises
        ------
        StaleOwner
            Another epoch owns the partition; nothing was written.
        RolledBack
            The stored sequence is not this one's predecessor; nothing was written.
        """

    def put_checkpoint(
        self, view: str, partition: int, epoch: int, sequence: int, checkpoint: Checkpoint
    ) -> None:
        """Write the checkpoint, after the rows that it covers. Raises as :meth:`put_rows`."""

    def put_runs(self, runs: "Sequence[Run]") -> None:
        """Write each run's chunks in order, then its checkpoint; all in one round trip where possible.

        Each chunk and the checkpoint is fenced by itself: where one fails, none after it is applied.
        Raises as :meth:`put_rows`.
        """

    def load_checkpoints(self, view: str, partitions: Sequence[int]) -> list[Checkpoint | None]:
        """The checkpoints as any reader sees them (lag, barriers); None where there is none."""
