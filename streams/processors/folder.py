"""Folds the batches of one partition into the rows of one view, exactly once in effect.

The rules: only the batch that the checkpoint names is folded next; a row of a batch is skipped when
its source offset is not above the high water of its source partition, or when the stored row has that
batch already; rows are written in small chunks, the checkpoint after them; every write carries the
owner's epoch and its number in it. So whatever is cut off anywhere, folding again from the checkpoint
gives the same bits, however the batches are grouped into runs.
"""

from collections.abc import Sequence

import numpy as np
from feature_store.views import FeatureView
from numpy.typing import NDArray

from feature_store.online.base import Checkpoint, Claim, OnlineStore, RowKey
from streams.processors.batch_run import BatchRun, Gap
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.high_water import new_rows
from streams.processors.row_cache import ROW_OFFSET, RowCache
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
    cache_rows_max : rows kept in memory between runs
    """

    def __init__(
        self,
        view: FeatureView,
        partition: int,
        store: OnlineStore,
        claim: Claim,
        topic: TopicIdentity,
        start_offset: int,
        *,
        cache_rows_max: int,
        metrics: FoldMetrics,
    ) -> None:
        self._view = view
        self._partition = partition
        self._store = store
        self._epoch = claim.epoch
        self._sequence = 0
        self._topic = topic
        self._cache = RowCache(view, cache_rows_max)
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

    def _fold_new(self, run: BatchRun) -> None:
        keep, high_water = new_rows(run, self.next_offset, self._high_water)
        self._count_known(run, keep)
        ids, places = self._fold_rows(run, keep)
        with self._metrics.stage("write"):
            self._write(ids, places, self._checkpoint(run.last_offset + 1, high_water))
        self._high_water, self.next_offset = high_water, run.last_offset + 1
        self._cache.trim()
        self._metrics.wrote(self._view.name, self._partition, len(ids), len(self._cache))
        if len(run.batch):
            self._metrics.reached(self._view.name, self._partition, int(run.batch.event_time_ms.max()))

    def _fold_rows(self, run: BatchRun, keep: Mask) -> tuple[list[str], Places]:
        """Fold the rows of ``keep`` in memory; the entities that changed and their places."""
        batch = run.batch
        entities = _unique(batch.entity_index, keep, len(batch.entity_ids))
        place = np.zeros(len(batch.entity_ids), np.intp)
        with self._metrics.stage("load"):
            place[entities] = self._cache.places([batch.entity_ids[n] for n in entities], self._load)
        index = place[batch.entity_index]
        rows = self._cache.rows
        fresh = keep & (run.row_offset > rows[index, ROW_OFFSET])
        self._metrics.skipped(self._view.name, "row_offset", int(keep.sum() - fresh.sum()))
        with self._metrics.stage("fold"):
            self._fold_fresh(run, index, fresh)
        changed = _unique(batch.entity_index, fresh, len(batch.entity_ids))
        return [batch.entity_ids[n] for n in changed], place[changed]

    def _fold_fresh(self, run: BatchRun, index: Places, fresh: Mask) -> None:
        kept = index[fresh]
        if not len(kept):
            return
        self._view.fold(self._cache.rows, kept, run.batch, None if len(kept) == len(fresh) else fresh)
        self._cache.rows[kept, ROW_OFFSET] = run.row_offset[fresh]
        self._metrics.folded(self._view.name, len(kept))

    def _load(self, ids: Sequence[str]) -> list[bytes | None]:
        fingerprint = self._view.fingerprint
        return self._store.multi_get([RowKey(self._partition, fingerprint, entity_id) for entity_id in ids])

    def _write(self, ids: Sequence[str], places: Places, checkpoint: Checkpoint) -> None:
        view, partition, epoch = self._view.fingerprint, self._partition, self._epoch
        for start in range(0, len(ids), CHUNK_ROWS):
            chunk = slice(start, start + CHUNK_ROWS)
            rows = list(zip(ids[chunk], _encoded(self._cache.rows[places[chunk]]), strict=True))
            self._store.put_rows(view, partition, epoch, self._next_sequence(), rows, self._view.ttl_s)
        self._store.put_checkpoint(view, partition, epoch, self._next_sequence(), checkpoint)

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _checkpoint(self, next_offset: int, high_water: dict[int, int]) -> Checkpoint:
        return Checkpoint(next_offset, high_water, self._topic.topic_id, self._topic.partitions)

    def _count_known(self, run: BatchRun, keep: Mask) -> None:
        """Count the rows that are not new, by what says so."""
        below = int(np.searchsorted(run.row_offset, self.next_offset))
        self._metrics.skipped(self._view.name, "checkpoint", below)
        self._metrics.skipped(
            self._view.name, "source_high_water", len(keep) - below - int(keep[below:].sum())
        )


def _unique(index: NDArray[np.int32], mask: Mask, n: int) -> Places:
    """The values of ``index`` (below ``n``) under ``mask``, ascending, each once."""
    seen = np.zeros(n, np.bool_)
    seen[index[mask]] = True
    return np.flatnonzero(seen)


def _encoded(rows: NDArray[np.float64]) -> list[bytes]:
    payload, width = rows.astype("<f8", copy=False).tobytes(), rows.shape[1] * 8
    return [payload[start : start + width] for start in range(0, len(payload), width)]
