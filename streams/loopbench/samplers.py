"""How scores become exposure."""

from typing import Protocol

import numpy as np
from scipy.special import ndtr

from streams.loopbench.noise import Float64

TOP_SHARE = 0.05
"""Part of the candidates that a top-k ranker shows: the first 10 of 200."""

TASTE_SD = 0.5
"""How much users' own scores of an item differ."""


class Sampler(Protocol):
    """Shares of exposure of (..., n) published scores; they sum to 1."""

    def shares(self, published: Float64) -> Float64: ...


class Softmax:
    """Draws items by the exponential of their score, never by the score itself, which may be negative."""

    def shares(self, published: Float64) -> Float64:
        weight = np.exp(published - published.max(axis=-1, keepdims=True))
        share: Float64 = weight / weight.sum(axis=-1, keepdims=True)
        return share


class TopK:
    """Shows an item to the users in whose order it is among the first.

    A user's score is the published one plus a taste N(0, .5), so an item is shown with probability
    Φ((score − τ) / .5), τ such that :data:`TOP_SHARE` of the candidates are.
    """

    def shares(self, published: Float64) -> Float64:
        shown = ndtr((published - self._threshold(published)) / TASTE_SD)
        share: Float64 = shown / shown.sum(axis=-1, keepdims=True)
        return share

    @staticmethod
    def _threshold(published: Float64) -> Float64:
        low = published.min(axis=-1, keepdims=True) - 4 * TASTE_SD
        high = published.max(axis=-1, keepdims=True) + 4 * TASTE_SD
        for _ in range(16):
            middle = (low + high) / 2
            too_many = ndtr((published - middle) / TASTE_SD).mean(axis=-1, keepdims=True) > TOP_SHARE
            low, high = np.where(too_many, middle, low), np.where(too_many, high, middle)
        threshold: Float64 = (low + high) / 2
        return threshold
