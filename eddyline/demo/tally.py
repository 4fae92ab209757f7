"""Counts what happens to the traffic of a demo, by the model that answered."""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from eddyline.clients.ranking import Answer
from feature_store.schema.events import Event, ImpressionEvent, InteractionEvent
from feature_store.schema.requests import RankResponse

WITHOUT_MODEL = "(no model)"
"""Stands for the model of answers that were made without one."""

RECENT = 2_000
"""Answers that the latest percentiles are taken from."""


@dataclass(frozen=True)
class Percentiles:
    """Latency on the caller's side, ms; NaN without an answer."""

    p50: float
    p95: float
    p99: float


class Tally:
    """Requests, failures, impressions and clicks; safe to read while another thread counts.

    Attributes
    ----------
    requests : answers and failures
    problems : why requests failed
    serving : the model of the latest answer that came from one; empty before that
    degraded : notes of answers that lacked something
    answers, impressions, clicks : by model
    events : everything published
    """

    def __init__(self) -> None:
        self.requests = 0
        self.events = 0
        self.serving = ""
        self.problems: Counter[str] = Counter()
        self.degraded: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.impressions: Counter[str] = Counter()
        self.clicks: Counter[str] = Counter()
        self._latency_ms: dict[str, list[float]] = {}
        self._recent_ms: deque[float] = deque(maxlen=RECENT)
        self._lock = threading.Lock()

    def count(self, answers: Sequence[Answer], events: Sequence[Event]) -> None:
        """Take in one wave: its answers and the events that followed from them."""
        with self._lock:
            models = dict(self._models(answers))
            self.requests += len(answers)
            self.events += len(events)
            self.problems.update(answer.problem for answer in answers if answer.problem is not None)
            for event in events:
                model = models.get(getattr(event, "request_id", None) or "")
                if model is not None:
                    self.impressions[model] += isinstance(event, ImpressionEvent)
                    self.clicks[model] += isinstance(event, InteractionEvent) and event.action == "click"

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return sum(self.problems.values())

    def ctr(self, model: str) -> float:
        """Clicks per impression of what a model ranked; NaN without one."""
        with self._lock:
            shown = self.impressions[model]
            return self.clicks[model] / shown if shown else float("nan")

    def latency_of(self, model: str) -> Percentiles:
        """Latency of all answers of a model."""
        with self._lock:
            return _percentiles(self._latency_ms.get(model, []))

    def latency_recent(self) -> Percentiles:
        """Latency of the latest answers."""
        with self._lock:
            return _percentiles(self._recent_ms)

    def models(self) -> list[str]:
        """The models that answered, in the order of their first answer."""
        with self._lock:
            return list(self._latency_ms)

    def _model_of(self, response: RankResponse) -> str:
        if not response.model.name:
            return WITHOUT_MODEL
        self.serving = f"{response.model.name} {response.model.version}"
        return self.serving

    def _models(self, answers: Sequence[Answer]) -> Iterable[tuple[str, str]]:
        for answer in answers:
            if answer.response is not None:
                model = self._model_of(answer.response)
                self._latency_ms.setdefault(model, []).append(answer.latency_ms)
                self.answers[model] += 1
                self._recent_ms.append(answer.latency_ms)
                self.degraded.update(answer.response.degraded)
                yield answer.response.request_id, model


def _percentiles(latency_ms: Iterable[float]) -> Percentiles:
    values = np.fromiter(latency_ms, dtype=np.float64)
    return Percentiles(*(np.percentile(values, [50, 95, 99]) if len(values) else np.full(3, np.nan)).tolist())
