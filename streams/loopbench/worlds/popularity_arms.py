"""Two arms of one ranker: production ranks by click counts, the holdout by click rates.

Tastes wander and people of both arms like the same things, so exposure concentrates and spreads by itself.
Only production's feature counts its own exposures again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.feedback.concentration import ArmCells
from streams.loopbench.noise import Float64, SeededNoise

_RATE, _MOST = 0.1, 0.9
_USUAL_COUNT = 100.0


@dataclass(frozen=True, slots=True)
class ArmsScale:
    """How large the world is.

    Attributes
    ----------
    items, events : of the catalogue; impressions in an epoch, both arms
    holdout : part of the users without the loop
    gain : weight of the click rate in the score of both arms: useful, and no loop
    loop : weight of log(1 + clicks / 100), decayed, in production's score
    memory : what is left of a count after an epoch
    walk, reversion : of tastes, per epoch; without reversion they spread for ever
    frozen_holdout : the holdout keeps the scores of the first epoch: what a twin must not do
    """

    items: int = 1000
    events: float = 25_000.0
    holdout: float = 0.05
    gain: float = 0.2
    loop: float = 1.0
    memory: float = 0.97
    walk: float = 0.1
    reversion: float = 0.03
    frozen_holdout: bool = False


class ArmsWorld:
    """Many seeds side by side; (runs, 1, n) inside."""

    def __init__(self, scale: ArmsScale, seeds: Sequence[int]) -> None:
        self._scale = scale
        self._noise = SeededNoise(seeds, (1, scale.items))
        self._taste = 0.5 * self._noise.normal()
        self._first_taste = self._taste
        self._epoch = 0
        self._count, self._rows, self._clicks = (np.zeros(self._noise.shape) for _ in range(3))

    def step(self) -> ArmCells:
        """One epoch: both arms show, people click, both features learn from all of it."""
        scale = self._scale
        rate = (self._clicks + 1.0) / (self._rows + 1.0 / _RATE)
        corrected = scale.gain * _standard(np.log(rate))
        counted = scale.loop * np.log1p(self._count / _USUAL_COUNT)
        live = self._taste + corrected
        twin = self._first_taste if scale.frozen_holdout else live
        production = self._shown(live + counted, scale.events * (1 - scale.holdout))
        holdout = self._shown(twin, scale.events * scale.holdout)
        self._learn(production + holdout)
        self._taste = (1 - scale.reversion) * self._taste + scale.walk * self._noise.normal()
        cells = ArmCells(self._epoch, production[:, 0].astype(np.int64), holdout[:, 0].astype(np.int64))
        self._epoch += 1
        return cells

    def _shown(self, score: Float64, rows: float) -> Float64:
        weight = np.exp(score)
        return self._noise.poisson(rows * weight / weight.sum(axis=-1, keepdims=True))

    def _learn(self, rows: Float64) -> None:
        clicks = self._noise.binomial(rows, np.minimum(_RATE * np.exp(0.5 * self._taste), _MOST))
        memory = self._scale.memory
        self._count = memory * self._count + clicks
        self._rows, self._clicks = memory * self._rows + rows, memory * self._clicks + clicks


def _standard(values: Float64) -> Float64:
    spread = values.std(axis=-1, keepdims=True)
    standard: Float64 = (values - values.mean(axis=-1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    return standard
