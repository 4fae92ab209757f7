"""Scores items for users, and once more with each feature at its reference value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ranker.pipeline.batch import Float32, Float64, Int64
from ranker.pipeline.components import Value
from ranker.pipeline.features import Features
from ranker.registry.models import ServedModel
from ranker.triton.base import InferenceClient


@dataclass(frozen=True, slots=True)
class Watched:
    """Candidate columns whose contributions are told apart.

    Attributes
    ----------
    names : of the columns
    places : (f,) of each among the candidate columns
    reference : (f,) float32 value that each has of an item that nothing has happened to
    """

    names: tuple[str, ...]
    places: Int64
    reference: Float32


class PanelScorer:
    """Raw scores and contributions by one model version.

    Parameters
    ----------
    value : of the heads, as answers are sorted by
    rows : of one call
    timeout_ms : for one call
    """

    def __init__(
        self, client: InferenceClient, value: Value, watched: Watched, rows: int, timeout_ms: float
    ) -> None:
        self._client = client
        self._value = value
        self._watched = watched
        self._rows = rows
        self._timeout_ms = timeout_ms

    def score(self, model: ServedModel, users: Sequence[Features]) -> tuple[Float64, Float64]:
        """(n,) raw score and (n, f) contributions, means over ``users``.

        Raises
        ------
        InferenceError
            The model does not answer.
        """
        by_variant = np.mean([self._variants(model, features) for features in users], axis=0)
        return by_variant[0], (by_variant[0] - by_variant[1:]).T

    def _variants(self, model: ServedModel, features: Features) -> Float64:
        """(1 + f, n): as it is, then with each feature at its reference."""
        variants = 1 + len(self._watched.names)
        candidates = np.repeat(features.candidates[None], variants, axis=0)
        for number, place in enumerate(self._watched.places.tolist()):
            candidates[1 + number, :, place] = self._watched.reference[number]
        _, n, width = candidates.shape
        ids = np.tile(features.ids, (variants, 1))
        return self._raw(model, features.user, candidates.reshape(-1, width), ids).reshape(variants, n)

    def _raw(self, model: ServedModel, user: Float32, candidates: Float32, ids: Int64) -> Float64:
        parts = [
            self._value.value(
                self._client.infer(
                    model.name,
                    model.version,
                    user,
                    candidates[start : start + self._rows],
                    ids[start : start + self._rows],
                    self._timeout_ms,
                )
            )
            for start in range(0, len(candidates), self._rows)
        ]
        return np.concatenate(parts)
