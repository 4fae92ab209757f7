"""The long-run gain: what a nudge does over all later epochs, which is the risk that one epoch's β is not."""

from dataclasses import dataclass

import numpy as np

from streams.feedback.evidence.confidence import AsymptoticSequence, Interval
from streams.feedback.history import MIN_AGE, History
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import residual
from streams.feedback.slots import with_room

_KEPT = 4


@dataclass(frozen=True, slots=True)
class GainPlan:
    """Which nudges are followed, and for how long.

    Attributes
    ----------
    lags : L, epochs over which answers are summed; long enough for them to fade
    stride : of every so many epochs one's nudges are followed; a divisor of L. At L nudges are followed one
        after the other: 1/L of the memory, and an interval √L times as wide
    """

    lags: int
    stride: int = 1

    def __post_init__(self) -> None:
        if not (0 < self.stride <= self.lags and self.lags % self.stride == 0):
            raise ValueError(f"stride: {self.stride} does not divide the {self.lags} lags")


class LongRunGain:
    """G, the sum of the answers β_1 … β_L to one unit of nudge, with its confidence sequence.

    The sum of an item's next L values is predicted from what was known *before* the nudge, nothing later, so
    that an answer that stays is counted for as long as it stays. Per item it remembers 4 L / stride + 1
    numbers for each value, and L / stride besides.

    Parameters
    ----------
    shape : (*streams, f, n) of the values
    plan : which nudges are followed

    Attributes
    ----------
    epochs : taken in so far
    past : (L / stride, 4, *shape) of the nudges followed, newest first: value, EWMA .5, EWMA .2, sum of
        values until then
    stakes, doses : these nudges, as in `nudges`
    sum : (*shape,) of all values so far
    """

    STATE = ("epochs", "past", "stakes", "doses", "sum", "gain.sums")

    def __init__(self, shape: tuple[int, ...], plan: GainPlan) -> None:
        *streams, _, n = shape
        self._plan = plan
        followed = plan.lags // plan.stride
        self.epochs = 0
        self.past = np.zeros((followed, _KEPT, *shape))
        self.stakes = np.zeros((followed, *streams, n))
        self.doses = np.zeros((followed, *streams))
        self.sum = np.zeros(shape)
        self.gain = AsymptoticSequence(shape[:-1])

    def update(self, history: History, nudges: NudgeRecord) -> None:
        """Take in an epoch that ``history`` and ``nudges`` have already taken in."""
        self._make_room(history.columns.shape[-1])
        self.sum = self.sum + history.last
        self.epochs += 1
        if self.epochs % self._plan.stride == 0:
            self._answer(history)
            self._follow(history, nudges)

    def interval(self) -> Interval:
        """(*streams, f) G and its confidence sequence."""
        return self.gain.interval()

    def _make_room(self, n: int) -> None:
        if n != self.sum.shape[-1]:
            self.past, self.sum = with_room(self.past, n), with_room(self.sum, n)
            self.stakes = with_room(self.stakes, n)

    def _answer(self, history: History) -> None:
        """Take in what the oldest nudges did, which began L epochs ago."""
        lags = self._plan.lags
        answered = history.columns[0] >= lags + MIN_AGE
        before, fast, slow, sum_before = self.past[-1]
        stakes, dose = self.stakes[-1][..., None, :], self.doses[-1][..., None, None]
        target = np.where(answered, self.sum - sum_before - lags * before, np.nan)
        design = np.stack([np.ones_like(before), before, fast - before, slow - before], axis=-2)
        surprise = np.nan_to_num(residual(design, target, answered))
        answer = np.sign(stakes) * surprise / np.where(dose > 0, dose, np.inf)
        self.gain.update(answer, np.abs(stakes) * answered)

    def _follow(self, history: History, nudges: NudgeRecord) -> None:
        """This epoch's nudges take the place of the oldest."""
        _, last, _, fast, slow, _ = history.columns
        for ring, newest in (
            (self.past, np.stack([last, fast, slow, self.sum])),
            (self.stakes, nudges.stakes[0]),
            (self.doses, nudges.doses[0]),
        ):
            ring[1:] = ring[:-1].copy()
            ring[0] = newest
