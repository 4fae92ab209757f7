"""What follows an answer: rows of `rank.served`, the ready timeline, and nothing that holds up the next."""

from threading import Event

import numpy as np

from feature_store.online.timelines import MemoryTimelineStore
from feature_store.schema.ids import partition_of
from feature_store.schema.served import decode_served
from ranker.side_effects.answer import Answer
from ranker.side_effects.served import ServedRows
from ranker.side_effects.timeline import ReadyTimeline
from ranker.side_effects.worker import SideEffects
from tests.unit.ranker.world import NOW_MS, PARTITIONS, SERVICE, World


class LogInMemory:
    """A served log that keeps messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes]] = []

    def append(self, partition: int, message: bytes) -> None:
        self.messages.append((partition, message))


class Gate:
    """An effect that waits to be let through, or fails."""

    name = "gate"

    def __init__(self, failure: Exception | None = None) -> None:
        self.entered, self.open = Event(), Event()
        self.seen: list[Answer] = []
        self._failure = failure

    def apply(self, answers) -> None:
        self.entered.set()
        self.open.wait()
        if self._failure:
            raise self._failure
        self.seen += answers


def answer(
    world: World, ids: list[str], *, limit: int = 2, user_id: str = "u1", payload: bytes = b"{}"
) -> Answer:
    query = world.query(ids, limit=limit, user_id=user_id)
    return Answer(query, world.pipeline().rank(query), payload, NOW_MS + 5, SERVICE.fingerprint)


def rows_of(log: LogInMemory) -> list[dict]:
    return [row for _, message in log.messages for row in decode_served(message).to_pylist()]


def test_every_scored_candidate_is_logged_and_only_served_ones_with_features():
    world, log = World(), LogInMemory()
    ids = world.announce(5)
    for item in ids:
        world.row("item", item)
    one = answer(world, ids, limit=2)
    ServedRows(log, PARTITIONS).apply([one])
    rows = {row["item_id"]: row for row in rows_of(log)}
    assert set(rows) == set(ids)
    assert {partition for partition, _ in log.messages} == {partition_of("u1", PARTITIONS)}
    served = [one.outcome.batch.item_ids[place] for place in one.outcome.slate.order.tolist()]
    for item, row in rows.items():
        assert row["position"] == (served.index(item) if item in served else None)
        assert all((row[read] is not None) == (item in served) for read in ("features", "ids", "row_marks"))
        assert row["propensity"] == (1.0 if item in served else None)
        assert (row["model_version"], row["policy"]) == ("ranker:7", "test/1")
        assert row["published_score"] == row["raw_score"] + row["nudge"]
    place = ids.index(served[0])
    features = one.outcome.features
    expected = np.concatenate((features.user[0], features.candidates[place])).tolist()
    assert rows[served[0]]["features"] == expected
    assert rows[served[0]]["ids"] == features.ids[place].tolist()
    assert rows[served[0]]["row_marks"]["item"]["row_offset"] == 3


def test_an_empty_answer_leaves_no_row_and_does_not_replace_the_ready_timeline():
    world, log, store = World(), LogInMemory(), MemoryTimelineStore()
    world.announce(2)
    ReadyTimeline(store, 60).apply(
        [answer(world, ["i0"], payload=b"full"), answer(world, [], payload=b"empty")]
    )
    ServedRows(log, PARTITIONS).apply([answer(world, [])])
    assert store.get("u1") == b"full"
    assert log.messages == []


def test_answers_without_a_model_are_logged_too():
    world, log = World(), LogInMemory()
    world.client.failure = ConnectionError()
    ids = world.announce(2)
    ServedRows(log, PARTITIONS).apply([answer(world, ids), answer(World(), ids)])
    assert {row["model_version"] for row in rows_of(log)} == {"", "ranker:7"}


def test_an_answer_that_finds_the_queue_full_is_dropped_and_counted():
    world, gate, dropped = World(), Gate(), []
    effects = SideEffects([gate], 1, lambda reason, count: dropped.append((reason, count)), world.clock)
    answers = [answer(world, ["i0"]) for _ in range(3)]
    effects.submit(answers[0])
    gate.entered.wait()
    effects.submit(answers[1])
    effects.submit(answers[2])
    gate.open.set()
    effects.close()
    assert gate.seen == answers[:2]
    assert dropped == [("queue_full", 1)]


def test_an_effect_that_fails_is_counted_and_the_others_happen():
    world, dropped = World(), []
    broken, well = Gate(OSError("disk")), Gate()
    broken.open.set()
    well.open.set()
    effects = SideEffects(
        [broken, well], 8, lambda reason, count: dropped.append((reason, count)), world.clock
    )
    effects.submit(answer(world, ["i0"]))
    effects.close()
    assert len(well.seen) == 1
    assert dropped == [("gate", 1)]


def test_an_effect_that_hangs_is_told_and_one_that_waits_for_answers_is_well():
    world, gate = World(), Gate()
    effects = SideEffects([gate], 8, lambda *_: None, world.clock)
    assert effects.problem() is None
    effects.submit(answer(world, ["i0"]))
    gate.entered.wait()
    world.clock.advance(31_000)
    assert "not turned for 31 s" in (effects.problem() or "")
    gate.open.set()
    effects.close()
