"""Bets on the signs of our own coin.

Whoever bets on a fair coin does not get rich: if nothing listens to the nudge, its sign is independent of
every response, and the capital of any betting strategy is a martingale that starts at 1. It reaches W at
*any* time with a probability of at most 1/W (Ville 1939; Waudby-Smith and Ramdas, arXiv 2010.09686).
"""

import math

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_STAKES = (0.03, 0.1, 0.3, 0.9)

BETS: Float64 = np.array([*(-stake for stake in reversed(_STAKES)), *_STAKES])
"""Fractions of its capital that each of the mixture's gamblers stakes, on either side."""

BET_SHARES: Float64 = np.array([0.05, 0.15, 0.25, 0.05, 0.05, 0.25, 0.15, 0.05])
"""How the starting capital is split over them: what is only just found is found by the middle ones.

The best stake is about z / (sd · √n) for n outcomes that end z standard deviations from 0; with the sd of a
clipped, weighted response, .2, an alarm after 7000 to 100 000 of them is earned at .3 to .06.
"""

_LANES = 32
"""Products of one stream that grow side by side."""

_DEEPEST = 256
"""Outcomes multiplied before a logarithm is taken: .1 ** 256 and 1.9 ** 256 are well within float64."""

_AT_ONCE = 1 << 16
"""Outcomes that all gamblers bet on before the next are looked at: they stay in the processor's cache."""


class BettingMixture:
    """Capital of the gamblers over any shape of streams, in logarithms.

    The mean of :data:`BETS`, weighted by :data:`BET_SHARES`.

    Parameters
    ----------
    streams : shape of the streams; each is a process of its own

    Attributes
    ----------
    log_capital : (*streams, 8) float64, the whole state

    Examples
    --------
    >>> process = BettingMixture(())
    >>> process.update(np.full(200, 0.5))
    >>> bool(process.log_evidence() > np.log(1000))
    True
    """

    def __init__(self, streams: tuple[int, ...]) -> None:
        self.log_capital = np.zeros((*streams, BETS.size))

    def update(self, outcomes: Float64) -> None:
        """Bet on (*streams, n) outcomes within [−1, 1]; 0 is no bet.

        Raises
        ------
        ValueError
            When an outcome is not within [−1, 1].
        """
        if not (np.abs(outcomes) <= 1.0).all():
            raise ValueError("outcomes: a bet needs numbers within [-1, 1]")
        streams = outcomes.reshape(math.prod(outcomes.shape[:-1]), outcomes.shape[-1])
        growth, some = np.empty((len(streams), BETS.size)), max(1, _AT_ONCE // max(1, outcomes.shape[-1]))
        for first in range(0, len(streams), some):
            growth[first : first + some] = _growth(streams[first : first + some])
        self.log_capital += growth.reshape(self.log_capital.shape)

    def log_evidence(self) -> Float64:
        """(*streams,) natural logarithm of W, the weighted mean of the gamblers' capitals."""
        return log_mean_exp(self.log_capital, axis=-1, weights=BET_SHARES)


def log_mean_exp(logs: Float64, axis: int | tuple[int, ...], weights: Float64 | None = None) -> Float64:
    """Logarithm of the (weighted) mean of ``exp(logs)`` along ``axis``: e-values are fused by averaging.

    ``weights`` sum to 1 over ``axis`` and broadcast against ``logs``.
    """
    top = np.maximum(logs.max(axis=axis, keepdims=True), np.finfo(np.float64).min)
    scaled = np.exp(logs - top)
    mean = scaled.mean(axis=axis) if weights is None else (scaled * weights).sum(axis=axis)
    with np.errstate(divide="ignore"):
        fused: Float64 = np.log(mean) + top.squeeze(axis)
    return fused


def _growth(outcomes: Float64) -> Float64:
    """(k, 8) logarithms of what (k, n) outcomes make of each gambler's capital."""
    turns = _in_turn(outcomes)
    growth = np.empty((len(outcomes), BETS.size))
    won, factors = np.empty_like(turns), np.empty_like(turns)
    for place, stake in enumerate(_STAKES):
        np.multiply(turns, stake, out=won)
        for gambler, gained in ((len(_STAKES) + place, np.add), (len(_STAKES) - 1 - place, np.subtract)):
            gained(1.0, won, out=factors)
            growth[:, gambler] = np.log(factors.prod(axis=0)).reshape(len(outcomes), -1).sum(axis=-1)
    return growth


def _in_turn(outcomes: Float64) -> Float64:
    """(depth, k · blocks · lanes): what is multiplied lies one behind the other; outcomes of 0 at the end."""
    k, n = outcomes.shape
    depth = max(1, min(-(-n // _LANES), _DEEPEST))
    padded = np.concatenate([outcomes, np.zeros((k, -n % (depth * _LANES)))], axis=-1)
    blocks = padded.reshape(k, -(-n // (depth * _LANES)), depth, _LANES)
    return np.moveaxis(blocks, 2, 0).reshape(depth, -1)
