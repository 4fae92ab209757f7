"""Evidence that values answer to nudges: a betting process for each (value, lag), β for each value."""

import numpy as np

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import BettingMixture, Float64, log_mean_exp
from streams.feedback.evidence.confidence import AsymptoticSequence, EmpiricalBernstein
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import Response

LAGS = (1, 2, 3, 5, 7, 10)
LAG_SHARES: Float64 = np.array([0.7, 0.06, 0.06, 0.06, 0.06, 0.06])
"""How the starting capital is split over the lags: most loops answer in the next epoch."""

LAG_ALPHAS: Float64 = 0.05 * LAG_SHARES
"""Probability of ever missing β after each lag: of being wrong about any of them, .05."""

_CLIP = 4.0


class Answers:
    """Bets of one epoch's responses on the nudges of epochs before it.

    Parameters
    ----------
    values : (*streams, f), the shape of the values that may answer

    Attributes
    ----------
    bets : processes (*values, 1 + lags); the first is the control, a bet on a nudge that is yet to come
    betas : the answer per unit of nudge after each of :data:`LAGS`, (*values, lags)
    safe_beta : that after one epoch, from answers clipped at 4 standard deviations; wider, but right from the
        first epoch
    """

    STATE = ("bets.log_capital", "betas.sums", "safe_beta.sums")

    def __init__(self, values: tuple[int, ...]) -> None:
        self.bets = BettingMixture((*values, 1 + len(LAGS)))
        self.betas = AsymptoticSequence((*values, len(LAGS)))
        self.safe_beta = EmpiricalBernstein(values)

    @property
    def beta(self) -> AsymptoticSequence:
        """The answer after one epoch, (*values)."""
        return self.betas.part(..., 0)

    def update(self, response: Response, counts: Mask, nudges: NudgeRecord) -> None:
        """Bet an epoch's response, where (*streams, f, n) ``counts``, on its nudges and those before."""
        stakes = nudges.stakes[..., None, :]
        self._bet(response, counts, stakes, nudges.doses[..., None])

    def update_across(self, response: Response, counts: Mask, nudges: NudgeRecord) -> None:
        """The same, of each of k subjects on the nudges of all: values are then (*runs, k, k), f is 1."""
        stakes = nudges.stakes[..., None, :, :]
        self._bet(response, counts, stakes, nudges.doses[..., None, :])

    def _bet(self, response: Response, counts: Mask, stakes: Float64, doses: Float64) -> None:
        """Outcomes, and ``stakes`` and ``doses`` by lag, are laid over one another to (*values, n)."""
        lagged = np.stack([stakes[lag] for lag in (0, *LAGS)], axis=-2)
        self.bets.update((response.outcome * counts)[..., None, :] * lagged)
        per_unit = np.stack([1.0 / np.where(doses[lag] > 0, doses[lag], np.inf) for lag in LAGS], axis=-1)
        answer = np.sign(stakes[1]) * response.surprise * per_unit[..., 0, None]
        self._bound_safely(answer, np.abs(stakes[1]) * counts, counts)
        self.betas.add(_sums(lagged[..., 1:, :], counts, response.surprise, per_unit))

    def _bound_safely(self, answer: Float64, weights: Float64, counts: Mask) -> None:
        """Bounds come from the epochs before, weights from before the nudge: neither knows the answers."""
        mean = weights.sum(axis=-1) / np.maximum(counts.sum(axis=-1), 1)
        bound = _CLIP * self.beta.spread() / np.where(mean > 0, mean, np.inf)
        usable = bound > 0
        relative = answer * weights / np.where(mean > 0, mean, 1.0)[..., None]
        taken = np.where(usable[..., None], weights > 0, 0.0)
        self.safe_beta.update(relative, taken, np.where(usable, bound, 1.0))

    def log_control(self) -> Float64:
        """(*streams,) evidence that values know a nudge before it happens."""
        return log_mean_exp(self.bets.log_evidence()[..., 0], axis=-1)

    def log_by_lag(self) -> Float64:
        """(*values, lags)"""
        return self.bets.log_evidence()[..., 1:]

    def log_by_value(self) -> Float64:
        """(*values), averaged over lags."""
        return log_mean_exp(self.log_by_lag(), axis=-1, weights=LAG_SHARES)


def _sums(stakes: Float64, counts: Mask, surprise: Float64, per_unit: Float64) -> list[Float64]:
    """What `AsymptoticSequence` sums, of answers weighted by the size of the stake: as products of matrices.

    Written out, the answers to each lag of hundreds of values would take longer than everything else.

    Parameters
    ----------
    stakes : (*values, lags, n), laid over the values
    counts, surprise : (*values, n)
    per_unit : (*values, lags)
    """
    sizes, squares, taken = np.abs(stakes), stakes * stakes, counts.astype(np.float64)
    moved = taken * surprise
    return [
        _over_items(sizes, taken),
        _over_items(squares, taken),
        _over_items(stakes, moved) * per_unit,
        _over_items(stakes * sizes, moved) * per_unit,
        _over_items(squares, moved * surprise) * per_unit * per_unit,
    ]


def _over_items(by_lag: Float64, by_item: Float64) -> Float64:
    """(*values, lags) of (*values, lags, n) times (*values, n), summed over n."""
    summed: Float64 = (by_lag @ by_item[..., None])[..., 0]
    return summed
