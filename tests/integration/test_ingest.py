"""Ingest on a real broker: nothing lost, nothing counted twice, everything refused is kept."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from typer.testing import CliRunner

from eddyline.cli import build
from feature_store.catalog import load_folded
from feature_store.schema.feedback import decode_feedback
from feature_store.schema.topics import DEAD_LETTER, EVENTS, FEEDBACK, ITEMS, batch_topic, topic_specs
from streams.ingest.source import EventSource, Starts
from streams.topics_admin import TopicMismatch, check, create, ensure_topics
from tests.integration.ingest_stack import TIMEOUT_S, Ingest, await_group_coordinator, ends, produce, settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PARTITIONS = 4
CODECS = ("gzip", "snappy", "lz4", "zstd", "none")


@pytest.fixture(scope="module")
def broker(kafka: str, topics: None) -> str:
    """The session's broker, with every topic as declared."""
    await_group_coordinator(kafka)
    return kafka


@pytest.fixture
def ingest(broker: str, tmp_path: Path) -> Ingest:
    """An ingest that has seen nothing of what other tests wrote."""
    made = Ingest(broker, tmp_path)
    made.remember_ends(*(batch_topic(entity) for entity in ("user", "item", "creator", "user|creator")))
    made.remember_ends(FEEDBACK, DEAD_LETTER, ITEMS)
    return made


def event(kind: str, event_id: str, age_ms: int = 0, **fields: object) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    return json.dumps(
        {"type": kind, "event_id": event_id, "event_time_ms": now_ms - age_ms, **fields}
    ).encode()


def impression(event_id: str, user_id: str, item_id: str, **fields: object) -> bytes:
    return event("impression", event_id, user_id=user_id, item_id=item_id, **fields)


def impressions(n: int, prefix: str) -> list[tuple[int, bytes]]:
    """n distinct impressions of 20 users and 30 items over all partitions."""
    return [
        (i % PARTITIONS, impression(f"{prefix}-{i}", f"{prefix}-u{i % 20}", f"{prefix}-i{i % 30}"))
        for i in range(n)
    ]


def expected(records: list[tuple[int, bytes]], field: str) -> Counter[str]:
    return Counter(json.loads(value)[field] for _, value in records)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read(ingest: Ingest, codec: str) -> None:
    records = impressions(500, codec)
    with ingest.running(kafka_compression=codec) as worker:
        produce(ingest.bootstrap, records, **{"compression.type": codec, "linger.ms": 20})
        worker.wait_for(500)
        assert worker.drain() == 0
    assert ingest.counts("item") == expected(records, "item_id")
    assert ingest.counts("user") == expected(records, "user_id")
    rows = sum(decode_feedback(message.value() or b"")[0].num_rows for message in ingest.made(FEEDBACK))
    assert rows == 500


def test_large_early_and_ancient_events_end_as_dead_letters_with_their_bytes(ingest: Ingest) -> None:
    day_ms = 24 * 3600 * 1000
    refused = [
        b'{"pad":"' + b"x" * 10_000_000 + b'"}',
        event("user", "early", age_ms=-day_ms, user_id="u"),
        event("user", "ancient", age_ms=31 * day_ms, user_id="u"),
        b"\x00\xff",
    ]
    large = impression("large", "large-u", "large-i", pad="y" * 10_000_000)
    records = [(i % PARTITIONS, value) for i, value in enumerate([*refused, large])]
    with ingest.running() as worker:
        produce(ingest.bootstrap, records)
        worker.wait_for(len(records))
        assert worker.drain() == 0
    letters = {message.value(): dict(message.headers() or []) for message in ingest.made(DEAD_LETTER)}
    assert set(letters) == set(refused)
    assert [letters[value]["reason"] for value in refused] == [
        b"missing_field",
        b"time_ahead",
        b"time_behind",
        b"malformed",
    ]
    assert all(header["source_topic"] == b"events" for header in letters.values())
    assert ingest.counts("item") == {"large-i": 1}


def test_duplicates_are_known_across_restarts(ingest: Ingest) -> None:
    records = impressions(300, "restarts")
    with ingest.running() as worker:
        produce(ingest.bootstrap, records)
        worker.wait_for(300)
        assert worker.drain() == 0
    committed = ingest.committed()
    with ingest.running() as worker:
        produce(ingest.bootstrap, [*records, (0, impression("restarts-new", "restarts-u0", "restarts-i0"))])
        worker.wait_for(301)
        assert worker.metric("eddyline_ingest_duplicates_total") == 300
        assert worker.drain() == 0
    assert sum(ingest.committed().values()) == sum(committed.values()) + 301
    assert ingest.counts("item") == expected(records, "item_id") + Counter({"restarts-i0": 1})


def test_a_worker_killed_between_produce_and_commit_leaves_no_gap_and_no_double_count(ingest: Ingest) -> None:
    records = impressions(4_000, "killed")
    with ingest.running(ingest_commit_interval_ms=600_000) as worker:
        produce(ingest.bootstrap, records[:3_000])
        worker.wait_for(3_000)
        before = ingest.committed()
        worker.kill()
    produce(ingest.bootstrap, records[3_000:])
    assert ingest.committed() == before
    with ingest.running(ingest_poll_events=700) as worker:
        worker.wait_for(4_000)
        assert worker.drain() == 0
    for entity, field in (("item", "item_id"), ("user", "user_id")):
        assert ingest.counts(entity) == expected(records, field)


def test_workers_killed_at_any_moment_leave_no_gap_and_no_double_count(ingest: Ingest) -> None:
    rng = random.Random(7)
    written: list[tuple[int, bytes]] = []
    for turn in range(6):
        with ingest.running(ingest_commit_interval_ms=20, ingest_poll_events=200) as worker:
            records = impressions(2_000, f"any{turn}")
            produce(ingest.bootstrap, records)
            written += records
            worker.wait_for(rng.randrange(2_000))
            worker.kill()
    with ingest.running() as worker:
        behind = sum(ends_now(ingest).values()) - sum(ingest.committed().values())
        worker.wait_for(behind)
        assert worker.drain() == 0
    assert ingest.counts("item") == expected(written, "item_id")
    assert ingest.counts("user") == expected(written, "user_id")


def test_two_workers_share_the_partitions_and_hand_them_over(ingest: Ingest) -> None:
    records = [impressions(2_000, f"shared{turn}") for turn in range(3)]
    with ingest.running(instance=0) as first:
        produce(ingest.bootstrap, records[0])
        first.wait_for(2_000)
        with ingest.running(instance=1) as second:
            produce(ingest.bootstrap, records[1])
            taken = "eddyline_ingest_events_total"
            second.wait(lambda: first.metric(taken) + second.metric(taken) >= 4_000)
            assert second.metric(taken) > 0
            assert second.drain() == 0
        produce(ingest.bootstrap, records[2])
        first.wait(lambda: sum(ends_now(ingest).values()) == sum(ingest.committed().values()))
        assert first.drain() == 0
    assert ingest.counts("item") == expected([*records[0], *records[1], *records[2]], "item_id")


def test_an_impression_sees_the_item_events_that_were_appended_before_it(ingest: Ingest) -> None:
    announced = [
        (n, event("item", f"order-e{n}", item_id=f"order-i{n}", creator_id="order-c"))
        for n in range(PARTITIONS)
    ]
    seen = [
        ((n + 1) % PARTITIONS, impression(f"order-s{n}", "order-u", f"order-i{n}")) for n in range(PARTITIONS)
    ]
    produce(ingest.bootstrap, announced)
    produce(ingest.bootstrap, seen)
    with ingest.running(ingest_poll_events=1, ingest_duplicate_window=1) as worker:
        worker.wait_for(8)
        assert worker.drain() == 0
    assert ingest.counts("creator") == {"order-c": 4}
    assert ingest.counts("user|creator") == {"order-u|order-c": 4}


def test_items_that_another_ingest_forwarded_are_loaded_before_anything_is_emitted(ingest: Ingest) -> None:
    with ingest.running() as worker:
        produce(ingest.bootstrap, [(0, event("item", "load-e", item_id="load-i", creator_id="load-c"))])
        worker.wait_for(1)
        assert worker.drain() == 0
    with ingest.running() as worker:
        again = event("item", "load-e2", item_id="load-i", creator_id="load-other")
        produce(ingest.bootstrap, [(1, impression("load-s", "load-u", "load-i")), (0, again)])
        worker.wait_for(2)
        assert worker.drain() == 0
    assert ingest.counts("creator") == {"load-c": 1}
    (letter,) = ingest.made(DEAD_LETTER)
    assert dict(letter.headers() or [])["reason"] == b"creator_changed"


def test_partitions_that_change_hands_within_a_poll_are_read_again_from_the_commit(ingest: Ingest) -> None:
    """The second worker comes between a first record and the rest of them; the first partition stays."""
    ours, started = [], []

    def source(instance: int, on_assigned: Callable[[Starts], None]) -> EventSource:
        told = {"ingest_group": ingest.group, "instance": instance}
        few = {"ingest_duplicate_window": 1, "ingest_poll_events": 11}
        made = EventSource(
            settings(ingest.bootstrap).model_copy(update=told | few),
            on_assigned=on_assigned,
            on_revoked=lambda: None,
            on_lost=lambda count: None,
        )
        made.subscribe()
        return made

    def to_the_first(n: int) -> None:
        produce(ingest.bootstrap, [(0, impression(f"hands-{i}", "u", "i")) for i in range(n)])

    def come() -> float:
        if not started:
            started.append(pool.submit(lambda: [second.poll(lambda: 0.0) for _ in iter(over.is_set, True)]))
        return TIMEOUT_S

    over = Event()
    first = source(0, ours.append)
    while not ours or not all(first.at_end(n) for n in range(PARTITIONS)):
        first.poll(lambda: 0.0)
    to_the_first(1)
    with ThreadPoolExecutor() as pool:
        second = source(1, lambda starts: to_the_first(20))
        try:
            while not (runs := first.poll(come)):
                pass
        finally:
            over.set()
    assert len(ours) == 2
    assert [run.offsets for run in runs if run.partition == 0] != []
    for run in runs:
        begin, _ = ours[-1][run.partition]
        assert run.offsets == list(range(begin, begin + len(run.offsets)))
    first.close()
    started[0].result()
    second.close()


def test_dead_letters_are_listed_and_each_is_replayed_once(
    ingest: Ingest, capfd: pytest.CaptureFixture[str]
) -> None:
    cli, options = CliRunner(), ["--kafka", ingest.bootstrap, "--reason", "bad_action", "--json"]
    bad = event("interaction", "letter", user_id="u", item_id="i", action="NO")

    def replay(*more: str) -> tuple[int, int, int]:
        done = cli.invoke(build(), ["deadletters", "replay", *options, *more])
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert told["left_out_truncated"] == 0
        return told["replayed"], told["left_out_replayed_before"], told["left_out_repeated"]

    with ingest.running() as worker:
        produce(ingest.bootstrap, [(0, bad)])
        worker.wait_for(1)
        listed = cli.invoke(build(), ["deadletters", "list", *options])
        assert listed.exit_code == 0, listed.output
        found = json.loads(listed.stdout)
        assert found["counts"] == {"bad_action": 1}
        assert (found["newest"][0]["field"], found["newest"][0]["value"]) == ("action", bad.decode())
        assert replay() == (1, 0, 0)
        worker.wait_for(2)
        assert replay() == (1, 1, 0)
        worker.wait_for(3)
        assert replay("--again") == (1, 0, 2)
        worker.wait_for(4)
        assert worker.drain() == 0
    assert [message.value() for message in ingest.made(DEAD_LETTER)] == [bad] * 4
    assert replay() == (1, 3, 0)
    capfd.readouterr()
    assert replay() == (0, 4, 0)
    assert capfd.readouterr() == ("", "")  # what clients of Kafka print themselves would be here
    plain = cli.invoke(build(), ["deadletters", "list", "--kafka", ingest.bootstrap])
    assert plain.exit_code == 0 and "bad_action" in plain.stdout
    assert cli.invoke(build(), ["deadletters", "replay", "--kafka", ingest.bootstrap]).exit_code == 2


def test_topics_that_are_not_as_declared_are_named_with_what_to_do(broker: str) -> None:
    declared = settings(broker)
    assert ensure_topics(declared) == []
    with pytest.raises(TopicMismatch, match=r"events: partitions: declared 5, found 4.*EVENTS_PARTITIONS"):
        ensure_topics(declared.model_copy(update={"events_partitions": 5}))
    _set_retention(broker, "findings", "1000")
    try:
        with pytest.raises(TopicMismatch, match=r"findings: retention.ms: declared 2592000000, found 1000"):
            ensure_topics(declared)
    finally:
        _set_retention(broker, "findings", "2592000000")
    assert ensure_topics(declared) == []


def test_a_bound_on_disk_that_topics_do_not_have_is_named_and_set_only_when_asked_for(broker: str) -> None:
    unbounded = settings(broker)
    bounded = unbounded.model_copy(update={"kafka_disk_gb": 8})
    ensure_topics(unbounded)
    with pytest.raises(TopicMismatch, match=r"events: retention.bytes: declared \d+, found -1.*--alter"):
        ensure_topics(bounded)
    assert ensure_topics(bounded, altering=True) == []
    assert ensure_topics(bounded) == []
    assert ensure_topics(unbounded) == []  # what an owner bounds is not ours to mend


def test_a_client_that_was_told_that_a_topic_is_unknown_does_not_keep_its_creation_waiting(
    broker: str,
) -> None:
    """As when a broker is asked between the creation of a topic and its own knowledge of it."""
    specs = topic_specs(settings(broker), load_folded().entities)
    (late,) = [replace(spec, name="late") for spec in specs if spec.name == DEAD_LETTER]
    misled = AdminClient({"bootstrap.servers": broker})
    assert late.name not in misled.list_topics(timeout=30).topics
    (asked,) = misled.list_offsets({TopicPartition(late.name, 0): OffsetSpec.latest()}).values()
    assert asked.exception(30) is not None
    clients = chain([misled, misled], iter(lambda: AdminClient({"bootstrap.servers": broker}), None))
    assert create(lambda: next(clients), [late], replication_factor=1) == ["late"]
    check(misled, [late])


def test_events_made_anew_are_not_taken_for_those_that_rows_count_already(ingest: Ingest) -> None:
    with ingest.running() as worker:
        produce(ingest.bootstrap, impressions(10, "anew"))
        worker.wait_for(10)
        assert worker.drain() == 0
    _make_anew(ingest.bootstrap, EVENTS)
    with pytest.raises(AssertionError, match=r"EventsMadeAnew.*was deleted and made anew"), ingest.running():
        pass


def ends_now(ingest: Ingest) -> dict[int, int]:
    return ends(ingest.bootstrap, "events")


def _make_anew(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (deleted,) = admin.delete_topics([topic]).values()
    deleted.result()
    deadline = time.monotonic() + 30
    while topic not in ensure_topics(settings(bootstrap)):  # deleting goes on behind the answer
        assert time.monotonic() < deadline


def _set_retention(bootstrap: str, topic: str, retention_ms: str) -> None:
    change = ConfigEntry("retention.ms", retention_ms, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (done,) = admin.incremental_alter_configs([resource]).values()
    done.result()
