"""The hydrator: one batched read of rows, everything else from memory, then columns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from feature_store.catalog import Catalog
from feature_store.fetcher import RowFetcher
from feature_store.online.rows import decode_rows
from feature_store.schema.ids import partition_of
from feature_store.views import LAST_EVENT_TIME, ROW_OFFSET, FeatureService, FeatureView, column_ref
from ranker.hydrators.columns import RowOffsets, Stored, ViewColumns, alike
from ranker.hydrators.ids import IdColumns, attribute_width
from ranker.hydrators.keys import Keys, User, combined_attribute, key_maker
from ranker.pipeline.batch import CandidateBatch, Float32, Float64, Int64
from ranker.pipeline.features import Features
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.marks import RowsRead
from ranker.pipeline.query import Query


class StateRef(NamedTuple):
    """A feature whose state is read, not its value."""

    view: str
    column: str


ATTRIBUTE = "attribute"
SEEN = StateRef("user_history", "seen_items")
BLOCKED = StateRef("user_blocks", "blocked_creators")
VALUES_PER_ITEM = 8
"""Values of a multi-valued attribute, such as genres, whose rows are read for an item: the first ones."""


def item_columns(catalog: Catalog, service: FeatureService, partitions: int) -> ItemColumns:
    """The columns that the item table needs for ``service``."""
    texts = attribute_width(service.ids)
    for view in _by_view(service.candidate):
        attribute = combined_attribute(catalog.view(view).entity)
        if attribute is not None:
            texts[attribute] = max(texts.get(attribute, 0), VALUES_PER_ITEM)
    return ItemColumns(tuple(_attributes(service.candidate)), texts, partitions)


class RowHydrator:
    """Makes the inputs of the models of one feature service.

    Parameters
    ----------
    items : made by :func:`item_columns` for the same service
    partitions : of the batch topics, which is how rows are spread
    """

    def __init__(
        self,
        catalog: Catalog,
        service: FeatureService,
        items: ItemColumns,
        fetcher: RowFetcher,
        partitions: int,
    ) -> None:
        self._service = service
        self._items = items
        self._fetcher = fetcher
        self._partitions = partitions
        self._ids = IdColumns(service.ids, items)
        self._user, self._views = (
            [ViewColumns(catalog.view(view), *zip(*wanted, strict=True)) for view, wanted in by_view.items()]
            for by_view in (_by_view(service.user), _by_view(service.candidate))
        )
        self._alike = alike(self._views)
        self._keys = [key_maker(columns.view.entity, items) for columns in self._views]
        attributes = _attributes(service.candidate)
        self._attributes = np.array(list(attributes.values()), np.intp)
        self._attribute_defaults = np.array([catalog.attribute(name).default for name in attributes])
        history = (catalog.view(SEEN.view), catalog.view(BLOCKED.view))
        self._user_views = (*history, *(columns.view for columns in self._user))

    def hydrate(self, query: Query, batch: CandidateBatch) -> Features:
        """Read the rows of the user and of all candidates in one round trip."""
        user = self._user_of(query)
        keys = [maker.keys(user, batch) for maker in self._keys]
        wanted: dict[FeatureView, tuple[Sequence[str], Sequence[int] | int]] = {
            view: ([user.user_id], user.partition) for view in self._user_views
        }
        for columns, each in zip(self._views, keys, strict=True):
            wanted[columns.view] = (each.ids, each.partitions.tolist())
        stored = list(self._fetcher.stored(wanted).values())
        mine = len(self._user_views)
        found = [decode_rows(view, rows) for view, rows in zip(self._user_views, stored[:mine], strict=True)]
        return self._features(query, batch, keys, found, stored[mine:])

    def blank(self, query: Query, batch: CandidateBatch) -> Features:
        """The features of a user and of items to whom nothing has happened."""
        keys = [Keys([], np.zeros((len(batch), 1), np.int64), np.empty(0, np.int32)) for _ in self._keys]
        found = [view.blank_rows(1) for view in self._user_views]
        return self._features(query, batch, keys, found, [() for _ in self._keys])

    def _features(
        self,
        query: Query,
        batch: CandidateBatch,
        keys: Sequence[Keys],
        user_rows: Sequence[Float64],
        stored: Sequence[Stored],
    ) -> Features:
        """From what was read: one row of each of the user's views, and rows of the candidates' views."""
        seen, blocked, *rows = user_rows
        candidates = self._attribute_columns(batch)
        offsets: RowOffsets = {}
        index = [each.index for each in keys]
        for views in self._alike:
            offsets |= views.fill(candidates, index, stored, query.finalize_time_ms)
        return Features(
            user=self._user_columns(rows, query.finalize_time_ms),
            candidates=candidates,
            ids=self._ids.read(query.user_id, batch),
            seen=_held(seen, self._user_views[0].state_of(SEEN.column), skip=1),
            blocked_creators=_held(blocked, self._user_views[1].state_of(BLOCKED.column), skip=0),
            rows_read=(*self._user_rows_read(query, len(batch), rows), *self._rows_read(keys, offsets)),
            age_ms=_age_ms(rows, query.finalize_time_ms),
        )

    def _user_of(self, query: Query) -> User:
        return User(query.user_id, partition_of(query.user_id, self._partitions))

    def _user_columns(self, rows: Sequence[Float64], now_ms: int) -> Float32:
        user = np.empty((1, len(self._service.user)), np.float32)
        for columns, one in zip(self._user, rows, strict=True):
            user[:, columns.places] = columns.read(one, now_ms)
        return user

    def _attribute_columns(self, batch: CandidateBatch) -> Float32:
        """(n, k) with the attributes in their places, the others to be filled."""
        candidates = np.empty((len(batch), len(self._service.candidate)), np.float32)
        numbers = self._items.attribute_numbers(batch.rows)
        candidates[:, self._attributes] = np.where(np.isnan(numbers), self._attribute_defaults, numbers)
        return candidates

    def _user_rows_read(self, query: Query, n: int, rows: Sequence[Float64]) -> list[RowsRead]:
        partition = np.array([self._user_of(query).partition], np.int32)
        index = np.zeros((n, 1), np.int64)
        return [
            RowsRead(columns.view.name, partition, found[:, ROW_OFFSET].astype(np.int64), index)
            for columns, found in zip(self._user, rows, strict=True)
        ]

    def _rows_read(self, keys: Sequence[Keys], offsets: RowOffsets) -> list[RowsRead]:
        return [
            RowsRead(columns.view.name, each.partitions, offsets[number], each.index)
            for number, (columns, each) in enumerate(zip(self._views, keys, strict=True))
        ]


def _by_view(references: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """view -> (feature, place among the references)."""
    by_view: dict[str, list[tuple[str, int]]] = {}
    for place, reference in enumerate(references):
        view, feature = column_ref(reference)
        if view != ATTRIBUTE:
            by_view.setdefault(view, []).append((feature, place))
    return by_view


def _attributes(references: Sequence[str]) -> dict[str, int]:
    """item attribute -> place among the references."""
    pairs = ((column_ref(reference), place) for place, reference in enumerate(references))
    return {name: place for (view, name), place in pairs if view == ATTRIBUTE}


def _held(row: Float64, state: slice, skip: int) -> Int64:
    """Hashes in a row's ring or set, after ``skip`` slots that hold something else."""
    hashes = row[0, state][skip:].astype(np.int64)
    held: Int64 = hashes[hashes != 0]
    return held


def _age_ms(user_rows: Sequence[Float64], now_ms: int) -> float | None:
    times = [float(rows[0, LAST_EVENT_TIME]) for rows in user_rows]
    newest = max(times, default=-1.0)
    return None if newest < 0 else now_ms - newest
