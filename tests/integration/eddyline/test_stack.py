"""The local stack by its commands, with the real parts and without workers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from confluent_kafka.admin import AdminClient
from redis import Redis

pytestmark = pytest.mark.integration

EDDYLINE = str(Path(sys.executable).with_name("eddyline"))
NO_WORKERS = {f"EDDYLINE_{kind}_WORKERS": "0" for kind in ("INGEST", "FEATURES", "JOIN", "RANKER")}
DEADLINE_S = 120


class Commands:
    """`eddyline` with a state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = {**os.environ, **NO_WORKERS, "EDDYLINE_HOME": str(home)}

    def __call__(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [EDDYLINE, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self) -> dict:
        return json.loads(self("status", "--json"))

    def wait_for(self, condition) -> dict:
        deadline = time.monotonic() + DEADLINE_S
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
        return status

    def family(self) -> list[psutil.Process]:
        pids = [self.status()["supervisor"]]
        return [child for pid in pids for child in (psutil.Process(pid), *psutil.Process(pid).children(True))]


@pytest.fixture
def up(tmp_path):
    started: list[Commands] = []

    def begin(name: str = "home") -> Commands:
        started.append(Commands(tmp_path / name))
        started[-1]("up", "--detach")
        return started[-1]

    yield begin
    for stack in started:
        stack("down")


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_up_returns_when_all_parts_answer_and_down_leaves_nothing(up):
    stack = up()
    status = stack.status()
    assert status["ready"]
    assert set(status["processes"]) == {"kafka", "redis", "triton", "prometheus", "alertmanager"}
    assert "events" in AdminClient({"bootstrap.servers": status["kafka"]}).list_topics(timeout=5).topics
    with Redis.from_url(status["redis"]) as redis:
        assert redis.ping()
    for address in (status["prometheus"], status["alertmanager"]):
        assert httpx.get(f"{address}/-/ready").is_success
    rules = httpx.get(f"{status['prometheus']}/api/v1/rules").json()
    assert rules["status"] == "success"
    processes = stack.family()
    stack("down")
    assert gone(processes)
    assert json.loads(stack("status", "--json", status=1)) == {"processes": {}, "ready": False}


def test_killed_parts_come_back_with_their_data_and_are_counted(up):
    stack = up()
    before = stack.status()
    with Redis.from_url(before["redis"]) as redis:
        redis.set("kept", "yes")
    for part in ("redis", "kafka"):
        os.kill(before["processes"][part], signal.SIGKILL)
    after = stack.wait_for(lambda status: status["ready"])
    assert (after["restarts"]["redis"], after["restarts"]["kafka"]) == (1, 1)
    with Redis.from_url(after["redis"], decode_responses=True) as redis:
        assert redis.get("kept") == "yes"
    assert "events" in AdminClient({"bootstrap.servers": after["kafka"]}).list_topics(timeout=5).topics


def test_after_the_supervisor_was_killed_down_leaves_nothing_and_up_works_again(up):
    stack = up()
    processes = stack.family()
    addresses = stack.status()["kafka"]
    os.kill(stack.status()["supervisor"], signal.SIGKILL)
    stack("down")
    assert gone(processes)
    stack("up", "--detach")
    assert stack.status()["kafka"] == addresses


def test_two_stacks_run_side_by_side(up):
    one, two = up("one"), up("two")
    addresses = [stack.status()[part] for stack in (one, two) for part in ("kafka", "redis", "triton_grpc")]
    assert len(set(addresses)) == len(addresses)
    one("down")
    assert two.status()["ready"]


def test_a_second_up_of_the_same_home_is_refused(up):
    stack = up()
    assert "already runs" in stack("up", "--detach", status=1)
    assert stack.status()["ready"]
