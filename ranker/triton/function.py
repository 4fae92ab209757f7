"""A model that is a Python function: the inference client of tests, faults included."""

from collections.abc import Callable

from ranker.triton.base import Float32, InferenceError, Int64, Scores

Model = Callable[[Float32, Float32, Int64], Scores]
"""(user, candidates, ids) -> score of every head"""


class FunctionClient:
    """An `InferenceClient` over functions.

    Parameters
    ----------
    models : name -> function; every version of that name is served by it

    Attributes
    ----------
    failure : raised by the next calls while it is set
    calls : number of `infer` calls
    """

    def __init__(self, models: dict[str, Model]) -> None:
        self._models = models
        self.failure: Exception | None = None
        self.calls = 0

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """See `InferenceClient.infer`."""
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        self.prepare(model, version)
        return self._models[model](user, candidates, ids)

    def prepare(self, model: str, version: str) -> None:
        """See `InferenceClient.prepare`."""
        if model not in self._models:
            raise InferenceError(f"model {model}/{version} is not loaded")

    def ready(self, model: str, version: str) -> bool:
        """See `InferenceClient.ready`."""
        return self.failure is None and model in self._models

    def close(self) -> None:
        """See `InferenceClient.close`."""
        self._models = {}
