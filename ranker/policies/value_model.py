"""The value of a candidate: a weighted sum of its heads."""

from collections.abc import Mapping

import numpy as np

from ranker.pipeline.batch import Float64, Heads


class NoWeightedHead(ValueError):  # noqa: N818  (a state of the world)
    """A model answers only heads that the policy gives no worth."""


class ValueModel:
    """``Σ weight · head`` over the heads that have a weight.

    Parameters
    ----------
    weights : head -> worth of one predicted unit
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)

    def value(self, heads: Heads) -> Float64:
        """(n,) float64.

        Raises
        ------
        NoWeightedHead
            None of the heads has a weight.
        """
        weighted = [
            self._weights[head] * heads[head].astype(np.float64) for head in heads if head in self._weights
        ]
        if not weighted:
            raise NoWeightedHead(f"no weight for any of the heads {', '.join(heads)}")
        return sum(weighted[1:], weighted[0])
