"""Records in, messages out: every record ends as exactly one of emitted, duplicate, dead letter."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.items import ItemTable
from feature_store.schema.events import ItemEvent, ItemRemovedEvent, Reason, parse_event
from feature_store.schema.ids import hash53, partition_of
from feature_store.schema.topics import ITEMS
from streams.ingest.entity_batches import EntityBatcher
from streams.ingest.routes import EntityRoute
from tests.unit.streams.ingest.ingest_world import (
    NOW_MS,
    ROUTES,
    batches,
    click,
    dead_letters,
    event,
    feedback,
    feedback_ranges,
    impression,
    ingestor,
    item,
    rows,
    run,
)


def test_an_impression_feeds_every_entity_that_it_can_be_joined_to() -> None:
    made = item("e0", creator_id="c1", attributes={"genres": ["drama", "noir", "drama"]})
    output = ingestor().ingest([run(made, impression("e1"))])
    assert [row.entity_id for row in rows(output, "user")] == ["u1"]
    assert [(row.entity_id, row.event) for row in rows(output, "item")] == [
        ("i1", "item"),
        ("i1", "impression"),
    ]
    assert [row.entity_id for row in rows(output, "creator")] == ["c1"]
    assert [row.entity_id for row in rows(output, "user|creator")] == ["u1|c1"]
    assert [row.entity_id for row in rows(output, "user|genres")] == ["u1|drama", "u1|noir"]


def test_an_unknown_item_gives_no_row_of_what_is_unknown() -> None:
    output = ingestor().ingest([run(impression("e1", item_id="stranger"))])
    assert [row.entity_id for row in rows(output, "item")] == ["stranger"]
    assert rows(output, "creator") == rows(output, "user|creator") == rows(output, "user|genres") == []


def test_an_entity_takes_only_the_events_that_its_views_name() -> None:
    like = event("interaction", "e2", user_id="u1", item_id="i1", action="like", value=0.5)
    output = ingestor().ingest([run(click("e1", value=2), like, event("user", "e3", user_id="u1"))])
    assert [(row.event, row.value) for row in rows(output, "item")] == [("interaction/click", 2.0)]
    assert [(row.event, row.value) for row in rows(output, "user")] == [
        ("interaction/click", 2.0),
        ("interaction/like", 0.5),
        ("user", 1.0),
    ]


def test_a_number_that_no_model_could_read_is_refused_by_name_and_the_stream_goes_on() -> None:
    too_large = (
        item("e0", attributes={"popularity": 1e39}),
        click("e1", value=-1e39),
        click("e2", value=math.inf),
    )
    output = ingestor().ingest([run(*too_large, click("e3", value=2.5))])
    refused = [(headers["reason"], headers["field"]) for _, headers in dead_letters(output)]
    assert refused == [(b"bad_attributes", b"attributes"), (b"out_of_range", b"value"), (b"malformed", b"")]
    assert [value for value, _ in dead_letters(output)] == list(too_large)
    assert [(row.event, row.value) for row in rows(output, "item")] == [("interaction/click", 2.5)]


def test_rows_lie_in_the_partition_of_their_first_part_in_log_order() -> None:
    events = [impression(f"e{i}", user_id=f"u{i % 7}", item_id=f"i{i % 5}") for i in range(60)]
    output = ingestor().ingest([run(*events[:30]), run(*events[30:], partition=2)])
    for entity in ("user", "item"):
        for partition, batch in batches(output, entity):
            assert {partition_of(id_, 4) for id_ in batch.entity_ids} == {partition}
            assert len(set(batch.entity_ids)) == len(batch.entity_ids)
            assert set(batch.entity_index.tolist()) == set(range(len(batch.entity_ids)))
            sources = list(zip(batch.source_partition.tolist(), batch.source_offset.tolist(), strict=True))
            assert sources == sorted(sources)
    assert len(rows(output, "user")) == len(rows(output, "item")) == 60


def test_columns_hold_the_items_values_and_an_events_own() -> None:
    table = ItemTable()
    worker = ingestor(table)
    made = item("e0", creator_id="c1", attributes={"genres": ["drama"], "popularity": 9.5, "country": "NL"})
    user = event("user", "e2", user_id="u1", attributes={"country": "DE"})
    output = worker.ingest([run(made, impression("e1"), user)])
    ((_, batch),) = batches(output, "user")
    assert batch.extra["item_hash"][0] == hash53("i1") and math.isnan(batch.extra["item_hash"][1])
    assert batch.extra["creator_hash"][0] == hash53("c1")
    assert batch.extra["attribute.country"].tolist() == [hash53("NL"), hash53("DE")]
    assert batch.extra["attribute.genres[2]"][0][0] == hash53("drama")
    assert math.isnan(batch.extra["attribute.genres[2]"][0][1])
    ((_, batch),) = batches(output, "item")
    assert batch.extra["attribute.popularity"].tolist() == [9.5, 9.5]


def test_each_item_event_carries_its_own_attributes_not_the_latest() -> None:
    updates = [item(f"e{i}", creator_id="c1", attributes={"popularity": float(i)}) for i in range(3)]
    ((_, batch),) = batches(ingestor().ingest([run(*updates)]), "item")
    assert batch.extra["attribute.popularity"].tolist() == [0.0, 1.0, 2.0]


def test_feedback_keeps_what_the_join_needs() -> None:
    events = [
        impression("e1", request_id="r1", position=3, propensity=0.25),
        click("e2", value=2),
        event("user", "e3", user_id="u1"),
    ]
    output = ingestor().ingest([run(*events, first=0)])
    first, second = feedback(output)
    assert first == {
        "user_id": "u1",
        "item_id": "i1",
        "request_id": "r1",
        "event": "impression",
        "value": 1.0,
        "position": 3,
        "propensity": 0.25,
        "event_time_ms": NOW_MS,
        "source_partition": 0,
        "source_offset": 0,
    }
    assert (second["event"], second["value"], second["position"], second["propensity"]) == (
        "interaction/click",
        2.0,
        None,
        None,
    )
    assert feedback_ranges(output) == [{0: (0, 2)}]


def test_batches_cover_all_that_was_read_without_a_hole() -> None:
    worker = ingestor()
    worker.ingest([run(b"garbage", first=0)])
    holes = run(impression("e1"), impression("e2"), first=5)
    ((_, batch),) = batches(worker.ingest([holes, run(b"garbage", partition=1)]), "item")
    assert batch.ranges == {0: (1, 6), 1: (0, 0)}
    assert worker.next_offsets == {0: 7, 1: 1, 2: 0}


def test_records_before_the_last_commit_only_fill_the_duplicate_window() -> None:
    worker = ingestor(emit_from=3)
    output = worker.ingest(
        [run(impression("e0"), b"garbage", item("e1"), impression("e0"), impression("e2"))]
    )
    assert [row.source for row in rows(output, "user")] == [(0, 4)]
    assert (output.duplicates, output.refused.total()) == (1, 0)
    ((_, batch),) = batches(output, "user")
    assert batch.ranges == {0: (3, 4)}


def test_a_duplicate_is_counted_and_nothing_else() -> None:
    output = ingestor().ingest([run(impression("e1"), impression("e1"), click("e1"))])
    assert (output.duplicates, output.accepted.total(), dead_letters(output)) == (2, 1, [])


def test_a_corrected_event_may_reuse_the_id_of_the_refused_one() -> None:
    output = ingestor().ingest([run(impression("e1", position=-1), impression("e1", position=1))])
    assert (output.duplicates, output.accepted.total(), output.refused.total()) == (0, 1, 1)


def test_a_dead_letter_keeps_the_bytes_and_says_why_and_from_where() -> None:
    output = ingestor().ingest([run(impression("ok"), b'{"type":"post"}', partition=2, first=0)])
    ((value, headers),) = dead_letters(output)
    assert value == b'{"type":"post"}'
    assert headers["message"]
    assert {
        name: headers[name]
        for name in ("reason", "field", "source_topic", "source_partition", "source_offset")
    } == {
        "reason": b"unknown_type",
        "field": b"type",
        "source_topic": b"events",
        "source_partition": b"2",
        "source_offset": b"1",
    }


def test_a_dead_letter_that_fits_no_topic_keeps_its_beginning() -> None:
    ((value, headers),) = dead_letters(ingestor().ingest([run(b"x" * 12_000_000)]))
    assert headers["reason"] == b"too_large"
    assert headers["truncated_from_bytes"] == b"12000000"
    assert value == b"x" * 65_536


def test_time_is_judged_by_the_records_own() -> None:
    late, early = NOW_MS + 31 * 24 * 3600 * 1000, NOW_MS - 6 * 60 * 1000
    worker = ingestor()
    output = worker.ingest(
        [run(impression("e1"), time_ms=late), run(impression("e2"), partition=1, time_ms=early)]
    )
    assert output.refused == {Reason.TIME_BEHIND: 1, Reason.TIME_AHEAD: 1}
    assert output.accepted.total() == 0


def test_an_items_creator_never_changes() -> None:
    table = ItemTable()
    output = ingestor(table).ingest(
        [run(item("e1", creator_id="c1"), item("e2", creator_id="c2"), item("e3"))]
    )
    assert output.refused == {Reason.CREATOR_CHANGED: 1}
    assert table.creator_of("i1") == "c1"
    assert dead_letters(output)[0][1]["field"] == b"creator_id"


def test_an_item_whose_events_come_out_of_order_has_its_creator() -> None:
    update = item("e1", event_time_ms=NOW_MS + 1, attributes={"popularity": 2.0})
    creation = item("e2", creator_id="c1", attributes={"popularity": 1.0})
    output = ingestor().ingest(
        [run(update, creation, impression("e3"), item("e4", event_time_ms=NOW_MS + 2, creator_id="c2"))]
    )
    assert [row.entity_id for row in rows(output, "creator")] == ["c1"]
    assert output.refused == {Reason.CREATOR_CHANGED: 1}
    forwarded = [parse_event(message.value or b"") for message in output.messages if message.topic == ITEMS]
    assert forwarded[-1] == ItemEvent(
        event_id="e2",
        event_time_ms=NOW_MS + 1,
        item_id="i1",
        creator_id="c1",
        attributes={"popularity": 2.0},
    )


def test_item_events_are_forwarded_complete_by_item() -> None:
    attributes = {"genres": ["drama"]}
    events = [item("e1", creator_id="c1", attributes=attributes), event("item_removed", "e2", item_id="i1")]
    output = ingestor().ingest([run(*events)])
    forwarded = [message for message in output.messages if message.topic == ITEMS]
    assert {message.key for message in forwarded} == {b"i1"}
    made, removed = (parse_event(message.value or b"") for message in forwarded)
    assert isinstance(made, ItemEvent) and isinstance(removed, ItemRemovedEvent)
    assert (removed.creator_id, removed.attributes) == ("c1", attributes)
    rebuilt = ItemTable()
    rebuilt.apply(removed)
    record = rebuilt.get("i1")
    assert record and (record.removed, record.creator_id) == (True, "c1")


def test_what_happens_after_an_items_removal_still_counts_for_its_creator() -> None:
    events = [item("e1", creator_id="c1"), event("item_removed", "e2", item_id="i1"), impression("e3")]
    assert [row.entity_id for row in rows(ingestor().ingest([run(*events)]), "creator")] == ["c1"]


def test_items_announced_elsewhere_are_joined_once_the_table_has_them() -> None:
    table = ItemTable()
    worker = ingestor(table)
    assert rows(worker.ingest([run(impression("e1"))]), "creator") == []
    announced = parse_event(item("x", creator_id="c1"))
    assert isinstance(announced, ItemEvent)
    table.apply(announced)
    assert [r.entity_id for r in rows(worker.ingest([run(impression("e2"), first=1)]), "creator")] == ["c1"]


def test_values_that_fit_no_id_give_no_row_and_are_counted() -> None:
    made = item("e0", attributes={"genres": ["a|b", "", "ok"]})
    output = ingestor().ingest([run(made, impression("e1"))])
    assert [row.entity_id for row in rows(output, "user|genres")] == ["u1|ok"]
    assert output.values_skipped == 2


def test_a_column_that_nobody_knows_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match=r"user.*colour"):
        EntityBatcher(EntityRoute("user", frozenset(), ("colour",)))


IDS = st.sampled_from(["a", "b", "c", "a|b", "", "\x00"])
EVENTS = st.builds(
    event,
    st.sampled_from(["item", "item_removed", "user", "impression", "interaction", "other"]),
    IDS,
    user_id=IDS,
    item_id=IDS,
    creator_id=st.none() | IDS,
    action=st.sampled_from(["click", "like", "A"]),
    attributes=st.dictionaries(st.sampled_from(["genres", "x"]), st.lists(IDS) | st.text() | st.integers()),
)
RECORDS = st.lists(st.none() | st.binary(max_size=40) | EVENTS, min_size=1, max_size=12)


@given(st.lists(st.dictionaries(st.integers(0, 2), RECORDS, min_size=1), max_size=5))
def test_every_record_ends_as_exactly_one_of_emitted_duplicate_dead_letter(
    polls: list[dict[int, list[bytes | None]]],
) -> None:
    worker = ingestor()
    for poll in polls:
        runs = [
            run(*values, partition=partition, first=worker.next_offsets[partition])
            for partition, values in poll.items()
        ]
        output = worker.ingest(runs)
        letters = {(int(h["source_partition"]), int(h["source_offset"])) for _, h in dead_letters(output)}  # type: ignore[call-overload]
        emitted = {row.source for route in ROUTES for row in rows(output, route.entity)}
        emitted |= {(row["source_partition"], row["source_offset"]) for row in feedback(output)}
        assert letters.isdisjoint(emitted)
        assert len(letters) == output.refused.total()
        assert len(emitted) <= output.accepted.total()
        assert output.accepted.total() + output.duplicates + len(letters) == sum(map(len, runs))
        originals = {
            (part.partition, o): v for part in runs for o, v in zip(part.offsets, part.values, strict=True)
        }
        assert all(
            originals[int(h["source_partition"]), int(h["source_offset"])] == v
            for v, h in dead_letters(output)
        )  # type: ignore[call-overload]


@given(st.data())
def test_how_the_log_is_polled_changes_no_row(data: st.DataObject) -> None:
    table = ItemTable()
    known = parse_event(item("x", item_id="a", creator_id="c", attributes={"genres": ["g", "h"]}))
    assert isinstance(known, ItemEvent)
    table.apply(known)
    values = data.draw(
        st.lists(st.builds(impression, IDS, IDS, IDS) | st.builds(click, IDS, IDS, IDS), max_size=20)
    )
    whole = ingestor(table)
    at_once = whole.ingest([run(*values)]) if values else None
    parts = ingestor(table)
    one_by_one = [parts.ingest([run(value, first=i)]) for i, value in enumerate(values)]
    for route in ROUTES:
        separate = [row for output in one_by_one for row in rows(output, route.entity)]
        assert separate == (rows(at_once, route.entity) if at_once else [])


def test_a_run_of_several_blocks_is_judged_like_its_records_one_by_one() -> None:
    known = {"creator_id": "c1", "attributes": {"genres": ["drama"]}}

    def record(n: int) -> bytes:
        if n % 89 == 0:
            return item(f"e{n}", **known)
        if n % 97 == 0:
            return b"garbage"
        if n % 101 == 0:
            return event("user", f"e{n}", user_id=f"u{n % 7}", attributes={"country": f"n{n}"})
        return click(f"e{n % 900}", f"u{n % 7}") if n % 3 else impression(f"e{n}", f"u{n % 7}", position=n)

    values = [record(n) for n in range(1300)]
    at_once = ingestor().ingest([run(*values)])
    parts = ingestor()
    one_by_one = [parts.ingest([run(value, first=n)]) for n, value in enumerate(values)]
    for route in ROUTES:
        assert rows(at_once, route.entity) == [r for out in one_by_one for r in rows(out, route.entity)]
    assert sorted(feedback(at_once), key=lambda row: str(row["source_offset"])) == sorted(
        (row for out in one_by_one for row in feedback(out)), key=lambda row: str(row["source_offset"])
    )
    assert dead_letters(at_once) == [letter for out in one_by_one for letter in dead_letters(out)]
    assert at_once.duplicates == sum(out.duplicates for out in one_by_one) > 0
    assert at_once.accepted == sum((out.accepted for out in one_by_one), Counter())
    countries = {
        value for _, b in batches(at_once, "user") for value in b.extra["attribute.country"].tolist()
    }
    assert {hash53(f"n{n}") for n in range(101, 1300, 101) if n % 89 and n % 97} <= countries
