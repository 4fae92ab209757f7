"""Evidence that values answer to nudges: a betting process for each (value, lag), β for each value."""

import numpy as np

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import BettingMixture, Float64, log_mean_exp
from streams.feedback.evidence.confidence import AsymptoticSequence
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import Response

LAGS = (1, 2, 3, 5, 7, 10)
LAG_SHARES: Float64 = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
"""How the starting capital is split over the lags: most loops answer in the next epoch."""


class Answers:
    """Bets of one epoch's responses on the nudges of epochs before it.

    Parameters
    ----------
    values : (*streams, f), the shape of the values that may answer

    Attributes
    ----------
    bets : processes (*values, 1 + lags); the first is the control, a bet on a nudge that is yet to come
    beta : the answer after one epoch per unit of nudge, (*values)
    """

    def __init__(self, values: tuple[int, ...]) -> None:
        self.bets = BettingMixture((*values, 1 + len(LAGS)))
        self.beta = AsymptoticSequence(values)

    def update(self, response: Response, bet_on: Mask, nudges: NudgeRecord) -> None:
        """Bet an epoch's response, where (*streams, f, n) ``bet_on``, on its nudges and those before."""
        stakes = np.stack([nudges.stakes[lag] for lag in (0, *LAGS)], axis=-2)[..., None, :, :]
        self.bets.update((response.outcome * bet_on)[..., None, :] * stakes)
        before, dose = nudges.stakes[1][..., None, :], nudges.doses[1][..., None, None]
        answer = np.sign(before) * response.surprise / np.where(dose > 0, dose, np.inf)
        self.beta.update(answer, np.abs(before) * bet_on)

    def log_control(self) -> Float64:
        """(*streams,) evidence that values know a nudge before it happens."""
        return log_mean_exp(self.bets.log_evidence()[..., 0], axis=-1)

    def log_by_lag(self) -> Float64:
        """(*values, lags)"""
        return self.bets.log_evidence()[..., 1:]

    def log_by_value(self) -> Float64:
        """(*values), averaged over lags."""
        return log_mean_exp(self.log_by_lag(), axis=-1, weights=LAG_SHARES)
