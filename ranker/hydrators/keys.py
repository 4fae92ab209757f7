"""Which rows of an entity the candidates of a request need, each once."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from feature_store.schema.ids import SEPARATOR
from ranker.pipeline.batch import CandidateBatch, Index, Int32, Int64
from ranker.pipeline.items import ItemColumns, TextColumn

ITEM, USER, CREATOR = "item", "user", "creator"


@dataclass(frozen=True, slots=True)
class Keys:
    """Distinct entity ids, and where each candidate finds its own.

    Attributes
    ----------
    index : (n, w) position in ``ids``; ``len(ids)`` where there is none
    partitions : (len(ids),) batch partition of each id
    """

    ids: list[str]
    index: Int64
    partitions: Int32


class User(NamedTuple):
    """Who asks, and where their rows lie."""

    user_id: str
    partition: int


class KeyMaker(Protocol):
    """Names the rows of one entity."""

    def keys(self, user: User, batch: CandidateBatch) -> Keys:
        """The rows that the candidates need."""


class ItemKeys:
    """The candidates' own rows."""

    def keys(self, user: User, batch: CandidateBatch) -> Keys:
        """One row per candidate."""
        return Keys(batch.item_ids, np.arange(len(batch))[:, None], batch.partitions)


class TextKeys:
    """Rows of a text that the items carry, such as their creator."""

    def __init__(self, column: TextColumn) -> None:
        self._column = column

    def keys(self, user: User, batch: CandidateBatch) -> Keys:
        """One row per distinct text."""
        vocabulary = self._column.vocabulary
        distinct, index = distinct_numbers(self._column.numbers_of(batch.rows), len(vocabulary.texts))
        ids = [vocabulary.texts[number] for number in distinct.tolist()]
        return Keys(ids, index, vocabulary.partitions[distinct])


class UserTextKeys:
    """Rows of the user combined with a text that the items carry: ``u1|c1``. They live with the user."""

    def __init__(self, column: TextColumn) -> None:
        self._column = column

    def keys(self, user: User, batch: CandidateBatch) -> Keys:
        """One row per distinct text."""
        texts, prefix = self._column.vocabulary.texts, user.user_id + SEPARATOR
        distinct, index = distinct_numbers(self._column.numbers_of(batch.rows), len(texts))
        ids = [prefix + texts[number] for number in distinct.tolist()]
        return Keys(ids, index, np.full(len(ids), user.partition, np.int32))


def distinct_numbers(numbers: Int64, vocabulary: int) -> tuple[Index, Int64]:
    """The distinct numbers except 0, and the place of each of (n, w) among them, their count for 0.

    Each number points to its last occurrence in a table of ``vocabulary`` places of which only those are
    touched: quicker than sorting, and no dearer for a large vocabulary.
    """
    flat = numbers.reshape(-1)
    last = np.empty(vocabulary, np.int64)
    last[flat] = np.arange(len(flat))
    last_of = last.take(flat)
    chosen = (last_of == np.arange(len(flat))) & (flat != 0)
    place = np.cumsum(chosen) - 1
    distinct = flat[chosen]
    return distinct, np.where(flat == 0, len(distinct), place.take(last_of)).reshape(numbers.shape)


def combined_attribute(entity: str) -> str | None:
    """``genres`` of ``user|genres``; None for entities that no item attribute is part of."""
    first, _, second = entity.partition(SEPARATOR)
    return second if first == USER and second not in ("", CREATOR) else None


def key_maker(entity: str, items: ItemColumns) -> KeyMaker:
    """How to name the rows of ``entity``.

    Raises
    ------
    ValueError
        A ranker cannot know the ids of this entity.
    """
    if entity == ITEM:
        return ItemKeys()
    if entity == CREATOR:
        return TextKeys(items.creators)
    if entity == USER + SEPARATOR + CREATOR:
        return UserTextKeys(items.creators)
    attribute = combined_attribute(entity)
    if attribute is not None:
        return UserTextKeys(items.texts[attribute])
    raise ValueError(f"candidates have no rows of entity {entity!r}")
