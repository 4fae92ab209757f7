"""New views get their rows from the log while it grows; whatever is cut off, workers go on from there."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from feature_store.aggregators import Count, DecayedSum, LastValue
from feature_store.clock import ManualClock
from feature_store.online import MemoryOnlineStore, OnlineStore, RowKey, StaleOwner
from feature_store.online.rows import decode_rows
from feature_store.schema.batches import decode_entity_batch
from feature_store.topic_log import Bounds
from feature_store.views import Feature, FeatureView, Float64, MissingColumn
from streams.backfill.backfill import backfill
from streams.processors.batch_reader import BatchMessage, BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.start import LogBounds
from streams.processors.takeover import Takeover
from tests.oracles.batch_log import count_over_log
from tests.simulation.fold_harness import TOPIC, VIEWS, Crash, FailingStore, messages
from tests.simulation.fold_log import Log, make_log

NEW = FeatureView(
    "user_v2",
    "user",
    (
        Feature("impression_count_total", Count("impression")),
        Feature("clicks_2h", DecayedSum("interaction/click", 7200)),
    ),
)
seeds = st.integers(0, 2**32 - 1)


class GrowingLog:
    """A log of which more is there each time somebody asks."""

    def __init__(self, log: Log, rng: random.Random) -> None:
        self.log = log
        self._rng = rng
        self._there = {at: rng.randint(0, len(part)) for at, part in log.items()}

    def ends(self) -> Mapping[int, int]:
        self._there = {
            at: min(len(part), self._there[at] + self._rng.randint(0, 3)) for at, part in self.log.items()
        }
        return self._there

    def read(self, bounds: Bounds) -> Iterator[tuple[int, BatchMessage]]:
        for at, (start, end) in bounds.items():
            for offset in range(start, end):
                yield at, (offset, self.log[at][offset])


def take_over(store: OnlineStore, log: Log, *views: FeatureView) -> PartitionFolder:
    takeover = Takeover(
        store,
        {TOPIC.name: views},
        lambda topic: BatchReader(topic, lambda partition, offset: False, 50),
        lambda topic, partitions: {at: LogBounds(0, len(log[at])) for at in partitions},
        FoldMetrics(CollectorRegistry(), ManualClock()),
        cache_bytes=10**7,
    )
    return takeover.take(TOPIC, tuple(log))


def rows_of(store: OnlineStore, log: Log, view: FeatureView) -> tuple[list[str], Float64]:
    ids = sorted(
        {(at, i) for at, part in log.items() for b in part for i in decode_entity_batch(b).entity_ids}
    )
    stored = store.multi_get([RowKey(at, view.fingerprint, entity_id) for at, entity_id in ids])
    return [entity_id for _, entity_id in ids], decode_rows(view, stored)


def folded_live(log: Log, *views: FeatureView) -> MemoryOnlineStore:
    """Rows as a feature worker leaves them that has known the views from the beginning."""
    store = MemoryOnlineStore()
    folder = take_over(store, log, *views)
    folder.fold(messages(log, {at: (0, len(part)) for at, part in log.items()}))
    return store


@settings(deadline=None, max_examples=25)
@given(seed=seeds, crashes=st.dictionaries(st.integers(1, 30), st.booleans(), max_size=6))
def test_a_view_back_filled_through_crashes_and_taken_over_is_as_if_it_had_always_been_folded(seed, crashes):
    rng, log = random.Random(seed), make_log(seed, VIEWS, batches=12)
    store, told = FailingStore(MemoryOnlineStore(), crashes, {}), []
    growing = GrowingLog(log, rng)
    finished = False
    while not finished:
        try:
            backfill(take_over(store, log, NEW), growing, told.append, behind_max=rng.randint(0, 3))
            finished = True
        except Crash:
            continue
    worker = None
    while worker is None or any(at < len(log[p]) for p, at in worker.next_offsets().items()):
        try:
            worker = take_over(store, log, *VIEWS, NEW)
            worker.fold(
                messages(log, {at: (start, len(log[at])) for at, start in worker.next_offsets().items()})
            )
        except Crash:
            worker = None
    ids, rows = rows_of(store, log, NEW)
    assert rows.tobytes() == rows_of(folded_live(log, NEW), log, NEW)[1].tobytes()
    counted = sum((count_over_log(part, "impression") for part in log.values()), start=Counter())
    assert dict(zip(ids, rows[:, NEW.state_of("impression_count_total")][:, 0], strict=True)) == {
        entity_id: counted[entity_id] for entity_id in ids
    }


def test_rows_that_are_served_are_left_alone():
    log = make_log(3, VIEWS, batches=12)
    store = folded_live(log, *VIEWS)
    before = {view.name: rows_of(store, log, view)[1].tobytes() for view in VIEWS}
    backfill(take_over(store, log, NEW), GrowingLog(log, random.Random(3)), lambda at: None, behind_max=0)
    assert {view.name: rows_of(store, log, view)[1].tobytes() for view in VIEWS} == before


def test_a_worker_that_takes_over_in_the_middle_ends_the_back_fill_and_loses_nothing():
    log = make_log(4, VIEWS, batches=12)
    store = MemoryOnlineStore()
    filling = take_over(store, log, NEW)
    filling.fold(messages(log, dict.fromkeys(log, (0, 5))))
    worker = take_over(store, log, *VIEWS, NEW)
    with pytest.raises(StaleOwner):
        filling.fold(messages(log, dict.fromkeys(log, (5, 7))))
    worker.fold(messages(log, {at: (0, len(log[at])) for at in log}))
    assert rows_of(store, log, NEW)[1].tobytes() == rows_of(folded_live(log, NEW), log, NEW)[1].tobytes()


def test_a_log_from_before_a_column_was_declared_says_from_where_to_fill():
    view = FeatureView("user_v3", "user", (Feature("price", LastValue("impression", "attribute.price")),))
    log = make_log(6, VIEWS, batches=3)
    with pytest.raises(MissingColumn, match=r"no column 'attribute.price'.*--from PARTITION:OFFSET"):
        backfill(
            take_over(MemoryOnlineStore(), log, view),
            GrowingLog(log, random.Random(6)),
            lambda at: None,
            behind_max=0,
        )
