"""All views of one batch partition, folded side by side from the same runs."""

from collections.abc import Sequence

import numpy as np

from streams.processors.batch_reader import BatchMessage, BatchReader
from streams.processors.batch_run import BatchRun, Gap
from streams.processors.entities import Entities
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder


class BatchPartition:
    """What a worker does with the messages of one partition of `batches.<entity>`.

    Parameters
    ----------
    entities : numbers the ids of this partition, for the reader and all folders
    folders : one per view of the entity; each has a checkpoint of its own
    entities_max : more are forgotten between two folds, those that were seen longest ago
    """

    def __init__(
        self,
        reader: BatchReader,
        entities: Entities,
        folders: Sequence[PartitionFolder],
        metrics: FoldMetrics,
        entities_max: int,
    ) -> None:
        self._reader = reader
        self._entities = entities
        self._entities_max = entities_max
        self._last_seen = np.empty(0, np.int64)
        self._folders = tuple(folders)
        self._metrics = metrics

    @property
    def next_offset(self) -> int:
        """The first batch that some view still has to fold."""
        return min(folder.next_offset for folder in self._folders)

    def confirm(self) -> None:
        """Make sure that the store still has what was written; raises as `PartitionFolder.fold`."""
        for folder in self._folders:
            folder.confirm()

    def fold(self, messages: Sequence[BatchMessage]) -> None:
        """Fold messages in the order of their offsets; those that all views have already are left out.

        Raises
        ------
        CorruptBatch, Gap
            As `BatchReader.runs`; nothing from the message in question on has been folded.
        StaleOwner, RolledBack
            As `PartitionFolder.fold`.
        """
        start = self.next_offset
        new = [message for message in messages if message[0] >= start]
        if new and new[0][0] > start:
            raise Gap(f"{self._reader.topic}[{self._reader.partition}]: {start} comes next, {new[0][0]} came")
        self._metrics.took(self._reader.topic, len(new))
        runs = self._reader.runs(new)
        while True:
            with self._metrics.stage("decode"):
                run = next(runs, None)
            if run is None:
                return
            for folder in self._folders:
                folder.fold(run)
            self._forget(run)

    def _forget(self, run: BatchRun) -> None:
        """Once there are too many entities, keep half as many as allowed."""
        n = len(self._entities)
        if n > len(self._last_seen):
            room = np.zeros(max(n, 2 * len(self._last_seen)) - len(self._last_seen), np.int64)
            self._last_seen = np.concatenate([self._last_seen, room])
        self._last_seen[run.entity] = run.row_offset
        if n > self._entities_max:
            kept = np.argsort(-self._last_seen[:n], kind="stable")[: self._entities_max // 2]
            self._last_seen = self._last_seen[kept]
            self._entities.keep(kept)
            for folder in self._folders:
                folder.keep(kept)
