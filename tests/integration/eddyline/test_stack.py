"""The local stack by its commands, with the real parts and without workers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from confluent_kafka.admin import AdminClient
from redis import Redis

from tests.processes import ended

pytestmark = pytest.mark.integration

EDDYLINE = str(Path(sys.executable).with_name("eddyline"))
KINDS = ("INGEST", "FEATURES", "JOIN", "RANKER", "PARITY", "LINEAGE")
NO_WORKERS = {f"EDDYLINE_{kind}_WORKERS": "0" for kind in KINDS}
DEADLINE_S = 120
LOOK_EVERY_S = 0.5
"""Each look starts a process: without a pause they would take the processor from what is waited for."""


class Commands:
    """`eddyline` with a state folder and settings."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._environment = {**os.environ, **NO_WORKERS, **settings, "EDDYLINE_HOME": str(home)}

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
            time.sleep(LOOK_EVERY_S)
        return status

    def family(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.status()["supervisor"])
        return [supervisor, *supervisor.children(recursive=True)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Commands]:
    commands = Commands(tmp_path_factory.mktemp("stack"))
    commands("up", "--detach")
    yield commands
    processes = commands.family()
    commands("down")
    assert gone(processes)
    assert json.loads(commands("status", "--json", status=1)) == {"processes": {}, "ready": False}


@pytest.fixture(scope="module")
def light_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("light")


@pytest.fixture
def light(light_home) -> Iterator[Commands]:
    """A stack beside the other, without Triton, in a folder that is new only to the first who asks."""
    commands = Commands(light_home, EDDYLINE_INFERENCE="embedded")
    commands("up", "--detach")
    yield commands
    commands("down")


def gone(processes: list[psutil.Process]) -> bool:
    return all(ended(process) for process in processes)


def topics(status: dict) -> set[str]:
    return set(AdminClient({"bootstrap.servers": status["kafka"]}).list_topics(timeout=5).topics)


def test_up_returns_when_all_parts_answer(stack):
    status = stack.status()
    assert status["ready"]
    assert set(status["processes"]) == {"kafka", "redis", "triton", "prometheus", "alertmanager"}
    assert "events" in topics(status)
    with Redis.from_url(status["redis"]) as redis:
        assert redis.ping()
    for address in (status["prometheus"], status["alertmanager"]):
        assert httpx.get(f"{address}/-/ready").is_success


def test_prometheus_took_the_rules_and_reads_the_supervisor(stack):
    prometheus = stack.status()["prometheus"]
    assert httpx.get(f"{prometheus}/api/v1/rules").json()["status"] == "success"
    targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    assert {target["labels"]["process"] for target in targets} == {"triton", "supervisor"}


def test_a_second_up_of_the_same_home_is_refused(stack):
    assert "already runs" in stack("up", "--detach", status=1)
    assert stack.status()["ready"]


def test_killed_parts_come_back_with_their_data_and_are_counted(stack):
    before = stack.status()
    with Redis.from_url(before["redis"]) as redis:
        redis.set("kept", "yes")
    for part in ("redis", "kafka"):
        os.kill(before["processes"][part], signal.SIGKILL)
    after = stack.wait_for(lambda status: status["ready"])
    assert (after["restarts"]["redis"], after["restarts"]["kafka"]) == (1, 1)
    with Redis.from_url(after["redis"], decode_responses=True) as redis:
        assert redis.get("kept") == "yes"
    assert "events" in topics(after)


def test_two_stacks_run_side_by_side(stack, light):
    addresses = [
        running.status()[part] for running in (stack, light) for part in ("kafka", "redis", "prometheus")
    ]
    assert len(set(addresses)) == len(addresses)
    assert light.status()["triton_grpc"] is None
    light("down")
    assert stack.status()["ready"]


def test_after_the_supervisor_was_killed_down_leaves_nothing_and_up_works_again(light):
    processes, before = light.family(), light.status()
    os.kill(before["supervisor"], signal.SIGKILL)
    light("down")
    assert gone(processes)
    light("up", "--detach")
    assert light.status()["kafka"] == before["kafka"]
