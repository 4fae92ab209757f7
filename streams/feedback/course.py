"""Epoch after epoch: each item's past, what was done to it, and how it answered."""

from operator import attrgetter

import numpy as np

from streams.feedback.answers import LAGS
from streams.feedback.capture import reinstate
from streams.feedback.cells import EpochCells, Mask
from streams.feedback.controls import Code, Controls
from streams.feedback.evidence.betting import Float64
from streams.feedback.history import History
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import Response, respond
from streams.feedback.slots import with_room

_SLOTTED = ("history.columns", "nudges.stakes", "nudges.exposures", "controls.signs", "score")


class Course:
    """All that is remembered of items from epoch to epoch, for (*runs, k, f, n) values.

    Per item that is, in float64, 6 for each value and 14 besides.

    Parameters
    ----------
    apart : whether each subject must have signs of its own

    Attributes
    ----------
    epoch, version : of the last epoch
    score : (*runs, k, n) its raw scores, NaN where unknown
    nudge_share : (*runs, k) size of the last nudges as a share of the scores' standard deviation then
    """

    STATE = (
        *_SLOTTED,
        "nudge_share",
        "epoch",
        "version",
        "nudges.doses",
        "controls.attrition.log_capital",
        "controls.broken",
    )

    def __init__(self, shape: tuple[int, ...], *, apart: bool = False) -> None:
        *streams, _, n = shape
        slots = (*streams, n)
        self.epoch = -1
        self.version = ""
        self.score = np.full(slots, np.nan)
        self.nudge_share = np.zeros(streams)
        self.history = History(shape)
        self.nudges = NudgeRecord(max(LAGS), slots)
        self.controls = Controls(slots, apart=apart)

    def follow(self, cells: EpochCells, values: Float64, leak: Float64) -> tuple[Response, Mask, Code]:
        """Take in the next epoch: how values answered, which answers count, why a stream's epoch is refused.

        After a gap in the epochs, or under another model version, pasts begin anew.

        Parameters
        ----------
        values : (*runs, k, f, n)
        leak : (*runs, k) log evidence that values know a nudge before it acts

        Raises
        ------
        ValueError
            When the epoch is not after the last one, or has fewer slots.
        """
        self._go_to(cells)
        values = np.where(cells.present[..., None, :], values, np.nan)
        usable = cells.present & ~cells.fresh & np.isfinite(self.score)
        response = respond(self.history, values, usable, self.score)
        self.nudges.push(cells)
        code = self.controls.judge(cells, leak)
        self.nudges.withdraw(code > 0)
        self.history.advance(values, cells.fresh[..., None, :])
        self.score = np.where(cells.present, cells.raw_score, np.nan)
        self._compare_sizes()
        return response, response.known & (code == 0)[..., None, None], code

    def _compare_sizes(self) -> None:
        """Kept while nobody is nudged: estimates are of the nudges that there were."""
        dose, spread = self.nudges.doses[0], _spread(self.score)
        comparable = (dose > 0) & (spread > 0)
        self.nudge_share = np.where(comparable, dose / np.where(comparable, spread, 1.0), self.nudge_share)

    def _go_to(self, cells: EpochCells) -> None:
        if cells.epoch <= self.epoch:
            raise ValueError(f"epoch: {cells.epoch} is not after {self.epoch}")
        self._make_room(cells.raw_score.shape[-1])
        if (cells.epoch, cells.version) != (self.epoch + 1, self.version):
            self._forget()
        self.epoch, self.version = cells.epoch, cells.version

    def _forget(self) -> None:
        self.score = np.full_like(self.score, np.nan)
        self.history.forget()
        self.nudges.forget()
        self.controls.forget()

    def _make_room(self, n: int) -> None:
        if n != self.score.shape[-1]:
            reinstate(self, _SLOTTED, {path: with_room(attrgetter(path)(self), n) for path in _SLOTTED})


def _spread(score: Float64) -> Float64:
    """(*runs, k) standard deviation of the scores that are known; 0 of none."""
    known = np.isfinite(score)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    mean = np.where(known, score, 0.0).sum(axis=-1, keepdims=True) / count
    spread: Float64 = np.sqrt((np.where(known, score - mean, 0.0) ** 2).sum(axis=-1) / count[..., 0])
    return spread
