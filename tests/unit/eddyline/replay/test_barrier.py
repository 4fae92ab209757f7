from collections.abc import Callable, Iterable, Mapping

import pytest

from eddyline.replay.barrier import Drained, Partition, RowsBarrier, RowsBehind
from eddyline.replay.touched import TouchedRows
from feature_store.catalog import load_catalog
from feature_store.clock import ManualClock
from feature_store.online import Checkpoint, MemoryOnlineStore
from feature_store.schema.events import Event, ImpressionEvent, InteractionEvent, ItemEvent, UserEvent
from feature_store.schema.ids import partition_of
from feature_store.schema.topics import EVENTS, batch_topic

PARTITIONS = 4
CATALOG = load_catalog()
SEEN = ImpressionEvent(event_id="e1", event_time_ms=1, user_id="u1", item_id="i1")


class Rows:
    """Checkpoints of all views, moved by hand."""

    def __init__(self) -> None:
        self.store = MemoryOnlineStore()
        self._owners: dict[tuple[str, int], tuple[int, int]] = {}

    def reach(self, view: str, partition: int, high: dict[int, int], next_offset: int = 1) -> None:
        epoch, sequence = self._owners.get((view, partition)) or (self.store.claim(view, partition).epoch, 0)
        self._owners[view, partition] = (epoch, sequence + 1)
        checkpoint = Checkpoint(next_offset, high, "topic", PARTITIONS)
        self.store.put_checkpoint(view, partition, epoch, sequence + 1, checkpoint)


class ScriptedOffsets:
    """A broker that says what it is told to say."""

    def __init__(self, ends: dict[Partition, int], committed: dict[Partition, int]) -> None:
        self._ends = ends
        self._committed = committed

    def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        wanted = set(topics)
        return {where: end for where, end in self._ends.items() if where[0] in wanted}

    def committed(self) -> Mapping[Partition, int]:
        return self._committed


def _touched(creators: dict[str, str] | None = None) -> TouchedRows:
    return TouchedRows(CATALOG, creators or {}, PARTITIONS)


def _barrier(
    rows: Rows,
    pause: Callable[[ManualClock], None],
    creators: dict[str, str] | None = None,
    drained: Callable[[], bool] = lambda: False,
) -> RowsBarrier:
    clock = ManualClock()

    def paused() -> None:
        clock.advance(10)
        pause(clock)

    return RowsBarrier(_touched(creators), rows.store, CATALOG, drained, clock, paused, timeout_s=1.0)


def _views_touched(event: Event, creators: dict[str, str] | None = None) -> list[tuple[str, int]]:
    return [
        (view.fingerprint, partition)
        for entity, partition in _touched(creators)(event)
        for view in CATALOG.views_of(entity)
    ]


def _fail(_: ManualClock) -> None:
    raise AssertionError("waited although rows cover everything")


def test_an_impression_touches_the_rows_of_its_user_item_creator_and_their_combinations() -> None:
    assert dict(_touched({"i1": "c1"})(SEEN)) == {
        **dict.fromkeys(CATALOG.entities, partition_of("u1", PARTITIONS)),
        "item": partition_of("i1", PARTITIONS),
        "creator": partition_of("c1", PARTITIONS),
    }


def test_an_item_without_creator_touches_no_creator() -> None:
    assert not {"creator", "user|creator"} & dict(_touched()(SEEN)).keys()


def test_events_that_feed_no_view_touch_nothing() -> None:
    assert list(_touched()(ItemEvent(event_id="e", event_time_ms=1, item_id="i1"))) == []
    assert list(_touched()(UserEvent(event_id="e", event_time_ms=1, user_id="u1"))) == []
    odd = InteractionEvent(event_id="e", event_time_ms=1, user_id="u1", item_id="i1", action="shrug")
    assert list(_touched()(odd)) == []


def test_nothing_noted_is_nothing_to_wait_for() -> None:
    _barrier(Rows(), _fail).wait()


def test_rows_that_cover_the_offset_are_enough() -> None:
    rows = Rows()
    for view, partition in _views_touched(SEEN):
        rows.reach(view, partition, {2: 7})
    barrier = _barrier(rows, _fail)
    barrier.note(SEEN, 2, 7)
    barrier.wait()


@pytest.mark.parametrize("missing", range(len(_views_touched(SEEN, {"i1": "c1"}))))
def test_every_view_of_every_entity_is_waited_for(missing: int) -> None:
    rows, views = Rows(), _views_touched(SEEN, {"i1": "c1"})
    for number, (view, partition) in enumerate(views):
        rows.reach(view, partition, {2: 6 if number == missing else 7})
    pauses: list[int] = []

    def catch_up(clock: ManualClock) -> None:
        pauses.append(1)
        if len(pauses) == 3:
            rows.reach(*views[missing], {2: 7})

    barrier = _barrier(rows, catch_up, {"i1": "c1"})
    barrier.note(SEEN, 2, 7)
    barrier.wait()
    assert len(pauses) == 3


def test_another_source_partition_does_not_count() -> None:
    rows = Rows()
    for view, partition in _views_touched(SEEN):
        rows.reach(view, partition, {1: 100})
    barrier = _barrier(rows, lambda clock: None)
    barrier.note(SEEN, 2, 7)
    with pytest.raises(RowsBehind, match=r"rows up to offset -1 of 7 of events\[2\]"):
        barrier.wait()


def test_an_event_that_gives_no_rows_is_covered_once_everything_is_drained() -> None:
    drained: list[bool] = []

    def is_drained() -> bool:
        drained.append(len(drained) == 2)
        return drained[-1]

    barrier = _barrier(Rows(), lambda clock: None, drained=is_drained)
    barrier.note(SEEN, 2, 7)
    barrier.wait()
    assert drained == [False, False, True]


def test_what_was_waited_for_once_is_not_waited_for_again() -> None:
    rows, drained = Rows(), iter([True])
    barrier = _barrier(rows, lambda clock: None, drained=lambda: next(drained))
    barrier.note(SEEN, 2, 7)
    barrier.wait()
    barrier.wait()


def _drained(rows: Rows, committed: int, batches: int) -> Drained:
    topic = batch_topic("item")
    ends = {(EVENTS, 0): 5, (EVENTS, 1): 0, (topic, 0): batches, (topic, 1): 0}
    return Drained(ScriptedOffsets(ends, {(EVENTS, 0): committed}), rows.store, CATALOG)


def test_rows_are_drained_when_ingest_and_all_views_are_at_the_end() -> None:
    rows = Rows()
    (item,) = CATALOG.views_of("item")
    assert _drained(rows, committed=5, batches=0)()
    assert not _drained(rows, committed=4, batches=0)()
    assert not _drained(rows, committed=5, batches=3)()
    rows.reach(item.fingerprint, 0, {}, next_offset=2)
    assert not _drained(rows, committed=5, batches=3)()
    rows.reach(item.fingerprint, 0, {}, next_offset=3)
    assert _drained(rows, committed=5, batches=3)()


def test_lag_is_what_ingest_has_still_to_read() -> None:
    assert _drained(Rows(), committed=2, batches=0).lag() == 3
