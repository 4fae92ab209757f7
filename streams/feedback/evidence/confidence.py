"""Confidence sequences for a mean: intervals that hold at all times at once."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from streams.feedback.evidence.betting import Float64


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence sequence as of now; arrays over streams."""

    estimate: Float64
    lower: Float64
    upper: Float64


class AsymptoticSequence:
    """Weighted mean with the asymptotic confidence sequence of Waudby-Smith et al. (arXiv 2103.06476).

    Parameters
    ----------
    streams : shape of the streams
    alpha : probability of ever missing the running mean
    tuned_to : effective number of values at which the interval is to be narrowest

    Attributes
    ----------
    sums : (5, *streams) float64, the whole state: Σw, Σw², Σwx, Σw²x, Σw²x²
    """

    def __init__(self, streams: tuple[int, ...], alpha: float = 0.05, tuned_to: float = 10_000.0) -> None:
        self.sums = np.zeros((5, *streams))
        self._alpha = alpha
        self._rho_squared = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / tuned_to

    def part(self, *index: Any) -> "AsymptoticSequence":
        """Some of the streams, as they are now: ``index`` as of an array of them."""
        part = copy(self)
        part.sums = self.sums[:, *index]
        return part

    def update(self, values: Float64, weights: Float64) -> None:
        """Take in (*streams, n) values; a weight of 0 leaves one out."""
        weighted = weights * values
        terms = (weights, weights * weights, weighted, weights * weighted, weighted * weighted)
        self.add([term.sum(axis=-1) for term in terms])

    def add(self, sums: Sequence[Float64]) -> None:
        """Take in values of which only the sums are known, in the order of :attr:`sums`."""
        self.sums += np.stack(sums)

    def interval(self) -> Interval:
        """Two-sided; the whole line before the first value."""
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = self.sums[2] / self.sums[0]
            width = self._standard_error() * self._boundary(self._alpha, sides=2)
        return _interval(estimate, width)

    def lower_bound(self, alpha: Float64 | float | None = None) -> Float64:
        """(*streams,) one-sided; −inf before the first value."""
        return self._one_sided(alpha).lower

    def upper_bound(self, alpha: Float64 | float | None = None) -> Float64:
        """(*streams,) one-sided; inf before the first value.

        Parameters
        ----------
        alpha : probability of ever missing the running mean, where it is not that of the sequence; any shape
            that the streams have or broadcast to
        """
        return self._one_sided(alpha).upper

    def spread(self) -> Float64:
        """(*streams,) root mean square of the values, by squared weights; 0 before the first."""
        squared_weights = self.sums[1]
        spread: Float64 = np.sqrt(self.sums[4] / np.where(squared_weights > 0, squared_weights, 1.0))
        return spread

    def _one_sided(self, alpha: Float64 | float | None) -> Interval:
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = self.sums[2] / self.sums[0]
            width = self._standard_error() * self._boundary(self._alpha if alpha is None else alpha, sides=1)
        return _interval(estimate, width)

    def _standard_error(self) -> Float64:
        total, _, weighted, squared_x, squared_x2 = self.sums
        mean = weighted / total
        spread = squared_x2 - 2 * mean * squared_x + mean * mean * self.sums[1]
        error: Float64 = np.sqrt(np.maximum(spread, 0.0)) / total
        return error

    def _boundary(self, alpha: Float64 | float, *, sides: int) -> Float64:
        """In standard errors."""
        mixed = self.sums[0] ** 2 / self.sums[1] * self._rho_squared + 1
        root = np.sqrt(mixed)
        height = np.log(root / alpha) if sides == 2 else np.log1p(root / (2 * alpha))
        boundary: Float64 = np.sqrt(2 * mixed / (mixed - 1) * height)
        return boundary


class EmpiricalBernstein:
    """Mean of bounded values with a confidence sequence that needs no asymptotics.

    Waudby-Smith and Ramdas, arXiv 2010.09686, theorem 2: predictable plug-in stakes.

    Parameters
    ----------
    streams : shape of the streams
    alpha : probability of ever missing the mean

    Attributes
    ----------
    sums : (6, *streams) float64, the whole state: n, Σy, Σy², Σλx, Σλ, Σvψ(λ), y being x scaled to [0, 1]
    """

    def __init__(self, streams: tuple[int, ...], alpha: float = 0.05) -> None:
        self.sums = np.zeros((6, *streams))
        self._alpha = alpha

    def update(self, values: Float64, taken: Float64, bound: Float64) -> None:
        """Take in (*streams, n) values, clipped at ± ``bound``; where ``taken`` is 0 they are left out.

        ``bound`` (*streams,) > 0 is chosen before the values are seen; it may differ from call to call.
        """
        clipped = np.clip(values, -bound[..., None], bound[..., None])
        y = (clipped / bound[..., None] + 1) / 2
        centre, stake = self._centre(), self._stake(taken.sum(axis=-1))
        surprise = (taken * (y - centre[..., None]) ** 2).sum(axis=-1) * (-np.log1p(-stake) - stake)
        per_value = stake / (2 * bound)
        terms = (
            taken.sum(axis=-1),
            (taken * y).sum(axis=-1),
            (taken * y * y).sum(axis=-1),
            (taken * clipped).sum(axis=-1) * per_value,
            taken.sum(axis=-1) * per_value,
            surprise,
        )
        self.sums += np.stack(terms)

    def interval(self) -> Interval:
        """Two-sided; the whole line before the first value."""
        _, _, _, weighted, stakes, surprise = self.sums
        with np.errstate(divide="ignore", invalid="ignore"):
            return _interval(weighted / stakes, (log(2 / self._alpha) + surprise) / stakes)

    def _centre(self) -> Float64:
        centre: Float64 = (self.sums[1] + 0.5) / (self.sums[0] + 1)
        return centre

    def _stake(self, coming: Float64) -> Float64:
        """Of what was seen before the values at hand, so that it may not know them."""
        seen = self.sums[0]
        variance = (self.sums[2] - 2 * self._centre() * self.sums[1] + self._centre() ** 2 * seen + 0.25) / (
            seen + 1
        )
        n = np.maximum(seen + coming, 1.0)
        stake: Float64 = np.sqrt(2 * log(2 / self._alpha) / (variance * n * np.log1p(n)))
        return np.minimum(stake, 0.5)


def _interval(estimate: Float64, width: Float64) -> Interval:
    known = np.isfinite(estimate) & np.isfinite(width)
    width = np.where(known, width, np.inf)
    around = np.where(known, estimate, 0.0)
    return Interval(np.where(known, estimate, np.nan), around - width, around + width)
