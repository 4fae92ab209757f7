"""Folds the batch log again from its beginning, for some entities, and keeps the versions asked for.

Only `FeatureView.fold` and the rule of the high water are shared with the feature workers: no cache, no
runs, no store. A batch at a time, so that a row can be looked at as it was after any batch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators.base import is_among
from feature_store.online.rows import encode_rows
from feature_store.schema.batches import EntityBatch, SourceRanges, decode_entity_batch
from feature_store.views import ROW_OFFSET, FeatureView, Float64

Mask = NDArray[np.bool_]
Chosen = Callable[[str, Sequence[str]], Mask]
"""(entity, ids) -> which of the ids are to be folded."""
Place = tuple[str, int]
"""Topic and partition."""


class RowVersion(NamedTuple):
    """A row as it was after a batch."""

    view: str
    partition: int
    entity_id: str
    row_offset: int


class LogRefold:
    """The rows of some entities after each batch of their topics.

    Parameters
    ----------
    views : topic -> the views folded from it
    chosen : the entities to fold

    Attributes
    ----------
    found : the versions asked for that there were
    """

    def __init__(self, views: Mapping[str, Sequence[FeatureView]], chosen: Chosen) -> None:
        self._views = views
        self._topics = {view.name: topic for topic, part in views.items() for view in part}
        self._chosen = chosen
        self._partitions: dict[Place, _PartitionRefold] = {}
        self._wanted: dict[tuple[str, int, int], set[RowVersion]] = {}
        self.found: dict[RowVersion, bytes] = {}

    def topic_of(self, view: str) -> str:
        """The topic that a view is folded from."""
        return self._topics[view]

    def next_offset(self, place: Place) -> int:
        """The batch of a partition to fold next."""
        return self._partition(place).next_offset

    def want(self, versions: Iterable[RowVersion]) -> None:
        """Keep these; of versions in the past, those that are still the latest."""
        for version in versions:
            topic = self._topics[version.view]
            if version.row_offset < self.next_offset((topic, version.partition)):
                self._keep(topic, version)
            else:
                self._wanted.setdefault((topic, version.partition, version.row_offset), set()).add(version)

    def fold(self, place: Place, offset: int, payload: bytes) -> None:
        """Fold the batch that comes next in its partition; raises `KeyError` where a column is absent."""
        self._partition(place).fold(offset, decode_entity_batch(payload))
        for version in self._wanted.pop((*place, offset), ()):
            self._keep(place[0], version)

    def skip(self, place: Place, offset: int) -> None:
        """Leave out the batch that comes next, as the feature workers were told to."""
        self._partition(place).next_offset = offset + 1

    def passed(self, version: RowVersion) -> bool:
        """Whether the batch of a version has been folded."""
        return version.row_offset < self.next_offset((self._topics[version.view], version.partition))

    def forget(self, versions: Iterable[RowVersion]) -> None:
        """Be done with these."""
        for version in versions:
            self.found.pop(version, None)

    def _keep(self, topic: str, version: RowVersion) -> None:
        row = self._partition((topic, version.partition)).row(version.view, version.entity_id)
        if row is not None and row[0, ROW_OFFSET] == version.row_offset:
            self.found[version] = encode_rows(row)[0]

    def _partition(self, place: Place) -> "_PartitionRefold":
        if place not in self._partitions:
            self._partitions[place] = _PartitionRefold(self._views[place[0]], self._chosen)
        return self._partitions[place]


class _PartitionRefold:
    """One partition of a topic."""

    def __init__(self, views: Sequence[FeatureView], chosen: Chosen) -> None:
        self._views = {view.name: _ViewRefold(view, chosen) for view in views}
        self._high_water: dict[int, int] = {}
        self.next_offset = 0

    def fold(self, offset: int, batch: EntityBatch) -> None:
        new = _above(batch, self._high_water)
        for view in self._views.values():
            view.fold(offset, batch, new)
        _raise(self._high_water, batch.ranges)
        self.next_offset = offset + 1

    def row(self, view: str, entity_id: str) -> Float64 | None:
        return self._views[view].row(entity_id)


class _ViewRefold:
    """One view in one partition."""

    def __init__(self, view: FeatureView, chosen: Chosen) -> None:
        self._view = view
        self._chosen = chosen
        self._places: dict[str, int] = {}
        self._rows = view.blank_rows(16)

    def fold(self, offset: int, batch: EntityBatch, new: Mask) -> None:
        feeding = np.array([is_among(name, self._view.event_names) for name in batch.event_names], np.bool_)
        chosen = self._chosen(self._view.entity, batch.entity_ids)
        keep = new & feeding[batch.event_index] & chosen[batch.entity_index]
        if keep.any():
            index = self._index(batch, keep)
            self._view.fold(self._rows, index, batch, keep)
            self._rows[index, ROW_OFFSET] = offset

    def row(self, entity_id: str) -> Float64 | None:
        place = self._places.get(entity_id)
        return None if place is None else self._rows[place : place + 1]

    def _index(self, batch: EntityBatch, keep: Mask) -> NDArray[np.intp]:
        """(m,) the row of each kept event, in a matrix that has room for it."""
        numbers, where = np.unique(batch.entity_index[keep], return_inverse=True)
        places = [
            self._places.setdefault(batch.entity_ids[number], len(self._places))
            for number in numbers.tolist()
        ]
        if len(self._places) > len(self._rows):
            more = self._view.blank_rows(max(len(self._places) - len(self._rows), len(self._rows)))
            self._rows = np.concatenate((self._rows, more))
        return np.array(places, np.intp)[where]


def _above(batch: EntityBatch, high_water: Mapping[int, int]) -> Mask:
    """(n,) which rows lie above the high water of their source partition."""
    levels = np.full(int(batch.source_partition.max(initial=-1)) + 1, -1, np.int64)
    for partition, last in high_water.items():
        if partition < len(levels):
            levels[partition] = last
    above: Mask = batch.source_offset > levels[batch.source_partition]
    return above


def _raise(high_water: dict[int, int], ranges: SourceRanges) -> None:
    for partition, (_, last) in ranges.items():
        high_water[partition] = max(high_water.get(partition, -1), last)
