"""Folds the batches of one partition into the rows of one view, exactly once in effect.

The rules: only the batch that the checkpoint names is folded next; a row of a batch is skipped when
its source offset is not above the high water of its source partition, or when the stored row has that
batch already; rows are written in small chunks, the checkpoint after them; every write carries the
owner's epoch and its number in it. So whatever is cut off anywhere, folding again from the checkpoint
gives the same bits, however the batches are grouped into runs.
"""

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators.base import is_among
from feature_store.online.base import Checkpoint, Claim, OnlineStore, RowsOf, Run
from feature_store.online.rows import encode_rows
from feature_store.views import ROW_OFFSET, FeatureView
from streams.processors.batch_run import BatchRun, Gap
from streams.processors.entities import Entities, Numbers, distinct
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.high_water import new_rows
from streams.processors.row_cache import RowCache
from streams.processors.start import TopicIdentity

CHUNK_ROWS = 256
"""Rows per write: readers interleave with the writes."""

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


class PartitionFolder:
    """The owner of one (view, partition) during one epoch.

    After any exception it is broken for good: what it has in memory may differ from what is stored.

    Parameters
    ----------
    claim : the ownership that this folder acts under
    start_offset : the batch to fold first (the checkpoint's, or the start of the log)
    entities : the numbers that runs name entities by
    """

    def __init__(
        self,
        view: FeatureView,
        partition: int,
        store: OnlineStore,
        claim: Claim,
        topic: TopicIdentity,
        start_offset: int,
        entities: Entities,
        metrics: FoldMetrics,
    ) -> None:
        self._view = view
        self._partition = partition
        self._store = store
        self._epoch = claim.epoch
        self._sequence = 0
        self._topic = topic
        self._entities = entities
        self._cache = RowCache(view)
        self._high_water = dict(claim.checkpoint.source_high_water) if claim.checkpoint else {}
        self._broken = False
        self._metrics = metrics
        self.next_offset = start_offset

    def fold(self, run: BatchRun) -> None:
        """Fold what is new in ``run``, write the rows, then the checkpoint.

        Raises
        ------
        Gap
            When the run begins after the batch that comes next.
        StaleOwner, RolledBack
            From the store: somebody else owns the partition, or the store lost writes.
        """
        if self._broken:
            raise RuntimeError(f"the folder of {self._view.name}[{self._partition}] has failed before")
        if run.first_offset > self.next_offset:
            place = f"{self._topic.name}[{self._partition}]"
            raise Gap(f"{place}: batch {self.next_offset} comes next, {run.first_offset} came")
        if run.last_offset >= self.next_offset:
            self._broken = True
            self._fold_new(run)
            self._broken = False

    def confirm(self) -> None:
        """Write the checkpoint again: an idle owner, too, must notice that the store went back.

        Raises as :meth:`fold`.
        """
        if self._high_water:
            self._broken = True
            self._write(np.empty(0, np.intp), self._checkpoint(self.next_offset, self._high_water))
            self._broken = False

    def keep(self, entity: Numbers) -> None:
        """Forget the rows of all other entities; see `RowCache.keep`."""
        self._cache.keep(entity)

    def _fold_new(self, run: BatchRun) -> None:
        keep, high_water = new_rows(run, self.next_offset, self._high_water)
        self._count_known(run, keep)
        keep &= self._feeding(run)
        changed = self._fold_rows(run, keep)
        with self._metrics.stage("write"):
            self._write(changed, self._checkpoint(run.last_offset + 1, high_water))
        self._high_water, self.next_offset = high_water, run.last_offset + 1
        self._metrics.wrote(self._view.name, self._partition, len(changed), len(self._cache))
        if len(run.batch):
            self._metrics.reached(self._view.name, self._partition, int(run.batch.event_time_ms.max()))

    def _feeding(self, run: BatchRun) -> Mask:
        """(n,) which rows are of events that the view folds; the others must not even touch a row."""
        names = [is_among(name, self._view.event_names) for name in run.batch.event_names]
        return np.array(names, np.bool_)[run.batch.event_index]

    def _fold_rows(self, run: BatchRun, keep: Mask) -> Numbers:
        """Fold the rows of ``keep`` in memory; the entities that changed."""
        kept = np.flatnonzero(keep)
        with self._metrics.stage("load"):
            index = self._cache.places(run.entity[kept], self._load)
        fresh = run.row_offset[kept] > self._cache.rows[index, ROW_OFFSET]
        self._metrics.skipped(self._view.name, "row_offset", len(kept) - int(fresh.sum()))
        with self._metrics.stage("fold"):
            self._fold_fresh(run, kept[fresh], index[fresh])
        return distinct(run.entity[kept[fresh]])

    def _fold_fresh(self, run: BatchRun, fresh: Places, index: Places) -> None:
        if not len(fresh):
            return
        self._view.fold(self._cache.rows, index, run.batch, _mask(fresh, len(run.batch)))
        self._cache.rows[index, ROW_OFFSET] = run.row_offset[fresh]
        self._metrics.folded(self._view.name, len(fresh))

    def _load(self, entity: Numbers) -> list[bytes | None]:
        wanted = RowsOf(self._view.fingerprint, self._entities.ids(entity), self._partition)
        (rows,) = self._store.read([wanted])
        return rows

    def _write(self, changed: Numbers, checkpoint: Checkpoint) -> None:
        chunks = [
            self._encoded(changed[start : start + CHUNK_ROWS]) for start in range(0, len(changed), CHUNK_ROWS)
        ]
        self._store.put_run(
            Run(
                view=self._view.fingerprint,
                partition=self._partition,
                epoch=self._epoch,
                first_sequence=self._sequence + 1,
                chunks=chunks,
                checkpoint=checkpoint,
                ttl_s=self._view.ttl_s,
            )
        )
        self._sequence += len(chunks) + 1

    def _encoded(self, entity: Numbers) -> list[tuple[str, bytes]]:
        rows = self._cache.rows[self._cache.places(entity, self._load)]
        return list(zip(self._entities.ids(entity), encode_rows(rows), strict=True))

    def _checkpoint(self, next_offset: int, high_water: dict[int, int]) -> Checkpoint:
        return Checkpoint(next_offset, high_water, self._topic.topic_id, self._topic.partitions)

    def _count_known(self, run: BatchRun, keep: Mask) -> None:
        """Count the rows that are not new, by what says so."""
        below = int(np.searchsorted(run.row_offset, self.next_offset))
        self._metrics.skipped(self._view.name, "checkpoint", below)
        self._metrics.skipped(
            self._view.name, "source_high_water", len(keep) - below - int(keep[below:].sum())
        )


def _mask(places: Places, n: int) -> Mask | None:
    """Where ``places`` (ascending) are among ``n``; None: they are all."""
    if len(places) == n:
        return None
    mask = np.zeros(n, np.bool_)
    mask[places] = True
    return mask
