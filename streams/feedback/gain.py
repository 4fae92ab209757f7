"""The long-run gain: what a nudge does over all later epochs, which is the risk that one epoch's β is not."""

import numpy as np

from streams.feedback.evidence.betting import Float64
from streams.feedback.evidence.confidence import AsymptoticSequence, Interval
from streams.feedback.history import MIN_AGE, History
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import residual
from streams.feedback.slots import with_room

_KEPT = 4


class LongRunGain:
    """G, the sum of the answers β_1 … β_L to one unit of nudge, with its confidence sequence.

    The sum of an item's next L values is predicted from what was known *before* the nudge, nothing later, so
    that an answer that stays is counted for as long as it stays. Per item it remembers 4 (L + 1) + 1 numbers
    for each value, and L + 1 besides.

    Parameters
    ----------
    shape : (*streams, f, n) of the values
    lags : L, epochs; long enough for answers to fade

    Attributes
    ----------
    past : (L + 1, 4, *shape) by age in epochs: value, EWMA .5, EWMA .2, sum of values until then
    stakes, doses : the nudges of these epochs, as in `nudges`
    sum : (*shape,) of all values so far
    """

    STATE = ("past", "stakes", "doses", "sum", "gain.sums")

    def __init__(self, shape: tuple[int, ...], lags: int) -> None:
        *streams, _, n = shape
        self._lags = lags
        self.past = np.zeros((lags + 1, _KEPT, *shape))
        self.stakes = np.zeros((lags + 1, *streams, n))
        self.doses = np.zeros((lags + 1, *streams))
        self.sum = np.zeros(shape)
        self.gain = AsymptoticSequence(shape[:-1])

    def update(self, history: History, nudges: NudgeRecord) -> None:
        """Take in an epoch that ``history`` and ``nudges`` have already taken in."""
        self._make_room(history.columns.shape[-1])
        self.sum = self.sum + history.last
        _, last, _, fast, slow, _ = history.columns
        self._remember(np.stack([last, fast, slow, self.sum]), nudges)
        answered = history.columns[0] >= self._lags + MIN_AGE
        before, fast, slow, sum_before = self.past[-1]
        stakes, dose = self.stakes[-1][..., None, :], self.doses[-1][..., None, None]
        target = np.where(answered, self.sum - sum_before - self._lags * before, np.nan)
        design = np.stack([np.ones_like(before), before, fast - before, slow - before], axis=-2)
        surprise = np.nan_to_num(residual(design, target, answered))
        answer = np.sign(stakes) * surprise / np.where(dose > 0, dose, np.inf)
        self.gain.update(answer, np.abs(stakes) * answered)

    def interval(self) -> Interval:
        """(*streams, f) G and its confidence sequence."""
        return self.gain.interval()

    def _make_room(self, n: int) -> None:
        if n != self.sum.shape[-1]:
            self.past, self.sum = with_room(self.past, n), with_room(self.sum, n)
            self.stakes = with_room(self.stakes, n)

    def _remember(self, now: Float64, nudges: NudgeRecord) -> None:
        for ring, newest in (
            (self.past, now),
            (self.stakes, nudges.stakes[0]),
            (self.doses, nudges.doses[0]),
        ):
            ring[1:] = ring[:-1].copy()
            ring[0] = newest
