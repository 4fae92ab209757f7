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
    """

    STATE = (
        *_SLOTTED,
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
        return response, response.known & (code == 0)[..., None, None], code

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
