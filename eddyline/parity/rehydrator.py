"""Reads features again by the ranker's own code, from rows that were folded again."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from eddyline.parity.cases import ServedCase
from eddyline.parity.refold import RowVersion
from feature_store.catalog import Catalog
from feature_store.clock import SystemClock
from feature_store.fetcher import RowFetcher
from feature_store.online.base import Ask, RowsFound, RowsOf, TimeLeft, asking_at_once, unhurried
from feature_store.views import FeatureService
from ranker.hydrators.rows import RowHydrator
from ranker.pipeline.batch import Bool, CandidateBatch, Float32, Int64
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.features import Features
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.query import Query

NO_ROW = -1


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """The rows of one view that a request read.

    Attributes
    ----------
    versions : per row; ``row_offset`` −1 where there was none
    index : (n, w) the rows of each candidate, ``len(versions)``: none
    """

    view: str
    versions: list[RowVersion]
    index: Int64

    def holds_for(self, which: Sequence[bool]) -> Bool:
        """(n,) whether something true of each of ``versions`` is true of all rows of a candidate."""
        true_of_each: Bool = np.array([*which, True], np.bool_)
        holds: Bool = np.asarray(true_of_each[self.index].all(axis=1))
        return holds


class _Rows:
    """What a request reads; remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[RowsOf] = []
        self.rows: dict[tuple[str, str], bytes] = {}

    def asking(self, left_ms: TimeLeft = unhurried) -> AbstractContextManager[Ask]:
        return asking_at_once(self._read, left_ms)

    def _read(self, wanted: Sequence[RowsOf]) -> RowsFound:
        self.asked += wanted
        return [[self.rows.get((one.view, entity_id)) for entity_id in one.entity_ids] for one in wanted]


class Rehydrator:
    """Finds out which rows a request needed, and what their features are.

    Parameters
    ----------
    items : what is known of the items now: creators never change, other attributes may have
    """

    def __init__(
        self, catalog: Catalog, service: FeatureService, items: ItemColumns, partitions: int
    ) -> None:
        self._catalog = catalog
        self._items = items
        self._rows = _Rows()
        self._hydrator = RowHydrator(catalog, service, items, RowFetcher(self._rows), partitions)
        self._clock = SystemClock()

    def needs(self, case: ServedCase) -> list[RowsNeeded]:
        """The rows of each view that the model reads."""
        self._rows.rows, self._rows.asked = {}, []
        read = self._hydrate(case).rows_read
        asked = {one.view: one for one in self._rows.asked}
        marked = dict(zip(case.marks.names, case.marks.row_offset, strict=True))
        needed = []
        for rows in read:
            ids = asked[self._catalog.view(rows.view).fingerprint].entity_ids
            offsets = np.full(len(ids) + 1, NO_ROW, np.int64)
            index = rows.entities(none=len(ids))
            for name, places in zip(rows.names, index.T, strict=True):
                if name in marked:
                    offsets[places] = marked[name]
            versions = [
                RowVersion(rows.view, partition, entity_id, offset)
                for partition, entity_id, offset in zip(
                    np.broadcast_to(rows.partition, len(ids)).tolist(),
                    ids,
                    offsets[:-1].tolist(),
                    strict=True,
                )
            ]
            needed.append(RowsNeeded(rows.view, versions, index))
        return needed

    def features(
        self, case: ServedCase, needed: Sequence[RowsNeeded], found: Mapping[RowVersion, bytes]
    ) -> tuple[Float32, Int64]:
        """(n, u + k) features and (n, m) ids as the model would have read them."""
        self._rows.rows = {
            (self._catalog.view(rows.view).fingerprint, version.entity_id): found[version]
            for rows in needed
            for version in rows.versions
            if version in found
        }
        features = self._hydrate(case)
        user = np.broadcast_to(features.user, (len(case.item_ids), features.user.shape[1]))
        return np.concatenate((user, features.candidates), axis=1), features.ids

    def _hydrate(self, case: ServedCase) -> Features:
        return self._hydrator.hydrate(self._query(case), self._batch(case))

    def _batch(self, case: ServedCase) -> CandidateBatch:
        rows = self._items.rows_of(case.item_ids)
        return self._items.batch(case.item_ids, rows, np.zeros(len(rows), np.int32), ("log",))

    def _query(self, case: ServedCase) -> Query:
        return Query(
            request_id=case.request_id,
            user_id=case.user_id,
            surface="",
            candidates=None,
            limit=len(case.item_ids),
            finalize_time_ms=case.finalize_time_ms,
            sampled=False,
            deadline=Deadline(self._clock, 1e9),
        )
