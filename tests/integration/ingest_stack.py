"""What the tests of ingest on a real broker share: a worker process, and readers of what it made."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from feature_store.schema.batches import SourceRanges, decode_entity_batch
from feature_store.schema.topics import EVENTS, batch_topic
from streams.ingest.settings import IngestSettings
from tests.integration.producers import ordered_producer

TIMEOUT_S = 60.0


def produce(bootstrap: str, records: list[tuple[int, bytes]], **config: Any) -> list[int]:
    """Write (partition, value) records to `events`, in order; their offsets."""
    offsets: dict[int, int] = {}
    producer = ordered_producer(bootstrap, **{"message.max.bytes": 12_000_000, **config})
    for i, (partition, value) in enumerate(records):

        def note(error: object, message: Message, i: int = i) -> None:
            assert error is None, error
            offsets[i] = message.offset()  # type: ignore[assignment]

        producer.produce(EVENTS, value, partition=partition, on_delivery=note)
        producer.poll(0)
    assert producer.flush(TIMEOUT_S) == 0
    return [offsets[i] for i in range(len(records))]


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """End offset of each partition."""
    consumer = _consumer(bootstrap, "ends")
    try:
        partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        return {n: consumer.get_watermark_offsets(TopicPartition(topic, n))[1] for n in partitions}
    finally:
        consumer.close()


def await_group_coordinator(bootstrap: str) -> None:
    """Wait until a fresh broker has loaded the topic of committed offsets."""
    consumer = _consumer(bootstrap, "coordinator")
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            consumer.commit(offsets=[TopicPartition(EVENTS, 0, 0)], asynchronous=False)
        except KafkaException as error:
            assert time.monotonic() < deadline, error
        else:
            return consumer.close()


def read(bootstrap: str, topic: str, starts: dict[int, int]) -> list[Message]:
    """All messages of a topic from these offsets up to its end now, by partition and offset."""
    stops = ends(bootstrap, topic)
    todo = {n for n, stop in stops.items() if stop > starts[n]}
    consumer = _consumer(bootstrap, "reader")
    consumer.assign([TopicPartition(topic, n, starts[n]) for n in todo])
    messages: list[Message] = []
    while todo:
        for message in consumer.consume(1000, 1.0):
            assert message.error() is None, message.error()
            messages.append(message)
            if message.offset() + 1 >= stops[message.partition()]:  # type: ignore[index,operator]
                todo.discard(message.partition())  # type: ignore[arg-type]
    consumer.close()
    return sorted(messages, key=lambda message: (message.partition(), message.offset()))


def count(messages: list[Message], event: str = "impression") -> Counter[str]:
    """Events per entity as a feature worker counts them: rows at or below the high water are skipped."""
    counted: Counter[str] = Counter()
    high_water: dict[tuple[int, int], int] = {}
    for message in messages:
        partition = message.partition() or 0
        batch = decode_entity_batch(message.value() or b"")
        for i in range(len(batch)):
            source = (partition, int(batch.source_partition[i]))
            new = batch.source_offset[i] > high_water.get(source, -1)
            if new and batch.event_names[batch.event_index[i]] == event:
                counted[batch.entity_ids[batch.entity_index[i]]] += 1
        _raise_high_water(high_water, partition, batch.ranges)
    return counted


class Ingest:
    """One `python -m streams.ingest` in a group of its own that begins at the end of `events`."""

    def __init__(self, bootstrap: str, logs: Path, **settings: object) -> None:
        self.bootstrap = bootstrap
        self.group = f"ingest-{uuid.uuid4().hex[:8]}"
        self._logs = logs
        self._settings = {f"EDDYLINE_{name.upper()}": str(value) for name, value in settings.items()}
        self.starts: dict[str, dict[int, int]] = {}
        self._begin_at(ends(bootstrap, EVENTS))

    def remember_ends(self, *topics: str) -> None:
        """Let :meth:`made` begin at what the topics hold now."""
        self.starts |= {topic: ends(self.bootstrap, topic) for topic in topics}

    def made(self, topic: str) -> list[Message]:
        return read(self.bootstrap, topic, self.starts[topic])

    def counts(self, entity: str, event: str = "impression") -> Counter[str]:
        return count(self.made(batch_topic(entity)), event)

    @contextmanager
    def running(self, instance: int = 0, **settings: object) -> Iterator["Worker"]:
        """A worker process that is ready; SIGKILL at the end if it still runs."""
        environment = {
            **os.environ,
            **self._settings,
            **{f"EDDYLINE_{name.upper()}": str(value) for name, value in settings.items()},
            "EDDYLINE_KAFKA_BOOTSTRAP": self.bootstrap,
            "EDDYLINE_INGEST_GROUP": self.group,
            "EDDYLINE_INSTANCE": str(instance),
            "EDDYLINE_KAFKA_SESSION_TIMEOUT_MS": "6000",
        }
        log = self._logs / f"{self.group}-{instance}-{uuid.uuid4().hex[:4]}.log"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams.ingest"], env=environment, stderr=stderr
            )
        worker = Worker(process, log)
        try:
            worker.wait_ready()
            yield worker
        finally:
            worker.kill()

    def committed(self) -> dict[int, int]:
        consumer = _consumer(self.bootstrap, self.group)
        try:
            partitions = [TopicPartition(EVENTS, n) for n in ends(self.bootstrap, EVENTS)]
            return {item.partition: item.offset for item in consumer.committed(partitions, timeout=TIMEOUT_S)}
        finally:
            consumer.close()

    def _begin_at(self, offsets: dict[int, int]) -> None:
        consumer = _consumer(self.bootstrap, self.group)
        consumer.commit(
            offsets=[TopicPartition(EVENTS, n, offset) for n, offset in offsets.items()], asynchronous=False
        )
        consumer.close()


class Worker:
    """An ingest process."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        self._port: int | None = None

    def wait_ready(self) -> None:
        self.wait(lambda: self._status("/readyz") == 200)

    def wait(self, condition: Any) -> None:
        """Poll ``condition`` until it holds; the process must live meanwhile."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)

    def metric(self, name: str) -> float:
        """Sum of a metric's samples."""
        body = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
        samples = [line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#")]
        return sum(float(value) for sample, value in samples if sample.partition("{")[0] == name)

    def wait_for(self, records: int) -> None:
        """Wait until so many records became accepted, duplicate or dead letter."""
        names = ("events_total", "duplicates_total", "dead_letters_total")
        self.wait(lambda: sum(self.metric(f"eddyline_ingest_{name}") for name in names) >= records)

    @property
    def port(self) -> int:
        if self._port is None:
            lines = [json.loads(line) for line in self.log.read_text().splitlines() if "metrics_port" in line]
            self._port = lines[0]["metrics_port"] if lines else None
        return self._port or 0

    def drain(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _status(self, path: str) -> int:
        try:
            return int(urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10).status)
        except OSError:
            return 0


def _raise_high_water(high_water: dict[tuple[int, int], int], partition: int, ranges: SourceRanges) -> None:
    for source, (first, last) in ranges.items():
        assert first <= last
        high_water[partition, source] = max(last, high_water.get((partition, source), -1))


def _consumer(bootstrap: str, group: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})


def settings(bootstrap: str) -> IngestSettings:
    return IngestSettings(kafka_bootstrap=bootstrap)
