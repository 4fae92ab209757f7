"""How soon experiments stop in a ranker that answers all the while: by a switch, and without Redis."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx
import numpy as np

from benchmarks.instrumentation import ON
from benchmarks.ranking import WORLD, rank_request
from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.workload import produce
from feature_store.online.switches import SwitchStore, open_switches
from feature_store.settings import Settings

SIZE = 24
THROWS = 10
LOOKED_ON_MS = 3_000.0
"""After a throw; nobody would believe in a last nudged answer before."""

WITHIN_MS = 1_000.0


@dataclass
class Traffic:
    """Answers to one request after the other: when each came, ms UTC, and whether it was nudged."""

    came_ms: list[float] = field(default_factory=list)
    nudged: list[bool] = field(default_factory=list)
    failure: Exception | None = None

    def wait_until(self, time_ms: float) -> None:
        """Return once an answer came after ``time_ms``."""
        while not self.came_ms or self.came_ms[-1] < time_ms:
            self._wait()

    def wait_for_nudges(self) -> None:
        """Return once an answer is nudged."""
        known = len(self.nudged)
        while not any(self.nudged[known:]):
            self._wait()

    def _wait(self) -> None:
        if self.failure is not None:
            raise self.failure
        time.sleep(0.01)

    def last_nudged_ms(self, since_ms: float) -> float:
        """From ``since_ms`` until the last nudged answer."""
        came, nudged = np.array(self.came_ms[: len(self.nudged)]), np.array(self.nudged)
        return max(0.0, float(came[nudged].max()) - since_ms)


def measure() -> list[Figure]:
    """The longest, and the median, of some throws of either kind."""
    with running_stack(EDDYLINE_MODEL="reference", **ON) as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        produce(settings, WORLD.items_json(time.time_ns() // 1_000_000))
        switches = open_switches(settings)
        with _steady(stack) as traffic:
            thrown = [_throw(stack, switches, traffic) for _ in range(THROWS)]
            silent = [_silence(stack.status["processes"]["redis"], traffic) for _ in range(THROWS)]
    return [
        *_figures("nudges after `eddyline loops stop nudges`", thrown),
        *_figures("nudges once Redis says nothing", silent),
    ]


def _figures(name: str, delays_ms: list[float]) -> Iterator[Figure]:
    told = f"{name}, until the last nudged answer"
    yield Figure(f"{told}, longest of {THROWS}", max(delays_ms), "ms", target=WITHIN_MS, at_least=False)
    yield Figure(f"{told}, median of {THROWS}", float(np.median(delays_ms)), "ms")


def _throw(stack: RunningStack, switches: SwitchStore, traffic: Traffic) -> float:
    """By the command, from the moment that it wrote."""
    traffic.wait_for_nudges()
    stack.command("loops", "stop", "nudges", "--reason", "benchmark")
    return _looked_on(traffic, switches.read()["nudges"].since_time_ms, lambda: switches.switch_on("nudges"))


def _silence(redis: int, traffic: Traffic) -> float:
    """Redis is there, and is not run."""
    traffic.wait_for_nudges()
    since_ms = time.time_ns() / 1e6
    os.kill(redis, signal.SIGSTOP)
    return _looked_on(traffic, since_ms, lambda: os.kill(redis, signal.SIGCONT))


def _looked_on(traffic: Traffic, since_ms: float, put_back: Callable[[], None]) -> float:
    try:
        traffic.wait_until(since_ms + LOOKED_ON_MS)
        return traffic.last_nudged_ms(since_ms)
    finally:
        put_back()


@contextmanager
def _steady(stack: RunningStack) -> Iterator[Traffic]:
    """Requests from a thread, one after the other, for as long as the block runs."""
    traffic, stopped = Traffic(), Event()

    def ask() -> None:
        try:
            ask_on()
        except Exception as error:  # noqa: BLE001  (whoever waits raises it)
            traffic.failure = error

    def ask_on() -> None:
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            n = 0
            while not stopped.is_set():
                answer = client.post(f"{stack.http}/v1/rank", content=rank_request(SIZE, n, f"switch-{n}"))
                traffic.came_ms.append(time.time_ns() / 1e6)
                traffic.nudged.append("nudges" in answer.raise_for_status().json()["assignments"])
                n += 1

    thread = Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield traffic
    finally:
        stopped.set()
        thread.join()
