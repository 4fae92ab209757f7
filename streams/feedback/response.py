"""What of an item's change nobody could have predicted, on a scale on which bets are bounded.

Only the past of before the nudge is used: adjusting on anything after it, such as the exposures that the
nudge itself caused, makes signs and responses dependent where there is no loop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64
from streams.feedback.history import History

STRATA = 10
_WINSORISED = 0.005
_CLIP = 4.0
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class Response:
    """How much each value surprised, 0 where nothing is known.

    Attributes
    ----------
    surprise : (*streams, f, n) residual in score units, centred within its stratum, not clipped; enlarged by
        the share of itself that each value is predicted and centred by, or β would come out too small
    outcome : the same as multiples of the stratum's spread, clipped to [−1, 1]
    known : mask of the cells that have one
    """

    surprise: Float64
    outcome: Float64
    known: Mask


def respond(history: History, values: Float64, usable: Mask, stratum_score: Float64) -> Response:
    """The response of (*streams, f, n) ``values`` to whatever happened since ``history``.

    Parameters
    ----------
    usable : (*streams, n) cells whose item is the one that ``history`` knows
    stratum_score : (*streams, n) raw score before the nudge, finite where usable
    """
    known = history.ready & usable[..., None, :] & np.isfinite(values)
    target = np.where(known, values - history.last, np.nan)
    return _standardised(residual(history.predictors(), target, known), known, _Strata(stratum_score, usable))


def residual(predictors: Float64, target: Float64, known: Mask) -> Float64:
    """(*streams, f, n) what least squares within the epoch, over winsorised targets, leave unexplained.

    Of n values p predictors explain p/n whatever the values are; residuals are enlarged by as much, so that
    what was added to a value by a coin is found in its residual in full.

    Parameters
    ----------
    predictors : (*streams, f, p, n)
    target : (*streams, f, n), fitted to where ``known``
    """
    design = predictors * known[..., None, :]
    bounded = np.where(known, _winsorised(target, known), 0.0)
    normal = design @ design.swapaxes(-1, -2)
    # A constant past makes rows vanish; this much ridge is far below anything that is measured.
    ridge = 1e-9 * np.trace(normal, axis1=-2, axis2=-1) + 1e-12
    normal += ridge[..., None, None] * np.eye(normal.shape[-1])
    weights = np.linalg.solve(normal, design @ bounded[..., None])
    prediction: Float64 = (weights.swapaxes(-1, -2) @ design)[..., 0, :]
    return (target - prediction) * _unshared(known.sum(axis=-1, keepdims=True), normal.shape[-1])


def _unshared(count: Float64, used: int) -> Float64:
    """n / (n − p); 0 where nothing is left, because everything was predicted by itself."""
    return np.where(count > used, count / np.maximum(count - used, 1), 0.0)


def _winsorised(target: Float64, known: Mask) -> Float64:
    rising = np.sort(target, axis=-1)
    count = known.sum(axis=-1, keepdims=True)
    lowest = np.ceil(_WINSORISED * count).astype(np.intp)
    low = np.take_along_axis(rising, np.minimum(lowest, np.maximum(count - 1, 0)), axis=-1)
    high = np.take_along_axis(rising, np.maximum(count - 1 - lowest, 0), axis=-1)
    return np.clip(target, low, high)


class _Strata:
    """Items in ten groups of neighbouring scores."""

    def __init__(self, score: Float64, usable: Mask) -> None:
        most = max(int(usable.sum(axis=-1).max(initial=0)), 1)
        ranked = np.argsort(np.where(usable, score, np.inf), axis=-1)[..., :most]
        self._order: NDArray[np.intp] = ranked
        self._spare = -most % STRATA

    def gather(self, values: Float64) -> Float64:
        """(*streams, f, STRATA, m) of (*streams, f, n) values, NaN where a stratum has fewer than m."""
        ranked = np.take_along_axis(values, self._order[..., None, :], axis=-1)
        if self._spare:
            ends = np.full((*ranked.shape[:-1], self._spare), np.nan)
            ranked = np.concatenate([ranked, ends], axis=-1)
        return ranked.reshape(*ranked.shape[:-1], STRATA, -1)

    def scatter(self, grouped: Float64, shape: tuple[int, ...]) -> Float64:
        """Back to (*streams, f, n); 0 elsewhere."""
        ranked = grouped.reshape(*grouped.shape[:-2], -1)[..., : self._order.shape[-1]]
        values = np.zeros(shape)
        np.put_along_axis(values, self._order[..., None, :], ranked, axis=-1)
        return values


def _standardised(unexplained: Float64, known: Mask, strata: _Strata) -> Response:
    grouped = strata.gather(unexplained)
    centred = grouped - _median(grouped)
    spread = _spread(centred)
    with np.errstate(divide="ignore", invalid="ignore"):
        outcome = np.where(spread > 0, np.clip(centred / (_CLIP * spread), -1.0, 1.0), 0.0)
    centred *= _unshared(np.isfinite(centred).sum(axis=-1, keepdims=True), 1)
    return Response(
        surprise=strata.scatter(np.nan_to_num(centred), unexplained.shape),
        outcome=strata.scatter(np.nan_to_num(outcome), unexplained.shape),
        known=known,
    )


def _spread(centred: Float64) -> Float64:
    """Standard deviation by MAD; the mean deviation where most of a stratum did not move at all."""
    deviation = np.abs(centred)
    robust = _MAD_TO_SD * _median(deviation)
    count = np.maximum(np.isfinite(deviation).sum(axis=-1, keepdims=True), 1)
    mean = np.nansum(deviation, axis=-1, keepdims=True) / count
    return np.where(robust > 0, robust, mean)


def _median(values: Float64) -> Float64:
    """Along the last axis, without NaN; NaN of nothing."""
    rising = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    middle = np.take_along_axis(rising, low, axis=-1) + np.take_along_axis(rising, high, axis=-1)
    median: Float64 = middle / 2
    return median
