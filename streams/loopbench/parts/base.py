"""What a part of a world may do."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.shown import Shown

Mask = NDArray[np.bool_]


class Part:
    """Something that acts on a world; every hook does nothing unless a part says otherwise.

    A part never changes an array in place, so that a shallow copy of it lives on as its own counterfactual.

    Attributes
    ----------
    feature : name of its contribution to the raw score; "" where it has none
    unlogged : whether that contribution is in the score without being logged
    """

    feature = ""
    unlogged = False

    def begin(self, noise: SeededNoise) -> None:
        """Draw what it starts with."""

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        """What happens to it at the beginning of an epoch, whatever was shown."""

    def replace(self, fresh: Mask, noise: SeededNoise) -> None:
        """New items took the place of others."""

    def contribution(self) -> Float64:
        """(runs, k, n) of ``feature`` to the raw score."""
        raise NotImplementedError(f"{type(self).__name__} has no feature")

    def boost(self) -> Float64 | float:
        """Added to the published score, for reasons outside the model."""
        return 0.0

    def appetite(self, published: Float64) -> Float64 | float:
        """Added to the logarithm of the chance of a click."""
        return 0.0

    def traffic(self) -> float:
        """Factor of the number of impressions."""
        return 1.0

    def churn(self, noise: SeededNoise) -> Mask | None:
        """Slots that get a new item in this epoch."""
        return None

    def logged(self, shown: Shown) -> Shown:
        """What the log has of it."""
        return shown

    def observe(self, shown: Shown) -> None:
        """Learn what was shown and clicked, as logged: the way back of every loop."""

    @property
    def reacts(self) -> bool:
        """Whether what is shown comes back to it."""
        return type(self).observe is not Part.observe

    def twin(self) -> Self:
        """A copy for the world as it would have been."""
        return copy.copy(self)
