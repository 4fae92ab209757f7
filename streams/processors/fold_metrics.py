"""What a feature worker counts: batches, rows folded, skipped and written, seconds per stage, freshness."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from feature_store.clock import Clock

_FRESHNESS_S = (0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)


class FoldMetrics:
    """The metrics of one process; stage times are taken on ``clock``."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._batches = Counter(
            "eddyline_features_batches", "Batches taken from the log.", ["topic"], registry=registry
        )
        self._folded = Counter(
            "eddyline_features_rows_folded", "Rows of batches folded.", ["view"], registry=registry
        )
        self._skipped = Counter(
            "eddyline_features_rows_skipped",
            "Rows of batches that had been folded before, by how that was known.",
            ["view", "reason"],
            registry=registry,
        )
        self._written = Counter(
            "eddyline_features_rows_written", "Rows of state written.", ["view"], registry=registry
        )
        self._freshness = Histogram(
            "eddyline_features_freshness_seconds",
            "Age of the newest event of a run when its rows had been written.",
            ["view"],
            buckets=_FRESHNESS_S,
            registry=registry,
        )
        self._cached = Gauge(
            "eddyline_features_cache_rows", "Rows at hand.", ["view", "partition"], registry=registry
        )
        self._stage = Counter(
            "eddyline_features_stage_seconds", "Seconds spent, by stage.", ["stage"], registry=registry
        )
        self._event_time = Gauge(
            "eddyline_features_event_time_seconds",
            "Largest event time folded, seconds since the Unix epoch: now minus this is the event-time lag.",
            ["view", "partition"],
            registry=registry,
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time that the block takes."""
        began_ns = self._clock.monotonic_ns()
        yield
        self._stage.labels(name).inc((self._clock.monotonic_ns() - began_ns) / 1e9)

    def took(self, topic: str, batches: int) -> None:
        """Count batches read from ``topic``."""
        self._batches.labels(topic).inc(batches)

    def folded(self, view: str, rows: int) -> None:
        """Count rows folded into ``view``."""
        self._folded.labels(view).inc(rows)

    def skipped(self, view: str, reason: str, rows: int) -> None:
        """Count rows left out, with the reason."""
        if rows:
            self._skipped.labels(view, reason).inc(rows)

    def wrote(self, view: str, partition: int, rows: int, cached: int) -> None:
        """Count rows written, and note how many are at hand."""
        self._written.labels(view).inc(rows)
        self._cached.labels(view, partition).set(cached)

    def reached(self, view: str, partition: int, event_time_ms: int) -> None:
        """Note that events up to ``event_time_ms`` are in the store now."""
        self._event_time.labels(view, partition).set(event_time_ms / 1000)
        self._freshness.labels(view).observe(max(0.0, (self._clock.now_ms() - event_time_ms) / 1000))
