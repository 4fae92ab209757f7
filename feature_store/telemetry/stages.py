"""Seconds per stage of a process's loop, as a counter."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from prometheus_client import CollectorRegistry, Counter

from feature_store.clock import Clock


class StageSeconds:
    """The counter ``eddyline_<process>_stage_seconds_total``, by stage; times are taken on ``clock``."""

    def __init__(self, process: str, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        seconds = Counter(
            f"eddyline_{process}_stage_seconds", "Seconds spent, by stage.", ["stage"], registry=registry
        )
        self._of_stage = cache(seconds.labels)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count the time that the block takes, also where it fails."""
        began_ns = self._clock.monotonic_ns()
        try:
            yield
        finally:
            self._of_stage(stage).inc((self._clock.monotonic_ns() - began_ns) / 1e9)
