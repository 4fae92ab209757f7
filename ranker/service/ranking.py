"""One data plane under all front doors: payload in, answer out, and what follows it."""

from collections.abc import Callable
from dataclasses import dataclass

from feature_store.clock import Clock
from feature_store.schema.ids import hash53
from feature_store.schema.requests import RankRequest, parse_request
from ranker.pipeline.arms import NO_ARMS, Arms
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.executor import RankingPipeline
from ranker.pipeline.query import Query
from ranker.service.failures import FailureLog
from ranker.service.metrics import RankerMetrics
from ranker.service.respond import Responder
from ranker.side_effects.answer import Answer

_SAMPLES = 1 << 53

DrawArms = Callable[[str, str, str, int], Arms]
"""(request id, user id, surface, now ms) -> what experiments do to the request"""


def no_experiments(request_id: str, user_id: str, surface: str, now_ms: int) -> Arms:
    """Leaves every request alone."""
    return NO_ARMS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost.

    Attributes
    ----------
    deadline_ms : for the whole ranking, from its arrival
    max_candidates : named in one request
    sample_rate : share of requests whose every candidate's features are logged
    max_ahead_ms : from now to the moment that a request is ranked for
    """

    deadline_ms: float
    max_candidates: int
    sample_rate: float
    max_ahead_ms: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A valid request, and when it came."""

    request: RankRequest
    query: Query
    arrived_ns: int


class Ranking:
    """Parses, ranks and answers. Safe to share between threads.

    Parameters
    ----------
    follow_up : told of every answer that has left, without waiting
    draw_arms : asked for every request
    """

    def __init__(
        self,
        pipeline: RankingPipeline,
        respond: Responder,
        limits: Limits,
        clock: Clock,
        metrics: RankerMetrics,
        follow_up: Callable[[Answer], None],
        draw_arms: DrawArms = no_experiments,
    ) -> None:
        self._pipeline = pipeline
        self._respond = respond
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._follow_up = follow_up
        self._draw_arms = draw_arms
        self._failures = FailureLog(clock)

    def begin(self, payload: bytes) -> Arrival:
        """The request in ``payload``; its deadline starts now.

        Raises
        ------
        BadRequest
            It is none.
        """
        arrived_ns = self._clock.monotonic_ns()
        latest_ms = self._clock.now_ms() + self._limits.max_ahead_ms
        request = parse_request(payload, self._limits.max_candidates, latest_ms)
        return Arrival(request, self._query(request), arrived_ns)

    def answer(self, arrival: Arrival) -> Answer:
        """Rank, and encode the answer; runs on a lane."""
        outcome = self._pipeline.rank(arrival.query)
        now_ms = self._clock.now_ms()
        latency_ms = (self._clock.monotonic_ns() - arrival.arrived_ns) / 1e6
        payload = self._respond(arrival.request, outcome, now_ms, latency_ms)
        return Answer(
            query=arrival.query,
            outcome=outcome,
            payload=payload,
            served_time_ms=now_ms,
            fingerprint=self._respond.fingerprint,
        )

    def sent(self, arrival: Arrival, answer: Answer, door: str) -> None:
        """What follows once the answer has left through ``door``."""
        elapsed_ms = (self._clock.monotonic_ns() - arrival.arrived_ns) / 1e6
        self._metrics.answered(door, answer, elapsed_ms)
        self._failures.add(answer.query.request_id, answer.outcome.failures)
        self._follow_up(answer)

    def _query(self, request: RankRequest) -> Query:
        now_ms, time_ms = self._clock.now_ms(), request.event_time_ms
        candidates = request.candidates
        return Query(
            request_id=request.request_id,
            user_id=request.user_id,
            surface=request.surface,
            candidates=candidates,
            limit=request.limit,
            finalize_time_ms=now_ms if time_ms is None else time_ms,
            sampled=hash53(request.request_id) < self._limits.sample_rate * _SAMPLES,
            deadline=Deadline(self._clock, self._limits.deadline_ms),
            arms=self._draw_arms(request.request_id, request.user_id, request.surface, now_ms),
        )
