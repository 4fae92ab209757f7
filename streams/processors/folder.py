"""Folds the batches of the partitions that a worker owns into the rows of an entity, exactly once in effect.

The rules: only the batch that the checkpoint names is folded next; a row of a batch is skipped when
its source offset is not above the high water of its source partition, or when the stored row has that
batch already; rows are written in small chunks, the checkpoint after them; every write carries the
owner's epoch and its number in it. So whatever is cut off anywhere, folding again from the checkpoint
gives the same bits, however the batches are grouped into runs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_store.online.base import OnlineStore
from streams.processors.batch_reader import BatchMessage, BatchReader
from streams.processors.batch_run import BatchRun
from streams.processors.entities import Entities
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.ledger import Step
from streams.processors.view_folder import ViewFolder


class PartitionFolder:
    """All views of one entity over its partitions owned here: what their messages do to the rows.

    After any exception it is broken for good: what it has in memory may differ from what is stored.

    Parameters
    ----------
    partitions : those owned
    entities : numbers the ids, for runs and views alike
    views : each has a checkpoint of its own in each partition
    entities_max : more are forgotten between two runs, those that were seen longest ago
    """

    def __init__(
        self,
        partitions: Sequence[int],
        reader: BatchReader,
        entities: Entities,
        views: Sequence[ViewFolder],
        store: OnlineStore,
        metrics: FoldMetrics,
        entities_max: int,
    ) -> None:
        self._partitions = tuple(partitions)
        self._reader = reader
        self._entities = entities
        self._views = tuple(views)
        self._store = store
        self._metrics = metrics
        self._entities_max = entities_max
        self._last_seen = np.empty(0, np.int64)
        self._runs = 0
        self._broken = False

    def next_offsets(self) -> dict[int, int]:
        """Partition -> the first batch that some view still has to fold."""
        return {
            partition: min(view.next_offset(partition) for view in self._views)
            for partition in self._partitions
        }

    def fold(self, messages: Mapping[int, Sequence[BatchMessage]]) -> None:
        """Fold messages of some partitions, each in the order of offsets; leave out those folded before.

        Raises
        ------
        CorruptBatch, Gap
            As `BatchReader.runs` and `ViewFolder.fold`; nothing has been written of the run in question.
        StaleOwner, RolledBack
            From the store: somebody else owns a partition, or the store lost writes.
        """
        self._use()
        starts = self.next_offsets()
        new = {
            partition: [message for message in part if message[0] >= starts[partition]]
            for partition, part in messages.items()
            if partition in starts
        }
        with self._metrics.stage("decode"):
            runs = list(self._reader.runs(new, self._entities))
        for run in runs:
            self._fold_run(run)
        self._forget()
        self._broken = False

    def confirm(self) -> None:
        """Make sure that the store is as it was left; raises as :meth:`fold`."""
        self._use()
        self._write([step for view in self._views for step in view.confirmations()])
        self._broken = False

    def _use(self) -> None:
        """Broken from here on, unless all goes well."""
        if self._broken:
            raise RuntimeError("this folder has failed before")
        self._broken = True

    def _fold_run(self, run: BatchRun) -> None:
        self._write([step for view in self._views for step in view.fold(run)])
        self._metrics.folded(self._reader.topic, run)
        self._see(run)

    def _write(self, steps: Sequence[Step]) -> None:
        with self._metrics.stage("write"):
            self._store.put_runs([step.run for step in steps])
        for step in steps:
            step.done()

    def _see(self, run: BatchRun) -> None:
        missing = len(self._entities) - len(self._last_seen)
        if missing > 0:
            room = np.zeros(max(missing, len(self._last_seen)), np.int64)
            self._last_seen = np.concatenate([self._last_seen, room])
        self._runs += 1
        self._last_seen[run.entity] = self._runs

    def _forget(self) -> None:
        """Once there are too many entities, keep half as many as allowed."""
        n = len(self._entities)
        if n <= self._entities_max:
            return
        kept = np.argsort(-self._last_seen[:n], kind="stable")[: self._entities_max // 2]
        self._last_seen = self._last_seen[kept]
        self._entities.keep(kept)
        for view in self._views:
            view.keep(kept)
