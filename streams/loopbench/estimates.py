"""β and G of a world as they are, and as the detector whose business they are says."""

from typing import Any

import numpy as np

from streams.feedback import cross_model, feature_path, total_score
from streams.feedback.board import Board
from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64
from streams.feedback.evidence.confidence import Interval
from streams.feedback.nudge_detector import NudgeDetector
from streams.loopbench.echo import Echo
from streams.loopbench.world import World
from streams.loopbench.worlds.catalogue import WorldSpec


class Estimates:
    """β and G of the path that a world is about: what they are, and what the detector of that path says."""

    def __init__(self, spec: WorldSpec, board: Board, world: World) -> None:
        self._world = world
        self._detector, self._value = who_estimates(spec, board)
        self._pair, self._answers_after = spec.path, spec.answers_after
        self._estimates_gain = spec.gain_lags > 0
        self._lags = max(spec.gain_lags, spec.answers_after if spec.answers_after > 1 else 0)
        self._echo = Echo(world.noise.shape, self._lags)
        self._beta, self._gain = _Sequence(world.noise.shape[0]), _Sequence(world.noise.shape[0])

    def remember_truth(self, epoch: int) -> None:
        """What detectors can know after the epoch to come: the answers to all nudges until now."""
        self._known = self._of(self._world.truth.as_estimated)
        if self._lags and epoch % self._lags == 0:
            self._echo.listen(self._world)

    def note(self) -> None:
        """The detectors have taken in that epoch."""
        self._beta.note(self._at(self._detector.beta()), self._known)
        gain = self._detector.gain()
        if gain is not None:
            self._gain.note(self._at(gain))

    def figures(self) -> dict[str, Any]:
        """(runs,) columns of an outcome."""
        world, after = self._world.truth, self._answers_after
        truth = world if after == 1 else self._echo.at(after)
        gain = self._of(self._echo.gain()) if self._estimates_gain else np.full(len(self._known), np.nan)
        return {
            "beta_over_items": self._of(truth.over_items),
            "beta_over_exposure": self._of(truth.over_exposure),
            "beta": self._of(world.as_estimated),
            "estimates": self._beta.estimate,
            "covered": self._beta.covered,
            "gain": gain,
            "gain_estimates": self._gain.estimate,
            "gain_covered": self._gain.always_held(gain),
        }

    def _of(self, matrix: Float64) -> Float64:
        return matrix[(..., *self._pair)]

    def _at(self, interval: Interval) -> Interval:
        place = (..., self._pair[0], self._value)
        return Interval(interval.estimate[place], interval.lower[place], interval.upper[place])


class _Sequence:
    """A confidence sequence as it went, beside a truth that may move."""

    def __init__(self, runs: int) -> None:
        self.estimate = np.full(runs, np.nan)
        self.covered = np.ones(runs, np.bool_)
        self._lower, self._upper = np.full(runs, -np.inf), np.full(runs, np.inf)

    def note(self, now: Interval, truth: Float64 | None = None) -> None:
        self.estimate = now.estimate
        self._lower, self._upper = np.maximum(self._lower, now.lower), np.minimum(self._upper, now.upper)
        if truth is not None:
            self.covered &= (now.lower <= truth) & (truth <= now.upper)

    def always_held(self, truth: Float64) -> Mask:
        """(runs,) whether one truth was inside at all epochs."""
        return np.asarray((self._lower <= truth) & (truth <= self._upper))


def who_estimates(spec: WorldSpec, board: Board) -> tuple[NudgeDetector, int]:
    """The detector whose business the path is, and the index of the value there."""
    by_name = {detector.name: detector for detector in board.detectors}
    if spec.found_in:
        detector = by_name[feature_path.NAME]
        return detector, detector.watched.values.index(spec.found_in)
    if spec.edges:
        return by_name[cross_model.NAME], spec.path[1]
    return by_name[total_score.NAME], 0
