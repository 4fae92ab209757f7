"""The exposure join as a process, on a real broker and a real Redis, killed at random moments."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from feature_store.exposure_log import read_exposures
from feature_store.schema.feedback import encode_feedback
from feature_store.schema.ids import partition_of
from feature_store.schema.served import encode_served
from feature_store.schema.topics import EXPOSURES, FEEDBACK, RANK_SERVED
from feature_store.settings import Settings
from tests.integration.producers import ordered_producer
from tests.oracles.exposures import Answer, Event, Feedback
from tests.unit.streams.processors.join_messages import feedback_rows, served_request

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PARTITIONS = 2
WINDOW_S = 1.0
ITEMS = tuple(f"i{n}" for n in range(8))


@pytest.fixture(scope="module")
def topics(kafka: str) -> Iterator[None]:
    """The join's topics under their own names, made anew."""
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [FEEDBACK, RANK_SERVED, EXPOSURES]
    config = {"message.timestamp.type": "LogAppendTime"}
    for made in admin.create_topics([NewTopic(n, PARTITIONS, 1, config=config) for n in names]).values():
        made.result()
    yield
    for gone in admin.delete_topics(names).values():
        gone.result()


@pytest.fixture
def environment(kafka: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "EDDYLINE_KAFKA_BOOTSTRAP": kafka,
        "EDDYLINE_REDIS_URL": redis_url,
        "EDDYLINE_HOME": str(tmp_path),
        "EDDYLINE_BATCH_PARTITIONS": str(PARTITIONS),
        "EDDYLINE_JOIN_WINDOW_S": str(WINDOW_S),
        "EDDYLINE_JOIN_LATE_S": "600",
        "EDDYLINE_JOIN_IDLE_S": "1",
        "EDDYLINE_LOG_LEVEL": "info",
    }


@pytest.fixture
def start(
    topics: None, environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a join; all that still run at the end are killed."""
    started: list[subprocess.Popen[bytes]] = []

    def run(instance: int = 0) -> subprocess.Popen[bytes]:
        log = (tmp_path / "log").open("a")
        command = [sys.executable, "-m", "streams.apps.join"]
        own = os.environ | environment | {"EDDYLINE_INSTANCE": str(instance)}
        started.append(subprocess.Popen(command, env=own, stdout=log, stderr=log))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


class Traffic:
    """Answers, impressions and clicks, as they would arrive; remembers what must come out."""

    def __init__(self, kafka: str, seed: int, source: int) -> None:
        """``source`` is the partition of `events` that the feedback says to come from."""
        self._source = source
        self._producer = ordered_producer(kafka, **{"linger.ms": 0})
        self._random = random.Random(seed)
        self._offsets = [0] * PARTITIONS
        self.outcomes: dict[tuple[str, str], dict[str, float]] = {}

    def request(self, number: int) -> None:
        """One answer, all its impressions, some clicks."""
        user, request = f"u{number % 7}", f"{self._source}-{number}"
        answer = Answer(number, user, request, ITEMS)
        for payload in encode_served([served_request(answer)]):
            self._producer.produce(RANK_SERVED, payload, partition=partition_of(user, PARTITIONS))
        self.flush()  # nobody sees what was not answered yet; topics have no order among each other
        shown = Event(user, request, "", None, 1.0, number)
        self._feedback(user, [replace(shown, item=item) for item in ITEMS])
        self.outcomes |= {(request, item): {} for item in ITEMS}
        for item in self._random.sample(ITEMS, 2):
            self.act(user, request, item, "click")

    def act(self, user: str, request: str, item: str, action: str) -> None:
        self._feedback(user, [Event(user, request, item, action, 1.0, 5)])
        done = self.outcomes.setdefault((request, item), {})
        done[action] = done.get(action, 0.0) + 1.0

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def _feedback(self, user: str, events: list[Event]) -> None:
        partition = partition_of(user, PARTITIONS)
        first = self._offsets[partition]
        self._offsets[partition] += len(events)
        rows = feedback_rows(Feedback(0, tuple(events)), first, self._source)
        payload = encode_feedback(rows, {self._source: (first, first + len(events) - 1)})
        self._producer.produce(FEEDBACK, payload, partition=partition)


def joined(environment: dict[str, str], source: str) -> pa.Table:
    settings = Settings(kafka_bootstrap=environment["EDDYLINE_KAFKA_BOOTSTRAP"])
    table = read_exposures(settings).exposures
    return table.filter(pc.starts_with(table.column("request_id"), f"{source}-"))


def outcomes_of(table: pa.Table) -> dict[tuple[str, str], dict[str, float]]:
    columns = (table.column(name).to_pylist() for name in ("request_id", "item_id", "outcomes"))
    return {(request, item): dict(outcomes) for request, item, outcomes in zip(*columns, strict=True)}


def wait_for(
    expected: dict[tuple[str, str], dict[str, float]],
    environment: dict[str, str],
    process: subprocess.Popen[bytes],
    tmp_path: Path,
) -> pa.Table:
    deadline = time.monotonic() + 90
    while True:
        table = joined(environment, next(iter(expected))[0].partition("-")[0])
        if outcomes_of(table) == expected:
            return table
        assert process.poll() is None, (tmp_path / "log").read_text()[-5000:]
        assert time.monotonic() < deadline, (
            len(table),
            len(expected),
            (tmp_path / "log").read_text()[-3000:],
        )
        time.sleep(0.2)


def test_every_exposure_arrives_with_its_outcomes_however_often_the_join_is_killed(
    kafka: str, start: Callable[..., subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    traffic, chance = Traffic(kafka, seed=1, source=0), random.Random(2)
    process = start()
    for number in range(300):
        traffic.request(number)
        time.sleep(0.02)
        if number % 50 == 49:
            time.sleep(chance.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
            assert process.wait(30) == -signal.SIGKILL
            process = start()
    traffic.flush()
    table = wait_for(traffic.outcomes, environment, process, tmp_path)
    assert set(table.column("status").to_pylist()) <= {"on_time", "late"}
    assert set(table.column("position").to_pylist()) == set(range(len(ITEMS)))
    assert table.column("features").null_count == 0

    traffic.act("u3", "0-3", "i1", "like")
    traffic.flush()
    table = wait_for(traffic.outcomes, environment, process, tmp_path)
    late = [row for row in table.to_pylist() if (row["request_id"], row["item_id"]) == ("0-3", "i1")]
    assert [row["status"] for row in late] == ["late"]


def test_two_workers_share_the_partitions_and_one_takes_over_when_the_other_dies(
    kafka: str, start: Callable[..., subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    traffic = Traffic(kafka, seed=5, source=2)
    process = start()
    for number in range(200):
        traffic.request(number)
        time.sleep(0.02)
        if number == 50:
            other = start(instance=1)
    traffic.flush()
    wait_for(traffic.outcomes, environment, process, tmp_path)
    assert other.poll() is None, (tmp_path / "log").read_text()[-5000:]
    other.kill()
    for number in range(200, 250):
        traffic.request(number)
    traffic.flush()
    wait_for(traffic.outcomes, environment, process, tmp_path)


def test_a_quiet_partition_does_not_hold_an_exposure_open_and_sigterm_ends_the_join(
    kafka: str, start: Callable[..., subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    traffic = Traffic(kafka, seed=3, source=1)
    traffic.request(0)
    traffic.flush()
    process = start()
    table = wait_for(traffic.outcomes, environment, process, tmp_path)
    assert table.column("status").to_pylist() == ["on_time"] * len(ITEMS)
    process.terminate()
    assert process.wait(30) == 0


def test_a_message_that_is_no_batch_ends_the_join_until_an_operator_decides(
    kafka: str, start: Callable[..., subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    traffic, producer = Traffic(kafka, seed=7, source=3), ordered_producer(kafka)
    traffic.request(0)
    traffic.flush()
    producer.produce(FEEDBACK, b"not Arrow", partition=0)
    producer.produce(RANK_SERVED, None, partition=0)
    assert producer.flush(30) == 0
    traffic.request(1)
    traffic.flush()
    places: list[str] = []
    for _ in range(2):
        environment["EDDYLINE_JOIN_SKIP"] = ",".join(places)
        assert start().wait(90) != 0
        places.append(re.findall(r"EDDYLINE_JOIN_SKIP=([\w.]+:0:\d+)", (tmp_path / "log").read_text())[-1])
    assert {place.split(":")[0] for place in places} == {FEEDBACK, RANK_SERVED}
    environment["EDDYLINE_JOIN_SKIP"] = ",".join(places)
    wait_for(traffic.outcomes, environment, start(), tmp_path)
