"""A KPI series around retrains: noise with memory, a season, a trend, and an echo where there is a loop."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.retrain_echo import BEFORE_AFTER, Retrain

Float64 = NDArray[np.float64]

_DAY = 96
_MEMORY = 0.8


@dataclass(frozen=True, slots=True)
class RetrainScale:
    """How the KPI behaves, in standard deviations of its noise, at quarters of an hour.

    Attributes
    ----------
    echo : height of the jump at a deploy, decaying over ``decay`` quarters; 0: no loop
    season, trend : height of the daily season; growth in a day
    slots : of the window in which a deploy time is drawn
    fixed_slot : not drawn, always this one: what a protocol that is not followed looks like
    """

    echo: float = 1.0
    decay: float = 40.0
    season: float = 2.0
    trend: float = 0.1
    slots: int = 48
    fixed_slot: int | None = None


def retrains(scale: RetrainScale, seed: int, most: int) -> Iterator[Retrain]:
    """One retrain a day, ``most`` of them; the window begins at a fixed time of the day."""
    rng = np.random.default_rng(seed)
    kpi = _background(scale, rng, most)
    for day in range(most):
        slot = int(rng.integers(scale.slots)) if scale.fixed_slot is None else scale.fixed_slot
        start = day * _DAY + _DAY // 2
        after = np.arange(len(kpi) - start - slot)
        kpi[start + slot :] += scale.echo * np.exp(-after / scale.decay)
        window = slice(start - BEFORE_AFTER, start + scale.slots + BEFORE_AFTER - 1)
        yield Retrain(day, kpi[window].copy(), slot)


def _background(scale: RetrainScale, rng: np.random.Generator, days: int) -> Float64:
    steps = rng.normal(0.0, np.sqrt(1 - _MEMORY**2), (days + 1) * _DAY)
    time = np.arange(len(steps))
    series = scale.season * np.sin(2 * np.pi * time / _DAY) + scale.trend * time / _DAY
    level = rng.normal()
    for now, step in enumerate(steps):
        level = _MEMORY * level + step
        series[now] += level
    return series
