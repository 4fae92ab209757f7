"""D4: does exposure concentrate faster than it would without the loop?

A report of harm, not a pager. What is compared is production, *thinned* to the size of a holdout,
with a holdout that sees live inputs but whose loop feature is corrected for exposure; a trend of the
concentration alone says nothing, because tastes and catalogues drift by themselves.
"""

import numpy as np
from numpy.typing import NDArray

from streams.feedback.evidence.betting import BETS, BettingMixture, log_mean_exp

Float64 = NDArray[np.float64]

_CLIP = 2.5


class ConcentrationGrowth:
    """Bets that the difference of the arms' Gini coefficients grows.

    Epoch t is paired with t + ``half``; the bet is on the sign of the change, within blocks of
    2 · ``half`` epochs, at a scale known before it: the root mean square of the steps of the block's
    first half.

    Parameters
    ----------
    half : epochs between the two of a pair, >= 2
    streams : shape of independent runs that are observed side by side

    Attributes
    ----------
    epochs : observed so far
    first : (half, *streams) differences of the first half of the block
    capital : of the bets
    """

    def __init__(self, half: int, streams: tuple[int, ...] = ()) -> None:
        if half < 2:
            raise ValueError(f"half: {half} is below 2, so that nothing gives the scale")
        self.epochs = 0
        self.first = np.zeros((half, *streams))
        self.capital = BettingMixture(streams)

    def observe(self, gap: Float64 | float) -> None:
        """Take the next epoch's difference (*streams,): Gini of production less that of the holdout."""
        half = len(self.first)
        place = self.epochs % (2 * half)
        if place < half:
            self.first[place] = gap
        else:
            self.capital.update(self._bet(np.asarray(gap) - self.first[place - half])[..., None])
        self.epochs += 1

    def log_evidence(self) -> Float64:
        """(*streams,) ln W of growth: only the gamblers that bet on it."""
        return log_mean_exp(self.capital.log_capital[..., BETS > 0], axis=-1)

    def _bet(self, change: Float64) -> Float64:
        scale = _CLIP * np.sqrt(np.square(np.diff(self.first, axis=0)).mean(axis=0))
        ratio = np.divide(change, scale, out=np.zeros_like(change), where=scale > 0)
        bet: Float64 = np.clip(ratio, -1.0, 1.0)
        return bet
