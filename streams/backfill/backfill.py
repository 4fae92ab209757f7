"""Folds the retained log of one topic into views that nobody reads yet, by the code that folds the live ones.

Rows, checkpoints and the fence are those of the feature workers. So a back-fill that was cut off goes on from
its checkpoints, and a worker that takes the views over goes on from there too: no batch is left out, none
counts twice. Once a worker has done so, the next write here is refused by the fence.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from feature_store.topic_log import Bounds
from streams.processors.batch_reader import BatchMessage
from streams.processors.folder import PartitionFolder

MESSAGES_AT_ONCE = 256
"""Messages folded together: enough for long runs, few enough to hold."""

Progress = Callable[[Mapping[int, int]], None]
"""Called with the batch that comes next in each partition."""


class BatchLog(Protocol):
    """The retained batches of a topic."""

    def ends(self) -> Mapping[int, int]:
        """Partition -> the offset after its last batch, now."""

    def read(self, bounds: Bounds) -> Iterator[tuple[int, BatchMessage]]:
        """Each batch within ``bounds`` with its partition, each partition in order."""


def backfill(folder: PartitionFolder, log: BatchLog, progress: Progress, *, behind_max: int) -> None:
    """Fold up to the end of the log, again and again, until that is at most ``behind_max`` batches ahead.

    Raises
    ------
    StaleOwner, RolledBack, CorruptBatch, Gap
        As `PartitionFolder.fold`: what is written so far is right, and can be gone on from.
    """
    while True:
        ends = log.ends()
        bounds = {at: (start, max(start, ends[at])) for at, start in folder.next_offsets().items()}
        for messages in _together(log.read(bounds)):
            folder.fold(messages)
            progress(folder.next_offsets())
        if _behind(folder, log) <= behind_max:
            return


def _behind(folder: PartitionFolder, log: BatchLog) -> int:
    ends = log.ends()
    return sum(max(0, ends[at] - start) for at, start in folder.next_offsets().items())


def _together(read: Iterator[tuple[int, BatchMessage]]) -> Iterator[dict[int, list[BatchMessage]]]:
    while some := list(islice(read, MESSAGES_AT_ONCE)):
        messages: dict[int, list[BatchMessage]] = {}
        for partition, message in some:
            messages.setdefault(partition, []).append(message)
        yield messages
