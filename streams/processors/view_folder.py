"""Folds runs into the rows of one view, in memory, and says what has to be written."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators.base import is_among
from feature_store.online.base import OnlineStore, RowsOf
from feature_store.online.rows import encode_rows
from feature_store.views import ROW_OFFSET, FeatureView
from streams.processors.batch_run import BatchRun
from streams.processors.entities import Entities, Numbers, distinct
from streams.processors.fold_metrics import ViewMetrics
from streams.processors.ledger import Chunk, Ledger, Step
from streams.processors.row_cache import RowCache

CHUNK_ROWS = 256
"""Rows per fenced write: readers interleave with the writes."""

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


class ViewFolder:
    """One view of an entity, over the partitions that this worker owns.

    Parameters
    ----------
    ledgers : partition -> where the view is in it
    entities : the numbers that runs name entities by
    """

    def __init__(
        self,
        view: FeatureView,
        ledgers: Mapping[int, Ledger],
        store: OnlineStore,
        entities: Entities,
        metrics: ViewMetrics,
    ) -> None:
        self._view = view
        self._ledgers = ledgers
        self._store = store
        self._entities = entities
        self._metrics = metrics
        self._cache = RowCache(view)

    def next_offset(self, partition: int) -> int:
        """The batch of a partition to fold next."""
        return self._ledgers[partition].next_offset

    def fold(self, run: BatchRun) -> list[Step]:
        """Fold what is new in ``run``; the writes to make, one for each partition that moves on.

        Raises
        ------
        Gap
            As `Ledger.new_rows`.
        """
        new = [self._ledgers[section.partition].new_rows(run, section) for section in run.sections]
        rows = self._fold_rows(run, np.concatenate([keep for keep, _ in new]))
        return [
            self._ledgers[section.partition].step(
                self._chunks(run.entity[_within(rows, section.rows)]), section.last_offset + 1, high_water
            )
            for section, (_, high_water) in zip(run.sections, new, strict=True)
            if section.last_offset >= self.next_offset(section.partition)
        ]

    def confirmations(self) -> list[Step]:
        """Writes that change nothing, and fail where the store is not as this owner left it."""
        return [step for ledger in self._ledgers.values() if (step := ledger.confirmation())]

    def keep(self, entity: Numbers) -> None:
        """Forget the rows of all other entities; see `RowCache.keep`."""
        self._cache.keep(entity)

    def _fold_rows(self, run: BatchRun, keep: Mask) -> Places:
        """Fold the rows of ``keep`` into the cache; which of them the stored rows did not have yet."""
        kept = np.flatnonzero(keep & self._feeding(run))
        with self._metrics.loading():
            index = self._cache.places(
                run.entity[kept], lambda entity, at: self._load(entity, run.partition[kept[at]])
            )
        fresh = run.row_offset[kept] > self._cache.rows[index, ROW_OFFSET]
        self._metrics.skipped(known=len(keep) - int(keep.sum()), in_row=len(fresh) - int(fresh.sum()))
        rows: Places = kept[fresh]
        index = index[fresh]
        with self._metrics.folding(len(rows)):
            if len(rows):
                self._view.fold(self._cache.rows, index, run.batch, _mask(rows, len(run.batch)))
                self._cache.rows[index, ROW_OFFSET] = run.row_offset[rows]
        return rows

    def _feeding(self, run: BatchRun) -> Mask:
        """(n,) which rows are of events that the view folds; the others must not even touch a row."""
        names = [is_among(name, self._view.event_names) for name in run.batch.event_names]
        return np.array(names, np.bool_)[run.batch.event_index]

    def _load(self, entity: Numbers, partition: NDArray[np.int64]) -> list[bytes | None]:
        wanted = RowsOf(self._view.fingerprint, self._entities.ids(entity), partition.tolist())
        (rows,) = self._store.read([wanted])
        return rows

    def _chunks(self, entity: Numbers) -> list[Chunk]:
        """The rows of each of ``entity`` once."""
        changed = distinct(entity)
        self._metrics.writing(len(changed), len(self._cache))
        return [self._chunk(part) for part in _cut(changed)]

    def _chunk(self, entity: Numbers) -> Chunk:
        return list(zip(self._entities.ids(entity), encode_rows(self._cache.rows_of(entity)), strict=True))


def _within(rows: Places, part: slice) -> Places:
    """Those of ``rows`` (ascending) that lie in ``part``."""
    start, stop = np.searchsorted(rows, (part.start, part.stop))
    return rows[start:stop]


def _cut(entity: Numbers) -> Iterator[Numbers]:
    return (entity[start : start + CHUNK_ROWS] for start in range(0, len(entity), CHUNK_ROWS))


def _mask(places: Places, n: int) -> Mask | None:
    """Where ``places`` (ascending) are among ``n``; None: they are all."""
    if len(places) == n:
        return None
    mask = np.zeros(n, np.bool_)
    mask[places] = True
    return mask
