"""A real Faust worker on a real broker goes on from its own checkpoint, whatever Kafka has committed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.producers import ordered_producer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

MESSAGES = 30


@pytest.fixture
def topic(kafka: str, make_topics: Callable[..., list[str]]) -> str:
    [name] = make_topics("journal", partitions=2)
    producer = ordered_producer(kafka, **{"compression.type": "lz4"})
    for number in range(MESSAGES):
        for partition in range(2):
            producer.produce(name, str(number).encode(), partition=partition)
    assert producer.flush(30) == 0
    return name


@pytest.fixture
def start(kafka: str, topic: str, tmp_path: Path):
    """Starts a worker; all that still run at the end are killed."""
    started: list[subprocess.Popen] = []
    (tmp_path / "journal").touch()

    def run(script: str) -> subprocess.Popen:
        environment = {**os.environ, "EDDYLINE_KAFKA_BOOTSTRAP": kafka, "EDDYLINE_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "tests.integration.checkpointed_worker", topic, tmp_path / "journal"]
        log = (tmp_path / "log").open("a")
        started.append(subprocess.Popen([*command, script], env=environment, stdout=log, stderr=log))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def processed(tmp_path: Path) -> list[list[int]]:
    """Offsets in the order in which they were processed, per partition."""
    lines = [tuple(map(int, line.split())) for line in (tmp_path / "journal").read_text().splitlines()]
    return [[offset for number, offset in lines if number == partition] for partition in range(2)]


def wait_for_all(tmp_path: Path, worker: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while sum(map(len, processed(tmp_path))) < 2 * MESSAGES:
        assert worker.poll() is None, (tmp_path / "log").read_text()[-5000:]
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-5000:]
        time.sleep(0.05)


def test_a_worker_killed_at_scripted_messages_processes_each_offset_exactly_once(start, tmp_path):
    for offset in (0, 4, 17):
        assert start(f"kill@{offset}").wait(60) == -9
    worker = start("never@0")
    wait_for_all(tmp_path, worker)
    assert processed(tmp_path) == [list(range(MESSAGES))] * 2


def test_an_agent_that_raises_ends_the_process_and_the_message_is_not_lost(start, tmp_path):
    for _ in range(2):
        assert start("raise@9").wait(60) == 70
        assert all(
            offsets == list(range(len(offsets))) and len(offsets) <= 9 for offsets in processed(tmp_path)
        )
    worker = start("never@0")
    wait_for_all(tmp_path, worker)
    assert processed(tmp_path) == [list(range(MESSAGES))] * 2


def test_sigterm_ends_a_worker_with_status_0(start, tmp_path):
    worker = start("never@0")
    wait_for_all(tmp_path, worker)
    worker.terminate()
    assert worker.wait(30) == 0
