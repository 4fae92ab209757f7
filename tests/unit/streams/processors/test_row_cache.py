"""Rows at hand."""

import numpy as np
import pytest

from feature_store.catalog import load_catalog
from streams.processors.row_cache import RowCache

VIEW = load_catalog().view("creator")


def stored(*values: float) -> list[bytes]:
    return [np.full(VIEW.width, value, np.float64).tobytes() for value in values]


def test_only_what_is_missing_is_loaded_each_once():
    cache, asked = RowCache(VIEW), []

    def load(entity, at):
        asked.append((entity.tolist(), at.tolist()))
        return stored(*entity.astype(float))

    first = cache.places(np.array([5, 3, 5]), load)
    second = cache.places(np.array([3, 4]), load)
    assert asked == [([3, 5], [1, 0]), ([4], [1])]
    assert cache.rows[first, 2].tolist() == [5.0, 3.0, 5.0]
    assert cache.rows[second, 2].tolist() == [3.0, 4.0]
    assert len(cache) == 3


def test_what_is_not_stored_begins_as_a_blank_row():
    cache = RowCache(VIEW)
    place = cache.places(np.array([0]), lambda entity, at: [None])
    assert cache.rows[place].tobytes() == VIEW.blank_rows(1).tobytes()


def test_rows_that_are_kept_go_by_their_new_numbers():
    cache = RowCache(VIEW)
    cache.places(np.array([0, 1, 2]), lambda entity, at: stored(10, 11, 12))
    cache.keep(np.array([2, 7, 0]))
    assert len(cache) == 2
    assert cache.rows_of(np.array([0, 2]))[:, 0].tolist() == [12.0, 10.0]
    loaded = cache.places(np.array([0, 1, 2]), lambda entity, at: stored(*(entity + 20.0)))
    assert cache.rows[loaded, 0].tolist() == [12.0, 21.0, 10.0]


def test_a_stored_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="reshape"):
        RowCache(VIEW).places(np.array([0]), lambda entity, at: [b"\0" * 8])
