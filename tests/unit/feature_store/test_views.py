"""A view folds a batch into its rows and finalizes them into columns."""

from dataclasses import replace

import numpy as np
import pytest

from feature_store.aggregators import Age, Count, DecayedSum, LastValue, PaneWindow, Total
from feature_store.catalog import load_catalog
from feature_store.schema.batches import EntityBatch
from feature_store.views import HEADER_WIDTH, LAST_EVENT_TIME, ROW_OFFSET, Feature, FeatureView, Rate

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000
VIEW = FeatureView(
    "v",
    "item",
    (
        Feature("seen", Count("impression")),
        Feature("ctr", Rate("clicks", "seen")),
        Feature("clicks", Count("interaction/click")),
        Feature("clicks_1h", DecayedSum("interaction/click", 3600)),
        Feature("dwell", Total("interaction/dwell")),
        Feature("clicks_10m", PaneWindow("interaction/click", 60, 10)),
        Feature("age_s", Age("impression"), default=9.0),
        Feature("price", LastValue("item", "attribute.price"), default=5.0),
        Feature("acts", Count("interaction/*")),
    ),
)
EVENTS = [
    ("a", "impression", 0, 1.0),
    ("b", "impression", 1_000, 1.0),
    ("a", "interaction/click", 2_000, 1.0),
    ("a", "interaction/dwell", 3_000, 12.5),
    ("a", "interaction/click", 4_000, 1.0),
    ("a", "search", 900_000, 1.0),
]


def batch_of(events: list[tuple[str, str, int, float]], price: float = np.nan) -> EntityBatch:
    """Events of (entity, name, milliseconds after ``NOW_MS``, value)."""
    ids = list(dict.fromkeys(entity for entity, *_ in events))
    names = list(dict.fromkeys(name for _, name, *_ in events))
    n = len(events)
    return EntityBatch(
        entity_ids=ids,
        entity_index=np.array([ids.index(entity) for entity, *_ in events], np.int32),
        event_names=names,
        event_index=np.array([names.index(name) for _, name, *_ in events], np.int32),
        event_time_ms=np.array([NOW_MS + ms for *_, ms, _ in events], np.int64),
        value=np.array([value for *_, value in events], np.float64),
        source_partition=np.zeros(n, np.int32),
        source_offset=np.arange(n, dtype=np.int64),
        ranges={0: (0, n - 1)},
        extra={"attribute.price": np.full(n, price)},
    )


def folded(batch: EntityBatch, keep: np.ndarray | None = None) -> np.ndarray:
    rows = VIEW.blank_rows(len(batch.entity_ids))
    index = batch.entity_index.astype(np.intp)
    VIEW.fold(rows, index if keep is None else index[keep], batch, keep)
    return rows


def read(rows: np.ndarray, now_ms: int = NOW_MS + 4_000) -> list[dict[str, float]]:
    return [dict(zip(VIEW.columns, values, strict=True)) for values in VIEW.finalize(rows, now_ms).tolist()]


def test_each_feature_reads_the_events_that_it_names():
    a, b = read(folded(batch_of(EVENTS)))
    assert (a["seen"], a["clicks"], a["dwell"], a["clicks_10m"], a["acts"]) == (1, 2, 12.5, 2, 3)
    assert (b["seen"], b["clicks"], b["dwell"], b["clicks_10m"], b["acts"]) == (1, 0, 0, 0, 0)
    assert (a["age_s"], b["age_s"]) == (4.0, 3.0)


def test_a_rate_is_read_from_two_features_with_its_priors():
    a, b = read(folded(batch_of(EVENTS)))
    assert (a["ctr"], b["ctr"]) == ((2 + 1) / (1 + 8), (0 + 1) / (1 + 8))


def test_the_item_view_reads_the_streaming_click_rate():
    view = load_catalog().view("item")
    batch = batch_of([("a", "impression", 0, 1.0)] * 5 + [("a", "interaction/click", 1, 1.0)] * 2)
    rows = view.blank_rows(1)
    view.fold(rows, np.zeros(7, np.intp), batch)
    assert view.finalize(rows, NOW_MS)[0, view.columns.index("ctr_total")] == (2 + 1) / (5 + 8)


def test_a_decayed_sum_halves_with_every_half_life():
    rows = folded(batch_of([("a", "interaction/click", 0, 1.0)]))
    sums = [read(rows, NOW_MS + hours * HOUR_MS)[0]["clicks_1h"] for hours in range(4)]
    np.testing.assert_allclose(sums, [1.0, 0.5, 0.25, 0.125], rtol=1e-12)


def test_a_row_without_events_reads_as_its_defaults():
    (values,) = read(VIEW.blank_rows(1))
    assert (values["age_s"], values["price"], values["seen"], values["clicks_1h"]) == (9.0, 5.0, 0.0, 0.0)
    assert values["ctr"] == 1 / 8


def test_an_absent_value_reads_as_its_default_until_there_is_one():
    item = [("a", "item", 0, 1.0)]
    assert read(folded(batch_of(item)))[0]["price"] == 5.0
    assert read(folded(batch_of(item, price=2.5)))[0]["price"] == 2.5


def test_events_that_are_not_kept_change_nothing():
    batch = batch_of(EVENTS)
    keep = np.array([entity == "b" for entity, *_ in EVENTS])
    a, b = folded(batch, keep)
    assert a.tobytes() == VIEW.blank_rows(1)[0].tobytes()
    assert b.tobytes() == folded(batch)[1].tobytes()


def test_the_header_knows_the_newest_event_that_was_folded_and_leaves_the_batch_to_the_folder():
    rows = folded(batch_of(EVENTS))
    assert rows[:, LAST_EVENT_TIME].tolist() == [NOW_MS + 4_000, NOW_MS + 1_000]
    assert rows[:, ROW_OFFSET].tolist() == [-1, -1]


def test_an_empty_batch_changes_no_bit():
    rows = VIEW.blank_rows(3)
    VIEW.fold(rows, np.empty(0, np.intp), batch_of([]))
    assert rows.tobytes() == VIEW.blank_rows(3).tobytes()


def test_no_rows_finalize_to_no_rows():
    assert VIEW.finalize(VIEW.blank_rows(0), NOW_MS).shape == (0, len(VIEW.columns))


def test_the_state_of_a_feature_is_where_the_row_has_it():
    starts = [VIEW.state_of(feature.name).start for feature in VIEW.features if feature.name != "ctr"]
    assert starts[0] == HEADER_WIDTH
    assert starts == sorted(starts)
    assert VIEW.state_of("acts").stop == VIEW.width
    with pytest.raises(KeyError):
        VIEW.state_of("ctr")


def test_inputs_and_events_are_those_of_all_features():
    assert VIEW.inputs == ("attribute.price",)
    assert VIEW.event_names == {
        "item",
        "impression",
        "interaction/click",
        "interaction/dwell",
        "interaction/*",
    }


@pytest.mark.parametrize(
    "changed",
    [
        replace(VIEW, features=VIEW.features[::-1]),
        replace(VIEW, features=(replace(VIEW.features[0], default=1.0), *VIEW.features[1:])),
        replace(VIEW, features=(replace(VIEW.features[0], source=Total("impression")), *VIEW.features[1:])),
        replace(VIEW, name="w"),
        replace(VIEW, entity="user"),
    ],
)
def test_another_meaning_is_another_fingerprint(changed):
    assert changed.fingerprint != VIEW.fingerprint


def test_fingerprints_of_the_same_definition_are_the_same_in_every_process():
    same = FeatureView("v", "item", (Feature("seen", Count("impression")),))
    assert same.fingerprint == "d7f582e5ac41"
