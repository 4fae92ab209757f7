"""The hydrator: one batched read of rows, everything else from memory, then columns."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from feature_store.catalog import Catalog
from feature_store.fetcher import RowFetcher, StoredRows, Wanted
from feature_store.schema.ids import partition_of
from feature_store.views import LAST_EVENT_TIME, ROW_OFFSET, FeatureService, FeatureView, column_ref
from ranker.hydrators.candidates import CandidateViews
from ranker.hydrators.columns import ViewColumns, slice_of
from ranker.hydrators.ids import IdColumns, attribute_width
from ranker.hydrators.keys import ITEM, ItemKeys, TextKeys, User, combined_attribute
from ranker.hydrators.recents import RecentColumns
from ranker.hydrators.slices import UserSlices
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
    numbers = {name: catalog.attribute(name).default for name in _attributes(service.candidate)}
    return ItemColumns(numbers, texts, partitions)


class RowHydrator:
    """Makes the inputs of the models of one feature service.

    Parameters
    ----------
    items : made by :func:`item_columns` for the same service
    partitions : of the batch topics, which is how rows are spread
    slices : says which slice a user is in; None: users are not told apart
    timeout_ms : for a whole read, further bounded by the request's deadline
    """

    def __init__(
        self,
        catalog: Catalog,
        service: FeatureService,
        items: ItemColumns,
        fetcher: RowFetcher,
        partitions: int,
        slices: UserSlices | None = None,
        timeout_ms: float = inf,
    ) -> None:
        self._service = service
        self._items = items
        self._fetcher = fetcher
        self._partitions = partitions
        self._slices = slices
        self._timeout_ms = timeout_ms
        self._ids = IdColumns(service.ids, items, len(service.recent_places))
        self._recents = RecentColumns(catalog, service)
        self._user = _columns(catalog, service.user)
        views = _columns(catalog, service.candidate)
        own = [columns for columns in views if columns.view.entity == ITEM]
        others = [columns for columns in views if columns.view.entity != ITEM]
        self._own = CandidateViews(own, ItemKeys(len(own)))
        self._others = CandidateViews(others, TextKeys([each.view.entity for each in others], items))
        self._attributes = slice_of(list(_attributes(service.candidate).values()))
        self._history = (catalog.view(SEEN.view), catalog.view(BLOCKED.view))
        of_model = (*(columns.view for columns in self._user), *self._recents.views)
        self._of_model = tuple({view.name: view for view in of_model}.values())
        self._user_views = tuple({view.name: view for view in (*self._history, *of_model)}.values())

    def hydrate(self, query: Query, batch: CandidateBatch) -> Features:
        """Read the rows of the user and of all candidates.

        The rows that take no search are asked for first: Redis works on them while the others are named,
        and on those while the first ones are read.

        Raises
        ------
        TimeoutError
            No answer in time, or no time left to ask.
        """
        user, now_ms = self._user_of(query), query.finalize_time_ms
        with self._fetcher.asking(query.deadline.within(self._timeout_ms).remaining_ms) as ask:
            own = self._own.keys(user, batch)
            first = ask({**self._of_user(user), **self._own.wanted(own)})
            others = self._others.keys(user, batch)
            second = ask(self._others.wanted(others))
            candidates, ids = self._attribute_columns(batch), self._ids.read(query.user_id, batch)
            stored = first()
            rows_read = self._own.fill(candidates, own, stored, now_ms)
            rows_read += self._others.fill(candidates, others, second(), now_ms)
        of_user = {view.name: _row(view, *stored[view]) for view in self._user_views}
        return self._features(query, candidates, ids, of_user, rows_read, self._slice_of_user(stored))

    def blank(self, query: Query, batch: CandidateBatch) -> Features:
        """The features of a user and of items to whom nothing has happened."""
        candidates, ids = self._attribute_columns(batch), self._ids.read(query.user_id, batch)
        rows_read = [
            rows
            for views in (self._own, self._others)
            for rows in views.fill(candidates, views.no_keys(len(batch)), {}, query.finalize_time_ms)
        ]
        of_user = {view.name: view.blank_rows(1) for view in self._user_views}
        return self._features(query, candidates, ids, of_user, rows_read)

    def _features(
        self,
        query: Query,
        candidates: Float32,
        ids: Int64,
        of_user: Mapping[str, Float64],
        rows_read: Sequence[RowsRead],
        user_slice: str | None = None,
    ) -> Features:
        """Together with what the user's rows say; ``of_user``: one row of each of their views."""
        self._recents.fill(ids, of_user)
        seen, blocked = self._history
        return Features(
            user=self._user_columns(of_user, query.finalize_time_ms),
            candidates=candidates,
            ids=ids,
            seen=_held(of_user[seen.name], seen.state_of(SEEN.column), skip=1),
            blocked_creators=_held(of_user[blocked.name], blocked.state_of(BLOCKED.column), skip=0),
            rows_read=(*self._user_rows_read(query, len(ids), of_user), *rows_read),
            age_ms=_age_ms([of_user[each.view.name] for each in self._user], query.finalize_time_ms),
            user_slice=user_slice,
        )

    def _slice_of_user(self, stored: StoredRows) -> str | None:
        if self._slices is None:
            return None
        view = self._slices.view
        return self._slices.of(_row(view, *stored[view]))

    def _of_user(self, user: User) -> Wanted:
        slicing = () if self._slices is None else (self._slices.view,)
        return {view: ([user.user_id], user.partition) for view in (*self._user_views, *slicing)}

    def _user_of(self, query: Query) -> User:
        return User(query.user_id, partition_of(query.user_id, self._partitions))

    def _user_columns(self, rows: Mapping[str, Float64], now_ms: int) -> Float32:
        user = np.empty((1, len(self._service.user)), np.float32)
        for columns in self._user:
            user[:, columns.places] = columns.finalizer.finalize(rows[columns.view.name], now_ms)
        return user

    def _attribute_columns(self, batch: CandidateBatch) -> Float32:
        """(n, k) with the attributes in their places, the others to be filled."""
        candidates = np.empty((len(batch), len(self._service.candidate)), np.float32)
        candidates[:, self._attributes] = self._items.attribute_numbers(batch.rows)
        return candidates

    def _user_rows_read(self, query: Query, n: int, rows: Mapping[str, Float64]) -> list[RowsRead]:
        partition, index, at = self._user_of(query).partition, np.zeros((1, n), np.int64), np.arange(2)
        none = np.array([-1.0])
        return [
            RowsRead(
                view.name,
                False,
                partition,
                0,
                at,
                np.concatenate((rows[view.name][:, ROW_OFFSET], none)),
                index,
            )
            for view in self._of_model
        ]


def _row(view: FeatureView, stored: bytes | None) -> Float64:
    """(1, width)."""
    return view.blank_rows(1) if stored is None else np.frombuffer(stored, "<f8").reshape(1, view.width)


def _columns(catalog: Catalog, references: Sequence[str]) -> list[ViewColumns]:
    """The columns that a model reads, by view."""
    return [
        ViewColumns(catalog.view(view), *zip(*wanted, strict=True))
        for view, wanted in _by_view(references).items()
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
