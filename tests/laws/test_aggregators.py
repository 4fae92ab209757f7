"""Laws of every aggregator: cuts change no bit, the oracle agrees, order is irrelevant where it says so."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.aggregators import (
    Age,
    Aggregator,
    Count,
    DecayedSum,
    Events,
    IdSet,
    LastValue,
    MultiAttribute,
    PaneWindow,
    RecentIds,
    Total,
)
from tests.oracles import aggregates as oracle
from tests.oracles.aggregates import Event

ENTITIES = 3
BASE_MS = 1_700_000_000_000
NAMES = ("impression", "interaction/click", "interaction/block", "interaction/unblock")
COLUMN, MULTI = "item_hash", "attribute.tags[2]"

ORDER_FREE: list[Aggregator] = [
    Count("impression"),
    PaneWindow("impression", 60, 5),
    LastValue("impression", COLUMN),
    Age("interaction/click"),
]
FLOAT_SUMS: list[Aggregator] = [
    DecayedSum("impression", 3600),
    DecayedSum("interaction/click", 60, of_value=True),
    DecayedSum("impression", 7 * 24 * 3600, of_value=True),
    Total("interaction/click"),
]
LOG_ORDERED: list[Aggregator] = [
    RecentIds("impression", COLUMN, 4),
    MultiAttribute("impression", "tags", 2),
]
UNMERGEABLE: list[Aggregator] = [IdSet("interaction/block", "interaction/unblock", COLUMN, 3)]
MERGEABLE = [*ORDER_FREE, *FLOAT_SUMS, *LOG_ORDERED]
ALL = [*MERGEABLE, *UNMERGEABLE]

times = st.one_of(
    st.integers(BASE_MS - 3_600_000, BASE_MS + 3_600_000),
    st.integers(BASE_MS - 40 * oracle.DAY_MS, BASE_MS + oracle.DAY_MS),
)
events_lists = st.lists(
    st.builds(
        Event,
        entity=st.integers(0, ENTITIES - 1),
        name=st.sampled_from(NAMES),
        event_time_ms=times,
        value=st.floats(-1e6, 1e6, allow_subnormal=False),
        column=st.one_of(st.just(math.nan), st.integers(1, 9).map(float)),
    ),
    max_size=40,
)
every = pytest.mark.parametrize("aggregator", ALL, ids=repr)
mergeable = pytest.mark.parametrize("aggregator", MERGEABLE, ids=repr)


def as_columns(events: list[Event]) -> Events:
    column = np.array([event.column for event in events], np.float64)
    return Events(
        index=np.array([event.entity for event in events], np.intp),
        names=list(NAMES),
        name=np.array([NAMES.index(event.name) for event in events], np.int32),
        event_time_ms=np.array([event.event_time_ms for event in events], np.int64),
        value=np.array([event.value for event in events], np.float64),
        extra={COLUMN: column, MULTI: np.column_stack((column, column + 1)).reshape(-1, 2)},
    )


def fold(aggregator: Aggregator, batches: list[list[Event]]) -> np.ndarray:
    state = np.repeat(aggregator.blank()[None, :], ENTITIES, axis=0)
    for batch in batches:
        chosen = as_columns(batch).named(aggregator.events)
        if len(chosen):
            aggregator.update(state, chosen)
    return state


@every
@given(events=events_lists, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_cutting_the_log_into_batches_changes_no_bit(
    aggregator: Aggregator, events: list[Event], cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    batches = [events[start:stop] for start, stop in itertools.pairwise(edges)]
    whole, cut = fold(aggregator, [events]), fold(aggregator, batches)
    assert whole.tobytes() == cut.tobytes()


@mergeable
@given(events=events_lists, cut=st.integers(0, 40))
def test_merging_two_halves_equals_folding_the_whole(
    aggregator: Aggregator, events: list[Event], cut: int
) -> None:
    whole = fold(aggregator, [events])
    merged = aggregator.merge(fold(aggregator, [events[:cut]]), fold(aggregator, [events[cut:]]))
    now_ms = BASE_MS + oracle.DAY_MS
    np.testing.assert_allclose(
        aggregator.finalize(merged, now_ms), aggregator.finalize(whole, now_ms), rtol=1e-9, atol=1e-6
    )
    if aggregator not in FLOAT_SUMS:
        assert merged.tobytes() == whole.tobytes()


@pytest.mark.parametrize("aggregator", ORDER_FREE, ids=repr)
@given(events=events_lists, rng=st.randoms())
def test_the_order_of_events_changes_no_bit(
    aggregator: Aggregator, events: list[Event], rng: random.Random
) -> None:
    shuffled = list(events)
    rng.shuffle(shuffled)
    assert fold(aggregator, [shuffled]).tobytes() == fold(aggregator, [events]).tobytes()


@pytest.mark.parametrize("half_life_s", [60, 3600, 7 * 24 * 3600])
@given(events=events_lists, rng=st.randoms())
def test_the_order_of_events_changes_a_decayed_count_by_ulps_only(
    half_life_s: int, events: list[Event], rng: random.Random
) -> None:
    aggregator, shuffled = DecayedSum("impression", half_life_s), list(events)
    rng.shuffle(shuffled)
    np.testing.assert_allclose(
        fold(aggregator, [shuffled])[:, 0],
        fold(aggregator, [events])[:, 0],
        rtol=len(events) * 2.3e-16 + 1e-300,
    )


@given(events=events_lists, now_ms=st.integers(BASE_MS + oracle.DAY_MS, BASE_MS + 2 * oracle.DAY_MS))
def test_values_equal_the_oracle(events: list[Event], now_ms: int) -> None:
    by_entity = [[event for event in events if event.entity == n] for n in range(ENTITIES)]

    def finalized(aggregator: Aggregator) -> list[float]:
        return aggregator.finalize(fold(aggregator, [events]), now_ms).tolist()

    assert finalized(Count("impression")) == [oracle.count(own, "impression") for own in by_entity]
    assert finalized(PaneWindow("impression", 60, 5)) == [
        oracle.pane_window(own, "impression", 60, 5, now_ms) for own in by_entity
    ]
    np.testing.assert_array_equal(
        finalized(LastValue("impression", COLUMN)),
        [oracle.last_value(own, "impression") for own in by_entity],
    )
    np.testing.assert_array_equal(
        finalized(Age("impression")), [oracle.age(own, "impression", now_ms) for own in by_entity]
    )
    np.testing.assert_allclose(
        finalized(Total("interaction/click")),
        [oracle.total(own, "interaction/click") for own in by_entity],
        rtol=1e-12,
        atol=1e-8,
    )
    for half_life_s, of_value in ((60, False), (3600, True), (7 * 24 * 3600, False)):
        np.testing.assert_allclose(
            finalized(DecayedSum("impression", half_life_s, of_value)),
            [oracle.decayed_sum(own, "impression", half_life_s, of_value, now_ms) for own in by_entity],
            rtol=1e-9,
            atol=1e-6,
        )


@given(events=events_lists)
def test_a_ring_holds_what_came_last(events: list[Event]) -> None:
    state = fold(aggregator := RecentIds("impression", COLUMN, 4), [events])
    for n in range(ENTITIES):
        expected = oracle.recent([event for event in events if event.entity == n], "impression", 4)
        newest_first = aggregator.newest_first(state)[n].tolist()
        assert newest_first == [*reversed(expected), *[0.0] * (4 - len(expected))]
    assert aggregator.finalize(state, BASE_MS).max(initial=0) <= 4


@given(events=events_lists)
def test_a_set_holds_what_was_added_and_not_removed(events: list[Event]) -> None:
    state = fold(IdSet("interaction/block", "interaction/unblock", COLUMN, 3), [events])
    for n in range(ENTITIES):
        own = [event for event in events if event.entity == n]
        expected = oracle.held(own, "interaction/block", "interaction/unblock", 3)
        assert state[n][state[n] != 0].tolist() == expected


def test_a_half_life_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="half_life_s must be positive, not 0"):
        DecayedSum("impression", 0)


def test_a_decayed_sum_survives_a_silence_of_years() -> None:
    aggregator = DecayedSum("impression", 60)
    old = Event(0, "impression", BASE_MS, 1.0, math.nan)
    new = Event(0, "impression", BASE_MS + 3000 * oracle.DAY_MS, 1.0, math.nan)
    state = fold(aggregator, [[old], [new]])
    assert aggregator.finalize(state, new.event_time_ms)[0] == pytest.approx(1.0)


def test_zeros_of_either_sign_at_one_moment_do_not_tell_batches_apart() -> None:
    events = [Event(0, "impression", BASE_MS, 1.0, zero) for zero in (0.0, -0.0)]
    aggregator = LastValue("impression", COLUMN)
    assert fold(aggregator, [events]).tobytes() == fold(aggregator, [[event] for event in events]).tobytes()
