"""Rows of several views come back in one read, as matrices, blank where there is none."""

import numpy as np
import pytest

from feature_store.catalog import load_catalog
from feature_store.fetcher import RowFetcher
from feature_store.online import MemoryOnlineStore
from feature_store.online.rows import decode_rows, encode_rows
from feature_store.schema.ids import partition_of
from feature_store.views import ROW_OFFSET, FeatureView

PARTITIONS = 4
ITEM, USER = load_catalog().view("item"), load_catalog().view("user")


def rows_of(view: FeatureView, n: int) -> np.ndarray:
    """(n, width) rows, each of another batch."""
    rows = view.blank_rows(n)
    rows[:, ROW_OFFSET] = np.arange(n)
    rows[:, -1] = np.random.default_rng(0).normal(size=n)
    return rows


def store_with(view: FeatureView, ids: list[str], rows: np.ndarray) -> MemoryOnlineStore:
    store = MemoryOnlineStore()
    for entity_id, row in zip(ids, encode_rows(rows), strict=True):
        partition = partition_of(entity_id, PARTITIONS)
        epoch = store.claim(view.fingerprint, partition).epoch
        store.put_rows(view.fingerprint, partition, epoch, 1, [(entity_id, row)])
    return store


def test_encoded_rows_decode_to_the_same_bits():
    rows = rows_of(ITEM, 5)
    assert decode_rows(ITEM, encode_rows(rows)).tobytes() == rows.tobytes()


def test_no_rows_are_no_bytes():
    assert encode_rows(ITEM.blank_rows(0)) == []
    assert decode_rows(ITEM, []).shape == (0, ITEM.width)


def test_absent_rows_are_blank_and_the_others_in_their_places():
    stored = encode_rows(rows_of(ITEM, 2))
    decoded = decode_rows(ITEM, [None, stored[1], None, stored[0]])
    assert decoded[:, ROW_OFFSET].tolist() == [-1, 1, -1, 0]
    assert decoded[[0, 2]].tobytes() == ITEM.blank_rows(2).tobytes()


def test_a_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="cannot reshape"):
        decode_rows(ITEM, encode_rows(rows_of(USER, 1)))


def test_rows_come_in_the_order_of_the_ids_wherever_they_live():
    ids = [f"i{n}" for n in range(20)]
    rows = rows_of(ITEM, 20)
    asked = ["i7", "nobody", "i0", "i19", "i7"]
    partitions = [partition_of(entity_id, PARTITIONS) for entity_id in asked]
    fetcher = RowFetcher(store_with(ITEM, ids, rows))
    found = fetcher.fetch({ITEM: (asked, partitions), USER: (["u1"], 3)})
    assert found[ITEM].tobytes() == np.vstack((rows[7], ITEM.blank_rows(1), rows[[0, 19, 7]])).tobytes()
    assert found[USER].tobytes() == USER.blank_rows(1).tobytes()


def test_nothing_wanted_is_nothing_found():
    assert RowFetcher(MemoryOnlineStore()).fetch({}) == {}
