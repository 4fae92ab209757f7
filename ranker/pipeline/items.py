"""Item attributes in memory, as columns that a request gathers from by row."""

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np

from feature_store.items import ItemRecord
from feature_store.schema.events import AttributeValue
from feature_store.schema.ids import hash53, partition_of
from ranker.pipeline.batch import CandidateBatch, Float64, Index, Int32, Int64
from ranker.pipeline.columns import GrowingColumn, GrowingLists, Vocabulary

NEVER_MS = np.iinfo(np.int64).max


class TextColumn:
    """Up to ``most`` texts per item, as numbers of a vocabulary, 0 where there is none.

    Parameters
    ----------
    vocabulary : may be shared with other columns: each numbers its texts by itself
    """

    def __init__(self, most: int, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.most = most
        self._numbers: dict[str, int] = {}
        self._lists = GrowingLists(width=1 if most == 1 else 0)

    def numbers_of(self, rows: Index) -> Int64:
        """(n, w) numbers of the items' texts, 0: none; w: the most that any item has. Row −1 has none."""
        return self._lists.values.take(rows, axis=0)

    def hashes_of(self, rows: Index) -> Int64:
        """(n, w) hashes of the items' texts, 0: none; row −1 has none."""
        numbers = self.numbers_of(rows)
        return self.vocabulary.hashes.take(numbers)  # after the numbers: it may have grown meanwhile

    def put(self, row: int, value: AttributeValue | None) -> None:
        """Set one item's texts; further ones than ``most`` are left out."""
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        self._lists.put(row, [self._number(text) for text in texts[: self.most]])

    def _number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = self.vocabulary.add(text)
        return number


class ItemColumns:
    """The item table as columns: subscribe :meth:`apply` to an `ItemTable`.

    Parameters
    ----------
    numbers : numeric attributes to keep, each with what it is where an item has none
    texts : text attributes to keep, each with how many values of it
    partitions : of the batch topics, which is how rows are spread
    """

    def __init__(self, numbers: Mapping[str, float], texts: Mapping[str, int], partitions: int) -> None:
        self._count = partitions
        self._rows: dict[str, int] = {}
        self.item_ids: list[str] = []
        self.vocabulary = Vocabulary(partitions)
        self.texts = {name: TextColumn(most, self.vocabulary) for name, most in texts.items()}
        self.creators = TextColumn(1, self.vocabulary)
        self._item_hash = GrowingColumn(np.int64, 0)
        self._partitions = GrowingColumn(np.int32, 0)
        self._updated = GrowingColumn(np.int64, 0)
        self._expires = GrowingColumn(np.int64, NEVER_MS)
        self._defaults = dict(numbers)
        self._numbers = GrowingColumn(np.float64, list(numbers.values()), len(numbers))

    def __len__(self) -> int:
        return len(self.item_ids)

    def apply(self, record: ItemRecord) -> None:
        """Take in an item's record; called by one thread at a time."""
        row = self._rows.get(record.item_id, len(self.item_ids))
        self._updated.put(row, record.event_time_ms)
        self._expires.put(row, _expires(record))
        self._numbers.put(
            row, [_number(record.attributes.get(name), default) for name, default in self._defaults.items()]
        )
        self.creators.put(row, record.creator_id)
        for name, column in self.texts.items():
            column.put(row, record.attributes.get(name))
        if row == len(self.item_ids):
            self._item_hash.put(row, hash53(record.item_id))
            self._partitions.put(row, partition_of(record.item_id, self._count))
            self.item_ids.append(record.item_id)
            self._rows[record.item_id] = row  # last: whoever finds the row finds its columns

    def rows_of(self, item_ids: Sequence[str]) -> Index:
        """(n,) row of each item, −1 where it is unknown."""
        return np.fromiter(map(self._rows.get, item_ids, repeat(-1)), np.intp, len(item_ids))

    def batch(
        self, item_ids: list[str], rows: Index, sources: Int32, source_names: tuple[str, ...]
    ) -> CandidateBatch:
        """Candidates from distinct ``item_ids`` at ``rows``; (n,) ``sources`` tell where each came from."""
        item_hash, partitions = self._item_hash.values.take(rows), self._partitions.values.take(rows)
        for place in np.flatnonzero(rows < 0).tolist():
            item_hash[place] = hash53(item_ids[place])
            partitions[place] = partition_of(item_ids[place], self._count)
        return CandidateBatch(
            item_ids=item_ids,
            rows=rows,
            item_hash=item_hash,
            creator_hash=self.creators.hashes_of(rows)[:, 0],
            partitions=partitions,
            sources=sources,
            source_names=source_names,
        )

    def attribute_numbers(self, rows: Index) -> Float64:
        """(n, len(numbers)) numeric attributes, their defaults where there is none."""
        numbers: Float64 = self._numbers.values.take(rows, axis=0)
        return numbers

    def age_ms(self, rows: Index, now_ms: int) -> Float64:
        """(n,) time since each item was announced or last changed, NaN where it is unknown."""
        return np.where(rows >= 0, (now_ms - self._updated.values[rows]).astype(np.float64), np.nan)

    def expired(self, rows: Index, now_ms: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) whether an item is known and removed, or its time is over."""
        over: np.ndarray[tuple[int], np.dtype[np.bool_]] = (rows >= 0) & (
            self._expires.values[rows] <= now_ms
        )
        return over

    def newest(self, at_most: int) -> Index:
        """Rows of the items announced or changed last, newest first, of equal ones the later row."""
        updated = self._updated.values[: len(self)]
        return np.argsort(updated, kind="stable")[::-1][:at_most]


def _expires(record: ItemRecord) -> int:
    if record.removed:
        return 0
    return NEVER_MS if record.expires_time_ms is None else record.expires_time_ms


def _number(value: AttributeValue | None, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default
