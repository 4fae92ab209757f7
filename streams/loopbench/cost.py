"""What nudges cost the people who are nudged."""

from functools import lru_cache

import numpy as np

from streams.loopbench.samplers import TASTE_SD, Sampler, TopK

_ITEM_SD = 0.5
_USERS, _ITEMS, _SHOWN, _ROUNDS = 400, 200, 10, 40


def engagement_cost(sampler: Sampler, delta: float) -> float:
    """Share of the click-through rate that nudges of size ``delta`` cost.

    In a top-10-of-200 ranker it is measured, for the worst case that scores are exactly what users want. A
    ranker that samples by softmax loses next to nothing: exp(nudge) has the same mean for all items.
    """
    return _lost_in_top_k(delta) if isinstance(sampler, TopK) else 0.0


@lru_cache
def _lost_in_top_k(delta: float) -> float:
    rng = np.random.default_rng(0)
    wanted = got = 0.0
    for _ in range(_ROUNDS):
        score = _ITEM_SD * rng.standard_normal(_ITEMS) + TASTE_SD * rng.standard_normal((_USERS, _ITEMS))
        clicks = np.exp(score)
        nudge = delta * np.where(rng.random(_ITEMS) < 0.5, -1.0, 1.0)
        wanted += 2 * _clicks_on_top(clicks, score)
        got += _clicks_on_top(clicks, score + nudge) + _clicks_on_top(clicks, score - nudge)
    return 1.0 - got / wanted


def _clicks_on_top(clicks: np.ndarray, score: np.ndarray) -> float:
    top = np.argpartition(-score, _SHOWN, axis=-1)[:, :_SHOWN]
    return float(np.take_along_axis(clicks, top, axis=-1).sum())
