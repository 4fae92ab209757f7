"""What a feature worker counts: batches, rows folded, skipped and written, seconds per stage, freshness."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from feature_store.clock import Clock
from feature_store.telemetry.stages import StageSeconds
from streams.processors.batch_run import BatchRun

_FRESHNESS_S = (0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)


class FoldMetrics:
    """The metrics of one process; stage times are taken on ``clock``."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._batches = Counter("eddyline_features_batches", "Batches folded.", ["topic"], registry=registry)
        self._freshness = Histogram(
            "eddyline_features_freshness_seconds",
            "Age of the newest event of a run when its rows had been written.",
            ["topic"],
            buckets=_FRESHNESS_S,
            registry=registry,
        )
        self._event_time = Gauge(
            "eddyline_features_event_time_seconds",
            "Newest event time of the last run, s since the epoch; now minus this is the event-time lag.",
            ["topic"],
            registry=registry,
        )
        self.stage = StageSeconds("features", registry, clock).of
        self._rows = Counter(
            "eddyline_features_rows_folded", "Rows of batches folded.", ["view"], registry=registry
        )
        self._skipped = Counter(
            "eddyline_features_rows_skipped",
            "Rows of batches that had been folded before, by what knows it: the high water, or the row.",
            ["view", "reason"],
            registry=registry,
        )
        self._written = Counter(
            "eddyline_features_rows_written", "Rows of state written.", ["view"], registry=registry
        )
        self._cached = Gauge("eddyline_features_cache_rows", "Rows at hand.", ["view"], registry=registry)

    def folded(self, topic: str, run: BatchRun) -> None:
        """Count a run whose rows are in the store now."""
        self._batches.labels(topic).inc(sum(len(section.ranges) for section in run.sections))
        if len(run.batch):
            newest_ms = int(run.batch.event_time_ms.max())
            self._event_time.labels(topic).set(newest_ms / 1000)
            self._freshness.labels(topic).observe(max(0.0, (self._clock.now_ms() - newest_ms) / 1000))

    def of(self, view: str) -> "ViewMetrics":
        """The metrics of one view."""
        return ViewMetrics(
            self,
            self._rows.labels(view),
            self._skipped.labels(view, "source_high_water"),
            self._skipped.labels(view, "row_offset"),
            self._written.labels(view),
            self._cached.labels(view),
        )


class ViewMetrics:
    """What is counted of one view."""

    def __init__(
        self,
        metrics: FoldMetrics,
        rows: Counter,
        known: Counter,
        in_row: Counter,
        written: Counter,
        cached: Gauge,
    ) -> None:
        self._metrics = metrics
        self._rows = rows
        self._known = known
        self._in_row = in_row
        self._written = written
        self._cached = cached

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Rows are read from the store during the block, where they are not at hand."""
        with self._metrics.stage("load"):
            yield

    @contextmanager
    def folding(self, rows: int) -> Iterator[None]:
        """``rows`` are folded during the block."""
        with self._metrics.stage("fold"):
            yield
        self._rows.inc(rows)

    def skipped(self, *, known: int, in_row: int) -> None:
        """Rows left out: at or below the high water, or in the stored row already."""
        self._known.inc(known)
        self._in_row.inc(in_row)

    def writing(self, rows: int, cached: int) -> None:
        """``rows`` are about to be written; so many are at hand."""
        self._written.inc(rows)
        self._cached.set(cached)
