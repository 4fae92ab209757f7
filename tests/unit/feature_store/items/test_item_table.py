"""What the table of items knows after any events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.items import CreatorChanged, ItemRecord, ItemTable
from feature_store.items.table import as_event
from feature_store.schema.events import ItemEvent, ItemRemovedEvent


def item(time_ms: int, creator: str | None = None, **attributes: float) -> ItemEvent:
    return ItemEvent(
        event_id="e", event_time_ms=time_ms, item_id="i", creator_id=creator, attributes=dict(attributes)
    )


def removed(time_ms: int) -> ItemRemovedEvent:
    return ItemRemovedEvent(event_id="e", event_time_ms=time_ms, item_id="i")


def table(*events: ItemEvent | ItemRemovedEvent) -> ItemTable:
    made = ItemTable()
    for event in events:
        made.apply(event)
    return made


def test_the_event_with_the_latest_time_stays_whatever_came_last() -> None:
    made = table(item(2, n=2.0))
    assert not made.apply(item(1, n=1.0))
    record = made.get("i")
    assert record and record.attributes == {"n": 2.0}


def test_of_equal_times_the_last_applied_stays() -> None:
    record = table(item(1, n=1.0), item(1, n=2.0)).get("i")
    assert record and record.attributes == {"n": 2.0}


def test_a_creator_once_known_stays() -> None:
    made = table(item(1), item(2, "c"), item(3))
    assert made.creator_of("i") == "c"
    with pytest.raises(CreatorChanged, match=r"item i has creator c"):
        made.apply(item(4, "d"))
    record = made.get("i")
    assert record and record.event_time_ms == 3


def test_an_older_event_adds_the_creator_and_nothing_else() -> None:
    made = table(item(2, n=2.0))
    record = made.apply(item(1, "c", n=1.0))
    assert record == made.get("i") == ItemRecord("i", "c", 2, attributes={"n": 2.0})
    assert made.apply(item(1, "c", n=1.0)) is None
    with pytest.raises(CreatorChanged):
        made.apply(item(3, "d"))


def test_a_removed_item_keeps_what_was_known_until_it_comes_back() -> None:
    made = table(item(1, "c", n=1.0), removed(2))
    record = made.get("i")
    assert record and (record.removed, record.creator_id, record.attributes) == (True, "c", {"n": 1.0})
    made.apply(item(3, n=2.0))
    record = made.get("i")
    assert record and (record.removed, record.creator_id, record.attributes) == (False, "c", {"n": 2.0})


def test_a_listener_hears_what_there_is_and_what_changes() -> None:
    made, heard = table(item(1, n=1.0)), list[ItemRecord]()
    made.subscribe(heard.append)
    made.apply(item(3, n=3.0))
    made.apply(item(2, n=2.0))
    assert [record.event_time_ms for record in heard] == [1, 3]


def test_nothing_is_known_of_a_stranger() -> None:
    assert ItemTable().get("i") is None
    assert ItemTable().creator_of("i") is None


CREATORS = st.sampled_from([None, "c"])
EVENTS = st.lists(
    st.builds(item, st.integers(0, 5), CREATORS, n=st.floats(0, 9)) | st.builds(removed, st.integers(0, 5)),
    min_size=1,
    max_size=8,
)


@given(EVENTS)
def test_the_last_completed_event_alone_rebuilds_the_record(
    events: list[ItemEvent | ItemRemovedEvent],
) -> None:
    made = ItemTable()
    forwarded = []
    for event in events:
        if record := made.apply(event):
            forwarded.append(as_event(record, event.event_id))
    assert table(forwarded[-1]).get("i") == made.get("i")


@given(EVENTS, st.data())
def test_no_order_of_the_events_loses_the_creator(
    events: list[ItemEvent | ItemRemovedEvent], data: st.DataObject
) -> None:
    creator = max(event.creator_id or "" for event in events) or None
    assert table(*data.draw(st.permutations(events))).creator_of("i") == creator


@given(
    st.lists(
        st.builds(item, st.integers(0), CREATORS, n=st.floats(0, 9)),
        min_size=1,
        max_size=6,
        unique_by=lambda event: event.event_time_ms,
    ),
    st.data(),
)
def test_in_any_order_events_of_different_times_leave_the_same_record(
    events: list[ItemEvent], data: st.DataObject
) -> None:
    assert table(*data.draw(st.permutations(events))).get("i") == table(*events).get("i")
