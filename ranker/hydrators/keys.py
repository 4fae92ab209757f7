"""Which rows of an entity the candidates of a request need, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol

import numpy as np

from feature_store.schema.ids import SEPARATOR
from ranker.pipeline.batch import CandidateBatch, Int32, Int64
from ranker.pipeline.items import ItemColumns, TextColumn

ITEM, USER, CREATOR = "item", "user", "creator"


@dataclass(frozen=True, slots=True)
class Keys:
    """Distinct ids of an entity, and where each candidate finds its own.

    Ids of several entities are numbered together: these are ``first``, ``first + 1``, …

    Attributes
    ----------
    several : whether a candidate may have several
    partitions : (len(ids),) batch partition of each id, or that of all
    none : the number of no id at all, behind all others
    index : (w, n) numbers of each candidate's ids
    """

    ids: list[str]
    several: bool
    partitions: Int32 | int
    first: int
    none: int
    index: Int64


class User(NamedTuple):
    """Who asks, and where their rows lie."""

    user_id: str
    partition: int


class KeyMaker(Protocol):
    """Names the rows of some entities."""

    def keys(self, user: User, batch: CandidateBatch) -> list[Keys]:
        """The rows that the candidates need, by entity."""


class ItemKeys:
    """The candidates' own rows, for each of ``views`` views."""

    def __init__(self, views: int) -> None:
        self._views = views

    def keys(self, user: User, batch: CandidateBatch) -> list[Keys]:
        """One row per candidate."""
        n = len(batch)
        return [Keys(batch.item_ids, False, batch.partitions, 0, n, np.arange(n)[None])] * self._views


class TextKeys:
    """Rows of texts that the items carry, such as their creator, or of the user combined with one: ``u1|c1``.

    Parameters
    ----------
    entities : of the rows

    Raises
    ------
    ValueError
        A ranker cannot know the ids of an entity.
    """

    def __init__(self, entities: Sequence[str], items: ItemColumns) -> None:
        columns = [_texts_of(entity, items) for entity in entities]
        self._columns = list(dict.fromkeys(columns))
        self._of = [
            (self._columns.index(column), entity.startswith(USER + SEPARATOR))
            for column, entity in zip(columns, entities, strict=True)
        ]
        self._vocabulary = items.vocabulary

    def keys(self, user: User, batch: CandidateBatch) -> list[Keys]:
        """One row per distinct text; those combined with the user live with the user."""
        parts = [column.numbers_of(batch.rows).T for column in self._columns]
        numbers = np.concatenate([np.empty((0, len(batch)), np.int64), *parts])
        vocabulary = self._vocabulary
        distinct, index, new = distinct_numbers(numbers, len(vocabulary.texts))
        texts = list(map(vocabulary.texts.__getitem__, distinct.tolist()))
        rows = [slice(*ends) for ends in pairwise(accumulate(map(len, parts), initial=0))]
        ends = list(accumulate(new, initial=0))
        prefix, made = user.user_id + SEPARATOR, []
        for column, combined in self._of:
            place = rows[column]
            some = slice(ends[place.start], ends[place.stop])
            ids = [prefix + text for text in texts[some]] if combined else texts[some]
            where = user.partition if combined else vocabulary.partitions.take(distinct[some])
            several = self._columns[column].most > 1
            made.append(Keys(ids, several, where, some.start, len(texts), index[place]))
        return made


def distinct_numbers(numbers: Int64, vocabulary: int) -> tuple[Int64, Int64, list[int]]:
    """The distinct numbers of (w, n), except 0, by the row that they occur in last.

    Each number points to its last occurrence in a table of ``vocabulary`` places of which only those are
    touched: quicker than sorting, and no dearer for a large vocabulary.

    Returns
    -------
    (d,) the distinct numbers; (w, n) the place of each among them, d for 0; how many of them each row has
    """
    flat = numbers.reshape(-1)
    every = np.arange(len(flat))
    last = np.empty(vocabulary, np.int64)
    last[flat] = every
    last_of = last.take(flat)
    chosen = (last_of == every) & (flat != 0)
    place = np.cumsum(chosen) - 1
    distinct = flat[chosen]
    index = np.where(flat == 0, len(distinct), place.take(last_of))
    return distinct, index.reshape(numbers.shape), chosen.reshape(numbers.shape).sum(axis=1).tolist()


def combined_attribute(entity: str) -> str | None:
    """``genres`` of ``user|genres``; None for entities that no item attribute is part of."""
    first, _, second = entity.partition(SEPARATOR)
    return second if first == USER and second not in ("", CREATOR) else None


def _texts_of(entity: str, items: ItemColumns) -> TextColumn:
    if entity in (CREATOR, USER + SEPARATOR + CREATOR):
        return items.creators
    attribute = combined_attribute(entity)
    if attribute is not None:
        return items.texts[attribute]
    raise ValueError(f"candidates have no rows of entity {entity!r}")
