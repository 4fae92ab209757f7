"""The contract of every inference client, and the tensors it moves."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Scores = dict[str, Float32]
"""head -> score of each candidate, (n,) float32"""


class InferenceError(RuntimeError):
    """The model gave no answer; the message says which model and why."""


class InferenceTimeout(InferenceError):  # noqa: N818  (a state of the world)
    """No answer within the time allowed."""


class ModelLoading(InferenceError):  # noqa: N818  (a state of the world)
    """The version is being loaded: ask again in a moment."""


class InferenceClient(Protocol):
    """Runs one version of a model on the candidates of a request. Safe to share between threads."""

    def infer(
        self, model: str, version: str, user: Float32, candidates: Float32, ids: Int64, timeout_ms: float
    ) -> Scores:
        """Scores of every head.

        Parameters
        ----------
        model, version : as in the registry
        user : (1, u) float32, sent once per request
        candidates : (n, k) float32
        ids : (n, m) int64, 53-bit hashes, 0 where there is none
        timeout_ms : an answer later than this is an error; a client in process cannot be interrupted

        Raises
        ------
        InferenceTimeout
            No answer in time.
        InferenceError
            The version is not loaded, or its inputs have other shapes.
        """

    def prepare(self, model: str, version: str) -> None:
        """Load this version beside those that serve, if it does not answer yet; returns when it does.

        Raises
        ------
        InferenceError
            It cannot be loaded, for instance because it was made for other features.
        """

    def ready(self, model: str, version: str) -> bool:
        """Whether this version answers."""

    def close(self) -> None:
        """Let go of connections; later calls fail."""
