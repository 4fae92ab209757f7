"""Compares what was served with what the log gives, bit for bit, and says where they differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eddyline.parity.cases import ServedCase
from eddyline.parity.refold import Chosen, LogRefold, RowVersion
from eddyline.parity.rehydrator import NO_ROW, Rehydrator, RowsNeeded
from feature_store.catalog import Catalog
from feature_store.views import FeatureService, column_ref
from ranker.pipeline.batch import Bool, Float32, Float64, Int64


@dataclass(frozen=True, slots=True)
class Difference:
    """A feature that was served with another value than the log gives.

    Attributes
    ----------
    rows : the row versions that it was read from, ``topic[partition]@offset id``
    """

    request_id: str
    item_id: str
    feature: str
    served: float
    refolded: float
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unverified:
    """A row version that the log does not have."""

    row: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one request.

    Attributes
    ----------
    equal, different, unverified : its rows, a row being the features of one candidate: all equal, some
        different, or none different and some without their row version
    """

    equal: int
    different: int
    unverified: int
    differences: tuple[Difference, ...]
    missing: tuple[Unverified, ...]


class Judge:
    """Judges the features that come from rows; item attributes are in no batch log and are left out.

    Parameters
    ----------
    refold : has the versions that a case needs, where they exist
    chosen : which entities are judged; features of others are left out
    """

    def __init__(
        self,
        catalog: Catalog,
        service: FeatureService,
        rehydrator: Rehydrator,
        refold: LogRefold,
        chosen: Chosen,
    ) -> None:
        self._catalog = catalog
        dense = (*service.user, *service.candidate)
        self._references = (*dense, *(name for name, _ in service.recent_places))
        sources = (*dense, *(source for _, source in service.recent_places))
        self._views = [column_ref(source)[0] for source in sources]
        self._recents = len(service.recent_places)
        self._rehydrator = rehydrator
        self._refold = refold
        self._chosen = chosen

    def judge(self, case: ServedCase, needed: Sequence[RowsNeeded]) -> Verdict:
        """Compare one request."""
        served = self._read(case.features, case.ids)
        again = self._read(*self._rehydrator.features(case, needed, self._refold.found))
        judged, known = self._masks(len(served), needed)
        unlike = judged & known & (served.view(np.uint64) != again.view(np.uint64))
        different = unlike.any(axis=1)
        unverified = ~different & (judged & ~known).any(axis=1)
        equal = judged.any(axis=1) & ~different & ~unverified
        return Verdict(
            equal=int(equal.sum()),
            different=int(different.sum()),
            unverified=int(unverified.sum()),
            differences=tuple(self._differences(case, needed, served, again, unlike)),
            missing=tuple(self._missing(needed)),
        )

    def _read(self, features: Float32, ids: Int64) -> Float64:
        """(n, c) of the columns that come from rows; features and hashes are exact in a float64."""
        return np.concatenate((features, ids[:, ids.shape[1] - self._recents :]), axis=1, dtype=np.float64)

    def _masks(self, n: int, needed: Sequence[RowsNeeded]) -> tuple[Bool, Bool]:
        """(n, c) which columns are judged, and of which the log has the rows."""
        judged, known = (np.zeros((n, len(self._views)), np.bool_) for _ in range(2))
        for rows in needed:
            columns = np.array([view == rows.view for view in self._views])
            judged[:, columns] = rows.holds_for(self._is_chosen(rows).tolist())[:, None]
            known[:, columns] = rows.holds_for([self._is_known(version) for version in rows.versions])[
                :, None
            ]
        return judged, known

    def _is_chosen(self, rows: RowsNeeded) -> Bool:
        entity = self._catalog.view(rows.view).entity
        return self._chosen(entity, [version.entity_id for version in rows.versions])

    def _is_known(self, version: RowVersion) -> bool:
        return version.row_offset == NO_ROW or version in self._refold.found

    def _differences(
        self,
        case: ServedCase,
        needed: Sequence[RowsNeeded],
        served: Float64,
        again: Float64,
        unlike: Bool,
    ) -> Iterator[Difference]:
        by_view = {rows.view: rows for rows in needed}
        for candidate, column in np.argwhere(unlike).tolist():
            rows = by_view[self._views[column]]
            places = [place for place in rows.index[candidate].tolist() if place < len(rows.versions)]
            yield Difference(
                request_id=case.request_id,
                item_id=case.item_ids[candidate],
                feature=self._references[column],
                served=float(served[candidate, column]),
                refolded=float(again[candidate, column]),
                rows=tuple(self._name(rows.versions[place]) for place in places),
            )

    def _missing(self, needed: Sequence[RowsNeeded]) -> Iterator[Unverified]:
        for rows in needed:
            chosen = self._is_chosen(rows).tolist()
            for version, is_chosen in zip(rows.versions, chosen, strict=True):
                if is_chosen and not self._is_known(version):
                    yield Unverified(self._name(version), self._reason(version))

    def _reason(self, version: RowVersion) -> str:
        if not self._refold.passed(version):
            return "the log has no such batch yet"
        return (
            "the row is not from that batch: the item's attributes have changed since, the check came to it "
            "too late, or the log is not the one that was served from"
        )

    def _name(self, version: RowVersion) -> str:
        if version.row_offset == NO_ROW:
            return f"{version.entity_id} (no row)"
        topic = self._refold.topic_of(version.view)
        return f"{topic}[{version.partition}]@{version.row_offset} {version.entity_id}"
