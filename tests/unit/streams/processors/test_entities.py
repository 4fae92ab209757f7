"""Ids as numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.processors.entities import Entities, distinct, merged


def test_an_id_keeps_its_number_and_new_ones_get_the_next():
    entities = Entities()
    assert entities.numbers(["b", "a", "b"]).tolist() == [0, 1, 0]
    assert entities.numbers(["c", "a"]).tolist() == [2, 1]
    assert entities.ids(np.array([2, 0])) == ["c", "b"]


def test_ids_that_are_kept_are_numbered_in_the_order_given():
    entities = Entities()
    entities.numbers(["a", "b", "c"])
    entities.keep(np.array([2, 0]))
    assert len(entities) == 2
    assert entities.numbers(["a", "c", "b"]).tolist() == [1, 0, 2]


@given(st.lists(st.integers(0, 50)))
def test_distinct_numbers_are_ascending_and_complete(numbers):
    assert distinct(np.array(numbers, np.intp)).tolist() == sorted(set(numbers))


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1), min_size=1))
def test_merged_columns_read_as_their_parts(columns):
    parts = []
    for words in columns:
        dictionary = sorted(set(words))
        parts.append((dictionary, np.array([dictionary.index(word) for word in words], np.int32)))
    words, index = merged(parts)
    assert len(set(words)) == len(words)
    assert [words[at] for at in index] == [word for column in columns for word in column]
