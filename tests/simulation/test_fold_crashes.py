"""Whatever is cut off, and wherever: folding on from the checkpoint ends in the same bits."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.online import MemoryOnlineStore, RolledBack, StaleOwner
from streams.processors.batch_run import Gap
from streams.processors.corrupt_batch import CorruptBatch
from tests.oracles.batch_log import count_over_log
from tests.simulation.fold_harness import (
    VIEWS,
    Crash,
    FailingStore,
    fold_on,
    fold_through,
    messages,
    stored_rows,
    take_over,
)
from tests.simulation.fold_log import NOW_MS, Log, make_log

seeds = st.integers(0, 2**32 - 1)


def reference(log: Log) -> dict:
    """One batch at a time, uninterrupted."""
    store = MemoryOnlineStore()
    folder = take_over(store, log, run_rows_max=1)
    for partition, part in log.items():
        for offset in range(len(part)):
            folder.fold(messages(log, {partition: (offset, offset + 1)}))
    return stored_rows(store, log)


@settings(deadline=None, max_examples=25)
@given(seed=seeds)
def test_any_grouping_of_batches_gives_the_same_bits(seed):
    log = make_log(seed, VIEWS, batches=12)
    store = MemoryOnlineStore()
    assert fold_through(store, log, seed) == 1
    assert stored_rows(store, log) == reference(log)


@settings(deadline=None, max_examples=25)
@given(seed=seeds, crashes=st.dictionaries(st.integers(1, 60), st.booleans(), min_size=1, max_size=12))
def test_crashes_at_any_writes_applied_or_not_change_no_bit(seed, crashes):
    log = make_log(seed, VIEWS, batches=12)
    store = FailingStore(MemoryOnlineStore(), crashes, {})
    workers = fold_through(store, log, seed)
    assert workers == 1 + sum(at <= store.writes for at in crashes)
    assert stored_rows(store, log) == reference(log)


def test_a_crash_after_each_single_write_changes_no_bit():
    log = make_log(7, VIEWS, batches=6)
    expected = reference(log)
    undisturbed = FailingStore(MemoryOnlineStore(), {}, {})
    fold_through(undisturbed, log, 7)
    for at in range(1, undisturbed.writes + 1):
        for applied in (False, True):
            store = FailingStore(MemoryOnlineStore(), {at: applied}, {})
            assert fold_through(store, log, 7) == 2
            assert stored_rows(store, log) == expected, (at, applied)


@settings(deadline=None, max_examples=20)
@given(
    seed=seeds,
    losses=st.dictionaries(st.integers(2, 40), st.integers(1, 30), min_size=1, max_size=4),
    crashes=st.dictionaries(st.integers(1, 60), st.booleans(), max_size=4),
)
def test_a_store_that_went_back_to_any_earlier_moment_ends_in_the_same_bits(seed, losses, crashes):
    log = make_log(seed, VIEWS, batches=12)
    store = FailingStore(MemoryOnlineStore(), crashes, losses)
    fold_through(store, log, seed)
    assert stored_rows(store, log) == reference(log)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, taken_at=st.integers(0, 11))
def test_a_second_owner_stops_the_first_and_ends_in_the_same_bits(seed, taken_at):
    log = make_log(seed, VIEWS, batches=12)
    store = MemoryOnlineStore()
    first = take_over(store, log, run_rows_max=50)
    first.fold(messages(log, {1: (0, taken_at), 2: (0, 12)}))
    second = take_over(store, {1: log[1]}, run_rows_max=50)
    with pytest.raises(StaleOwner):
        first.fold(messages(log, {1: (taken_at, taken_at + 1)}))
    fold_on(second, {1: log[1]}, random.Random(seed), 4)
    assert stored_rows(store, log) == reference(log)


def test_what_the_log_holds_is_asked_only_when_no_earlier_owner_can_go_on():
    log = make_log(4, VIEWS, batches=4)
    store = MemoryOnlineStore()
    first, asked = take_over(store, log, run_rows_max=50), []

    class Growing(dict):
        """A log that the earlier owner tries to fold at the moment when it is looked at."""

        def __getitem__(self, partition):
            with pytest.raises(StaleOwner):
                first.fold(messages(log, {1: (0, 4), 2: (0, 4)}))
            asked.append(partition)
            return super().__getitem__(partition)

    take_over(store, Growing({1: log[1]}), run_rows_max=50)
    assert asked == [1]


def test_an_idle_owner_notices_that_the_store_went_back():
    log = make_log(3, VIEWS, batches=4)
    store = FailingStore(MemoryOnlineStore(), {}, {100: 1})
    folder = take_over(store, log, run_rows_max=50)
    folder.fold(messages(log, {1: (0, 4), 2: (0, 4)}))
    folder.confirm()
    store.writes = 99
    with pytest.raises(RolledBack):
        folder.confirm()


@settings(deadline=None, max_examples=20)
@given(seed=seeds, crashes=st.dictionaries(st.integers(1, 60), st.booleans(), max_size=6))
def test_all_time_counters_equal_a_count_over_the_log(seed, crashes):
    log = make_log(seed, VIEWS, batches=12)
    store = FailingStore(MemoryOnlineStore(), crashes, {})
    fold_through(store, log, seed)
    view = next(view for view in VIEWS if "impression_count_total" in view.columns)
    rows = {
        entity: row for (name, entity), row in stored_rows(store, log).items() if name == view.fingerprint
    }
    for name, event in (("impression_count_total", "impression"), ("click_count_total", "interaction/click")):
        expected = sum((count_over_log(part, event) for part in log.values()), Counter())
        column = view.columns.index(name)
        for entity, row in rows.items():
            state = view.blank_rows(1) if row is None else np.frombuffer(row, "<f8")[None, :]
            assert view.finalize(state, NOW_MS)[0, column] == expected[entity], (entity, name)


def test_a_folder_that_crashed_is_never_used_again():
    log = make_log(1, VIEWS, batches=2)
    folder = take_over(FailingStore(MemoryOnlineStore(), {1: True}, {}), log, run_rows_max=50)
    with pytest.raises(Crash):
        folder.fold(messages(log, {1: (0, 1)}))
    with pytest.raises(RuntimeError, match="has failed before"):
        folder.fold(messages(log, {1: (0, 1)}))


def test_a_missing_batch_is_a_gap_and_nothing_of_it_is_written():
    log = make_log(1, VIEWS, batches=4)
    for spans in ({1: (1, 2)}, {1: (0, 1), 2: (2, 3)}):
        store = FailingStore(MemoryOnlineStore(), {}, {})
        with pytest.raises(Gap):
            take_over(store, log, run_rows_max=50).fold(messages(log, spans))
        assert store.writes == 0


def test_batches_that_were_folded_are_left_out_when_they_come_again():
    log = make_log(1, VIEWS, batches=4)
    store = MemoryOnlineStore()
    folder = take_over(store, log, run_rows_max=50)
    folder.fold(messages(log, {1: (0, 3)}))
    folder.fold(messages(log, {1: (1, 4), 2: (0, 4)}))
    assert stored_rows(store, log) == reference(log)


def test_a_message_that_is_no_batch_is_refused_with_its_place_and_nothing_is_written():
    log = make_log(1, VIEWS, batches=2)
    store = FailingStore(MemoryOnlineStore(), {}, {})
    with pytest.raises(CorruptBatch, match=r"EDDYLINE_FEATURES_SKIP=batches\.user:2:1"):
        take_over(store, log, run_rows_max=50).fold({1: [(0, log[1][0])], 2: [(0, log[2][0]), (1, b"?")]})
    assert store.writes == 0
