"""Whether a loop was found where it is: feature, lag, slice, edges between models."""

import numpy as np

from streams.feedback.board import Board
from streams.feedback.cells import Mask
from streams.feedback.cross_model import CrossModel
from streams.loopbench.estimates import who_estimates
from streams.loopbench.worlds.catalogue import WorldSpec


class Edges:
    """What D2 believed of edges between models; nothing where there is no D2."""

    def __init__(self, spec: WorldSpec, board: Board, runs: int) -> None:
        cross = [detector for detector in board.detectors if isinstance(detector, CrossModel)]
        self._cross = cross[0] if cross else None
        self._true = _true_edges(spec)
        self.false: Mask | None = np.zeros(runs, np.bool_) if cross else None

    def note(self) -> None:
        if self._cross is not None and self.false is not None:
            self.false |= np.any(self._cross.edges() & ~self._true, axis=(-1, -2))

    def all_found(self) -> Mask | None:
        if self._cross is None or not self._true.any():
            return None
        return np.asarray((self._cross.edges() | ~self._true).all(axis=(-1, -2)))


def located(spec: WorldSpec, board: Board) -> dict[str, Mask]:
    """What was right about where it was found, by kind of place, where the world names one."""
    detector, value = who_estimates(spec, board)
    location = detector.location()
    right: dict[str, Mask] = {}
    if spec.found_in:
        right["feature"] = location.value == value
    if spec.found_at_lag:
        right["lag"] = location.lag_epochs == spec.found_at_lag
    if spec.found_among:
        right["slice"] = np.isin(location.subject, spec.found_among)
    if isinstance(detector, CrossModel):
        right["edge"] = _true_edges(spec)[location.subject, location.value]
    return right


def _true_edges(spec: WorldSpec) -> Mask:
    k = len(spec.subjects)
    true = np.zeros((k, k), np.bool_)
    for target, source in spec.edges:
        true[target, source] = True
    return true
