"""The population stability index of the scores that are shown: the usual data-drift alert."""

import numpy as np

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import Float64

_BINS = 10
_DRIFTED = 0.2
_FLOOR = 1e-4


class PopulationStability:
    """PSI of exposure over the first epoch's deciles of the raw score; alarms above 0.2, as is customary."""

    name = "psi"

    def __init__(self) -> None:
        self._edges: Float64 | None = None
        self._reference: Float64 = np.zeros(())
        self._index: Float64 = np.zeros(())

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch; the first one is the reference."""
        runs = cells.raw_score.shape[0]
        score = cells.raw_score.reshape(runs, -1)
        exposures = cells.exposures.reshape(runs, -1)
        if self._edges is None:
            self._edges = np.nanquantile(score, np.linspace(0, 1, _BINS + 1)[1:-1], axis=-1).T
            self._reference = _shares(score, exposures, self._edges)
        now = _shares(score, exposures, self._edges)
        self._index = ((now - self._reference) * np.log(now / self._reference)).sum(axis=-1)

    def alarmed(self) -> Mask:
        """(runs,) whether the index is above 0.2 now."""
        return np.asarray(self._index > _DRIFTED)


def _shares(score: Float64, exposures: Float64, edges: Float64) -> Float64:
    """(runs, bins) share of exposure in each bin, never nought."""
    place = (score[..., None] > edges[:, None, :]).sum(axis=-1)
    counts = np.stack(
        [np.where(place == each, exposures, 0.0).sum(axis=-1) for each in range(_BINS)], axis=-1
    )
    shares: Float64 = np.maximum(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0), _FLOOR)
    return shares
