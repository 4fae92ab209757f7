"""What the ranker shows of itself."""

from collections.abc import Callable, Collection, Iterator
from typing import TypeVar, cast

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from ranker.registry.models import ServedModel
from ranker.side_effects.answer import Answer

_SECONDS = (
    *(0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03),
    *(0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5),
)
_CANDIDATES = (0, 1, 10, 24, 50, 100, 200, 500, 1_000, 2_000)
_AGE_SECONDS = (0.01, 0.1, 1, 10, 60, 600, 3_600, 86_400, 604_800)
OTHER_SURFACE = "other"

M = TypeVar("M", bound=MetricWrapperBase)


class ServedModelInfo(Collector):
    """``eddyline_ranker_model_info``: 1, with the served model in its labels."""

    def __init__(self, served: Callable[[], ServedModel]) -> None:
        self._served = served

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The one series."""
        served = self._served()
        family = GaugeMetricFamily(
            "eddyline_ranker_model_info",
            "1 for the model that is served now.",
            labels=("model", "version", "fingerprint"),
        )
        family.add_metric((served.name, served.version, served.fingerprint), 1.0)
        yield family


class RankerMetrics:
    """Counters, histograms and gauges, by their names in Prometheus.

    Parameters
    ----------
    surfaces : that have a label of their own; callers make up surfaces, labels must stay few
    """

    def __init__(self, surfaces: Collection[str], registry: CollectorRegistry = REGISTRY) -> None:
        self._surfaces = frozenset(surfaces)
        self._registry = registry
        self._series: dict[tuple[MetricWrapperBase, tuple[str, ...]], MetricWrapperBase] = {}
        self._requests = Counter(
            "eddyline_ranker_requests_total",
            "Rank requests by surface, front door and outcome: ok, degraded, refused, shed, failed.",
            ("surface", "door", "outcome"),
            registry=registry,
        )
        self._degraded = Counter(
            "eddyline_ranker_degraded_total",
            "Answers made without some part, by what was missing.",
            ("note",),
            registry=registry,
        )
        self._latency = Histogram(
            "eddyline_ranker_request_duration_seconds",
            "From a request's arrival until its answer has left.",
            ("door",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "eddyline_ranker_stage_duration_seconds",
            "Time in each stage of the pipeline.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._candidates = Histogram(
            "eddyline_ranker_candidates",
            "Candidates scored per request.",
            buckets=_CANDIDATES,
            registry=registry,
        )
        self._removed = Counter(
            "eddyline_ranker_removed_candidates_total",
            "Candidates removed, by filter.",
            ("filter",),
            registry=registry,
        )
        self._freshness = Histogram(
            "eddyline_ranker_user_row_age_seconds",
            "Age of the user's row at the time the request was ranked for.",
            buckets=_AGE_SECONDS,
            registry=registry,
        )
        self._dropped = Counter(
            "eddyline_ranker_side_effects_dropped_total",
            "Side effects of answers that did not happen, by reason.",
            ("reason",),
            registry=registry,
        )
        self._in_flight = Gauge(
            "eddyline_ranker_in_flight_requests",
            "Rank requests admitted, not yet answered.",
            registry=registry,
        )
        self._model_problem = Gauge(
            "eddyline_ranker_model_problem",
            "1 while the ranker cannot follow what should serve: the champion, or the holdout's model.",
            ("role",),
            registry=registry,
        )
        self._model_age = Gauge(
            "eddyline_ranker_model_age_seconds",
            "Since the model that serves was made; not a number where it was not learned.",
            ("role",),
            registry=registry,
        )
        self._model_age_limit = Gauge(
            "eddyline_ranker_model_age_limit_seconds",
            "Age from which the model that serves is too old.",
            ("role",),
            registry=registry,
        )
        self._items = Gauge("eddyline_ranker_items", "Items in memory.", registry=registry)
        self.refreshes_failed = Counter(
            "eddyline_ranker_source_refreshes_failed_total",
            "Times that a source could not find its items anew.",
            ("source",),
            registry=registry,
        )

    def answered(self, door: str, answer: Answer, elapsed_ms: float) -> None:
        """Count an answer that has left."""
        outcome = answer.outcome
        self._count(answer.query.surface, door, "degraded" if outcome.lacks else "ok")
        self._labelled(self._latency, door).observe(elapsed_ms / 1e3)
        self._candidates.observe(len(outcome.batch))
        for stage, stage_ms in outcome.stage_ms.items():
            self._labelled(self._stages, stage).observe(stage_ms / 1e3)
        for note in outcome.lacks:
            self._degraded.labels(note).inc()
        for name, removed in outcome.removed_by.items():
            self._labelled(self._removed, name).inc(len(removed))
        if outcome.features.age_ms is not None:
            self._freshness.observe(max(0.0, outcome.features.age_ms) / 1e3)

    def refused(self, door: str) -> None:
        """Count a request that is none, or whose headers are too large."""
        self._count(OTHER_SURFACE, door, "refused")

    def shed(self, surface: str, door: str) -> None:
        """Count a request that was not admitted."""
        self._count(surface, door, "shed")

    def failed(self, surface: str, door: str) -> None:
        """Count a request that ended in an error of ours."""
        self._count(surface, door, "failed")

    def dropped(self, reason: str, count: int) -> None:
        """Count side effects that did not happen."""
        self._dropped.labels(reason).inc(count)

    def watch(
        self, served: Callable[[], ServedModel], in_flight: Callable[[], int], items: Callable[[], int]
    ) -> None:
        """Read these whenever the metrics are asked for."""
        self._in_flight.set_function(in_flight)
        self._items.set_function(items)
        self._registry.register(ServedModelInfo(served))

    def watch_model(self, role: str, problem: Callable[[], str | None]) -> None:
        """Show whether it can be followed whenever the metrics are asked for."""
        self._model_problem.labels(role).set_function(lambda: float(problem() is not None))

    def watch_age(self, role: str, age_s: Callable[[], float], limit_s: float) -> None:
        """Show the age of what serves whenever the metrics are asked for, and how old it may get."""
        self._model_age.labels(role).set_function(age_s)
        self._model_age_limit.labels(role).set(limit_s)

    def _count(self, surface: str, door: str, outcome: str) -> None:
        known = surface if surface in self._surfaces else OTHER_SURFACE
        self._labelled(self._requests, known, door, outcome).inc()

    def _labelled(self, metric: M, *labels: str) -> M:
        """The series of these labels, found once: the library checks and locks each time."""
        series = self._series.get((metric, labels))
        if series is None:
            series = self._series[metric, labels] = metric.labels(*labels)
        return cast(M, series)
