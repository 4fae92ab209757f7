"""Notices a worker that is alive but gets nowhere, and says how far behind its partitions are."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import faust
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import Gauge

from feature_store.clock import Clock
from feature_store.telemetry.health import Heartbeat


class LogTruncated(RuntimeError):  # noqa: N818  (a state of the log, named for what is found)
    """A log ends before what was read from it: messages were lost, or the topic was made anew."""


class ProgressWatch:
    """Compares, every ``every_s``, the ends of the log with the offsets that the worker has reached.

    Stuck is a partition that has something to read and has not moved for ``stuck_after_s``; also a
    loop or a broker that does not even answer that question, and a worker that nobody assigns anything.

    Parameters
    ----------
    positions : assigned partition -> offset of the next message to process; None before the first
        assignment
    lag : gauge labelled ``topic`` and ``partition``, in offsets
    """

    def __init__(
        self,
        positions: Callable[[], Mapping[TP, int] | None],
        lag: Gauge,
        clock: Clock,
        *,
        every_s: float = 2.0,
        stuck_after_s: float = 30.0,
    ) -> None:
        self._positions = positions
        self._lag = lag
        self._clock = clock
        self._every_s = every_s
        self._stuck_after_ns = int(stuck_after_s * 1e9)
        self._heartbeat = Heartbeat(clock, stuck_after_s)
        self._assigned = Heartbeat(clock, stuck_after_s)
        self._moved: dict[TP, tuple[int, int]] = {}
        self._stuck: str | None = None

    async def run(self, app: faust.App) -> None:
        """Watch until cancelled."""
        while True:
            known = self._positions()
            positions = None if known is None else dict(known)
            with contextlib.suppress(KafkaError):
                self.observe(positions, await app.consumer.highwaters(*positions) if positions else {})
            await asyncio.sleep(self._every_s)

    def observe(self, positions: Mapping[TP, int] | None, ends: Mapping[TP, int]) -> None:
        """Take in where the partitions are (None: there is no assignment) and where their logs end.

        Raises
        ------
        LogTruncated
            When a log ends before the offset that comes next.
        """
        self._heartbeat.beat()
        if positions is None:
            return
        self._assigned.beat()
        now_ns = self._clock.monotonic_ns()
        self._lag.clear()
        self._stuck = None
        self._moved = {tp: seen for tp, seen in self._moved.items() if tp in positions}
        for tp, position in positions.items():
            behind = ends[tp] - position
            if behind < 0:
                raise LogTruncated(f"{tp.topic}[{tp.partition}] ends at {ends[tp]}, {position} comes next")
            self._lag.labels(tp.topic, tp.partition).set(behind)
            last, since_ns = self._moved.get(tp, (-1, now_ns))
            if behind == 0 or position != last:
                since_ns = now_ns
            self._moved[tp] = (position, since_ns)
            if now_ns - since_ns > self._stuck_after_ns:
                self._stuck = f"{tp.topic}[{tp.partition}] is stuck at offset {position}, {behind} behind"

    def stuck(self) -> str | None:
        """None while the worker gets on, else what is stuck (the liveness probe)."""
        unassigned = "has been without an assignment for too long" if self._assigned.problem() else None
        return self._heartbeat.problem() or unassigned or self._stuck

    def not_ready(self) -> str | None:
        """None once partitions have been assigned (the readiness probe)."""
        return "waiting for its partitions" if self._positions() is None else self.stuck()
