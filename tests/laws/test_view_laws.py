"""Laws of every shipped view: cuts and stored rows in between change no bit, totals are counts."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.catalog import load_catalog
from feature_store.online.rows import decode_rows, encode_rows
from feature_store.schema.batches import EntityBatch, decode_entity_batch, encode_entity_batch
from feature_store.views import FeatureView

VIEWS = load_catalog().views
ENTITIES = ["a", "b", "c"]
BASE_MS = 1_700_000_000_000
NAMES = [
    "impression",
    *(f"interaction/{action}" for action in ("click", "like", "hide", "reply", "dwell")),
    *(f"interaction/{action}" for action in ("block_creator", "unblock_creator")),
]
_WIDTH = re.compile(r"\[(\d+)\]$")

event = st.tuples(
    st.integers(0, len(ENTITIES) - 1),
    st.integers(0, len(NAMES) - 1),
    st.integers(BASE_MS - 30 * 86_400_000, BASE_MS),
    st.floats(0, 1e6),
    st.integers(1, 2**53 - 1),
)
logs = st.lists(event, max_size=60)
cuts = st.lists(st.integers(0, 60), max_size=5)
every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)


def batch_of(log: list[tuple[int, int, int, float, int]], inputs: tuple[str, ...]) -> EntityBatch:
    entity, name, time_ms, value, hashed = (
        (list(column) for column in zip(*log, strict=True)) if log else [[]] * 5
    )
    n = len(log)
    return EntityBatch(
        entity_ids=ENTITIES,
        entity_index=np.array(entity, np.int32),
        event_names=NAMES,
        event_index=np.array(name, np.int32),
        event_time_ms=np.array(time_ms, np.int64),
        value=np.array(value, np.float64),
        source_partition=np.zeros(n, np.int32),
        source_offset=np.arange(n, dtype=np.int64),
        ranges={0: (0, n)},
        extra={column: _extra(column, hashed) for column in inputs},
    )


def _extra(column: str, hashed: list[int]) -> np.ndarray:
    width = _WIDTH.search(column)
    values = np.array(hashed, np.float64)
    return np.repeat(values[:, None], int(width[1]), axis=1) if width else values


def fold(view: FeatureView, batches: list[EntityBatch]) -> np.ndarray:
    """Rows of all entities after ``batches``, through bytes after each of them."""
    stored: list[bytes | None] = [None] * len(ENTITIES)
    for batch in batches:
        rows = decode_rows(view, stored).copy()
        view.fold(rows, batch.entity_index.astype(np.intp), batch)
        stored = list(encode_rows(rows))
    return decode_rows(view, stored)


@every_view
@given(log=logs, cuts=cuts)
def test_neither_cuts_nor_bytes_change_a_bit(view, log, cuts):
    edges = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    parts = [batch_of(log[start:stop], view.inputs) for start, stop in itertools.pairwise(edges)]
    travelled = [decode_entity_batch(encode_entity_batch(part)) for part in parts]
    whole = batch_of(log, view.inputs)
    assert fold(view, travelled).tobytes() == fold(view, [whole]).tobytes()


@every_view
@given(log=logs)
def test_all_time_counts_equal_a_count_over_the_log(view, log):
    values = view.finalize(fold(view, [batch_of(log, view.inputs)]), BASE_MS)
    for feature, name in (
        ("impression_count_total", "impression"),
        ("click_count_total", "interaction/click"),
    ):
        if feature in view.columns:
            counted = [sum(e == n and NAMES[i] == name for e, i, *_ in log) for n in range(len(ENTITIES))]
            assert values[:, view.columns.index(feature)].tolist() == counted


@every_view
@given(log=logs, now_ms=st.integers(BASE_MS, BASE_MS + 10**10))
def test_columns_finalized_together_equal_each_finalized_alone(view, log, now_ms):
    rows = fold(view, [batch_of(log, view.inputs)])
    together = view.finalize(rows, now_ms)
    for column, feature in enumerate(view.features):
        if hasattr(feature.source, "finalize"):
            alone = feature.source.finalize(rows[:, view.state_of(feature.name)], now_ms)
            alone = np.where(np.isnan(alone), feature.default, alone)
            np.testing.assert_array_equal(together[:, column], alone)


@every_view
@given(log=logs, order=st.randoms())
def test_an_entity_finalizes_the_same_among_any_others(view, log, order):
    rows = fold(view, [batch_of(log, view.inputs)])
    many = order.choices(range(len(ENTITIES)), k=order.randint(1, 9))
    expected = view.finalize(rows, BASE_MS)[many]
    assert view.finalize(rows[many], BASE_MS).tobytes() == expected.tobytes()


@every_view
@given(log=logs, now_ms=st.integers(BASE_MS, BASE_MS + 10**10), order=st.randoms())
def test_features_chosen_in_any_order_have_the_bits_that_all_together_have(view, log, now_ms, order):
    rows = fold(view, [batch_of(log, view.inputs)])
    chosen = order.sample(range(len(view.columns)), order.randint(1, len(view.columns)))
    some = view.finalizer([view.columns[column] for column in chosen]).finalize(rows, now_ms)
    assert some.tobytes() == view.finalize(rows, now_ms)[:, chosen].tobytes()
