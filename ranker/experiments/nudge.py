"""Nudges: ± δ on the published score of each item, anew in each epoch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.experiments.coins import salt_id, signs
from ranker.pipeline.batch import CandidateBatch, Float64, Index

_UNKNOWN = np.int8(0)


class Nudges:
    """The sign of every item in every epoch. Safe to share between threads.

    Parameters
    ----------
    salt : whoever knows it knows all signs
    delta : size of the nudge, score units

    Attributes
    ----------
    salt_id : names the salt in logs
    """

    def __init__(self, salt: bytes, delta: float) -> None:
        self.delta = delta
        self.salt_id = salt_id(salt)
        self._salt = salt
        self._drawn = _Drawn(-1, np.zeros(0, np.int8))

    def nudge(self, epoch: int, batch: CandidateBatch) -> Float64:
        """(n,) what is added to each candidate's score."""
        drawn = self._of_epoch(epoch, int(batch.rows.max(initial=-1)) + 1)
        tossed = drawn.signs[batch.rows]
        tossed[batch.rows < 0] = _UNKNOWN
        if not tossed.all():
            missing = np.flatnonzero(tossed == _UNKNOWN)
            tossed[missing] = self._toss(drawn, batch, missing)
        nudge: Float64 = self.delta * tossed.astype(np.float64)
        return nudge

    def of_items(self, epoch: int, item_ids: Sequence[str]) -> Float64:
        """The same for items by their ids."""
        nudge: Float64 = self.delta * signs(self._salt, epoch, item_ids).astype(np.float64)
        return nudge

    def _toss(self, drawn: "_Drawn", batch: CandidateBatch, missing: Index) -> NDArray[np.int8]:
        tossed = signs(self._salt, drawn.epoch, [batch.item_ids[place] for place in missing.tolist()])
        rows = batch.rows[missing]
        drawn.signs[rows[rows >= 0]] = tossed[rows >= 0]
        return tossed

    def _of_epoch(self, epoch: int, rows: int) -> "_Drawn":
        """What is remembered of an epoch, with room for ``rows`` items and at least one."""
        drawn = self._drawn
        if drawn.epoch != epoch:
            drawn = self._drawn = _Drawn(epoch, np.zeros(max(rows, 1), np.int8))
        elif len(drawn.signs) < rows:
            longer = np.zeros(2 * rows, np.int8)
            longer[: len(drawn.signs)] = drawn.signs
            drawn = self._drawn = _Drawn(epoch, longer)
        return drawn


class _Drawn:
    """Signs of one epoch by row of the item columns, 0 where none was needed so far."""

    def __init__(self, epoch: int, signs_by_row: NDArray[np.int8]) -> None:
        self.epoch = epoch
        self.signs = signs_by_row
