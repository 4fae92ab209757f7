"""Scores from the model that is to be served, or from the one that served before it."""

from collections.abc import Callable, Sequence

from ranker.pipeline.batch import CandidateBatch, Heads
from ranker.pipeline.breaker import Breaker
from ranker.pipeline.components import Scored
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query
from ranker.registry.models import ServedModel
from ranker.triton.base import InferenceClient, InferenceTimeout

Serving = Callable[[], ServedModel | None]
Notes = Callable[[], Sequence[str]]


class NoModel(LookupError):  # noqa: N818  (a state of the world)
    """There is no model to ask."""


class ModelScorer:
    """One call of an inference client per request.

    Parameters
    ----------
    name : ``model``, or ``last_good_model``
    serving : which version to ask now; None: none
    fingerprint : of the features that requests are hydrated with
    timeout_ms : for one call, further bounded by the request's deadline
    breaker : keeps a model that does not answer from costing every request its timeout
    notes : asked for what each answer must say, from memory
    """

    def __init__(
        self,
        name: str,
        client: InferenceClient,
        serving: Serving,
        fingerprint: str,
        timeout_ms: float,
        breaker: Breaker,
        notes: Notes = tuple,
    ) -> None:
        self.name = name
        self._client = client
        self._serving = serving
        self._fingerprint = fingerprint
        self._timeout_ms = timeout_ms
        self._breaker = breaker
        self._notes = notes

    def score(self, query: Query, batch: CandidateBatch, features: Features) -> Scored:
        """Every head of the served model.

        Raises
        ------
        NoModel
            There is none, or it reads other features.
        TimeoutError
            No answer in time, or no time left.
        InferenceError, CircuitOpen
            The model cannot answer, or could not just now.
        """
        served = self._serving()
        if served is None:
            raise NoModel("no model is served")
        if served.fingerprint != self._fingerprint:
            raise NoModel(
                f"{served.name}/{served.version} reads {served.fingerprint}, not {self._fingerprint}"
            )
        timeout_ms = query.deadline.allow_ms(self._timeout_ms)
        if timeout_ms == 0.0:
            raise TimeoutError("no time left to ask a model")
        with self._breaker.guard(served):
            heads = self._infer(served, features, timeout_ms)
        return Scored(heads, served.name, served.version, self._notes())

    def _infer(self, served: ServedModel, features: Features, timeout_ms: float) -> Heads:
        try:
            return self._client.infer(
                served.name, served.version, features.user, features.candidates, features.ids, timeout_ms
            )
        except InferenceTimeout as error:
            raise TimeoutError(str(error)) from error
