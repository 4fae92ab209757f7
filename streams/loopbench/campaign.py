"""Play worlds, watch them as production is watched, and keep what every seed showed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.feedback import cross_model, feature_path, total_score
from streams.feedback.board import Board, score_board
from streams.feedback.cells import EpochCells, Mask
from streams.feedback.cross_model import CrossModel
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.evidence.confidence import Interval
from streams.feedback.nudge_detector import NudgeDetector
from streams.loopbench.truth import Truth
from streams.loopbench.worlds.catalogue import WorldSpec

NEVER = -1
"""Epochs to an alarm that did not come."""


class Contender(Protocol):
    """Somebody else's detector, over the same cells: a baseline."""

    name: str

    def update(self, cells: EpochCells) -> None: ...

    def alarmed(self) -> Mask:
        """(runs,) whether it alarms now."""
        ...


Contenders = Callable[[WorldSpec], Sequence[Contender]]


def no_contenders(spec: WorldSpec) -> Sequence[Contender]:
    """Only our own detectors."""
    return ()


@dataclass(frozen=True, slots=True)
class Watch:
    """When one detector alarmed, by seed: epochs seen until then, or :data:`NEVER`."""

    ticket: NDArray[np.int64]
    page: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the seeds of one world showed.

    Attributes
    ----------
    seeds : (s,)
    watches : by detector, the board and each of its members; of a contender, ticket and page are the same
    beta, beta_over_items, beta_over_exposure : (s,) true β of the world's path, weighted as the detectors
        do, by item and by exposure; 0 without a loop
    estimates : (s,) D1's estimate of the first; NaN where it has none
    covered : (s,) whether its confidence sequence held the truth at all epochs
    located : what is right about where it was found -> (s,) mask
    cpu_s : of the detectors, all seeds together
    """

    seeds: NDArray[np.int64]
    watches: dict[str, Watch]
    beta: Float64
    beta_over_items: Float64
    beta_over_exposure: Float64
    estimates: Float64
    covered: Mask
    located: dict[str, Mask]
    cpu_s: float


def play(spec: WorldSpec, seeds: Sequence[int], contenders: Contenders = no_contenders) -> Outcome:
    """Play ``seeds`` of one world side by side, from the first epoch to the last."""
    world = spec.world(seeds)
    board = _board(spec, world.features)
    rivals = list(contenders(spec))
    members: list[Board | NudgeDetector] = [board, *board.detectors]
    alarms = {watched.name: _Alarms(len(seeds), board.budget) for watched in (*members, *rivals)}
    estimate = _Estimate(spec, board, world.truth)
    cpu_s = 0.0
    for epoch in range(spec.epochs):
        estimate.remember_truth()
        cells = world.step()
        started = time.process_time()
        board.update(cells)
        cpu_s += time.process_time() - started
        for watched in members:
            alarms[watched.name].note(epoch, watched.log_evidence())
        for rival in rivals:
            rival.update(cells)
            alarms[rival.name].note_alarm(epoch, rival.alarmed())
        estimate.note()
    return Outcome(
        seeds=np.asarray(seeds, np.int64),
        watches={name: alarm.watch for name, alarm in alarms.items()},
        beta=estimate.of(world.truth.as_estimated),
        beta_over_items=estimate.of(world.truth.over_items),
        beta_over_exposure=estimate.of(world.truth.over_exposure),
        estimates=estimate.now().estimate,
        covered=estimate.covered,
        located=_located(spec, board),
        cpu_s=cpu_s,
    )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several batches of seeds of one world as one."""
    first = outcomes[0]
    watches = {
        name: Watch(
            np.concatenate([outcome.watches[name].ticket for outcome in outcomes]),
            np.concatenate([outcome.watches[name].page for outcome in outcomes]),
        )
        for name in first.watches
    }
    located = {
        what: np.concatenate([outcome.located[what] for outcome in outcomes]) for what in first.located
    }
    columns = ("seeds", "beta", "beta_over_items", "beta_over_exposure", "estimates", "covered")
    values = {name: np.concatenate([getattr(outcome, name) for outcome in outcomes]) for name in columns}
    cpu_s = sum(outcome.cpu_s for outcome in outcomes)
    return Outcome(watches=watches, located=located, cpu_s=cpu_s, **values)


def _board(spec: WorldSpec, features: Sequence[str]) -> Board:
    board = score_board(spec.subjects, features, spec.allowed_gain)
    if not spec.slices:
        return board
    # Slices share one model: an edge between them is the same path, not a second one.
    return Board([detector for detector in board.detectors if not isinstance(detector, CrossModel)])


class _Alarms:
    """The first epochs in which one detector crossed the thresholds."""

    def __init__(self, runs: int, budget: AlarmBudget) -> None:
        self._budget = budget
        self.watch = Watch(np.full(runs, NEVER), np.full(runs, NEVER))

    def note(self, epoch: int, log_evidence: Float64) -> None:
        _first(self.watch.ticket, epoch, log_evidence >= self._budget.log_ticket)
        _first(self.watch.page, epoch, log_evidence >= self._budget.log_page)

    def note_alarm(self, epoch: int, alarmed: Mask) -> None:
        _first(self.watch.ticket, epoch, alarmed)
        _first(self.watch.page, epoch, alarmed)


def _first(epochs: NDArray[np.int64], epoch: int, now: Mask) -> None:
    epochs[(epochs == NEVER) & now] = epoch + 1


class _Estimate:
    """One β of a world beside its truth: that of the path which the world is about."""

    def __init__(self, spec: WorldSpec, board: Board, truth: Truth) -> None:
        self._truth = truth
        self._detector, self._value = _who_estimates(spec, board)
        self._pair = spec.path
        self.covered = np.ones(len(truth.as_estimated), np.bool_)

    def of(self, matrix: Float64) -> Float64:
        return matrix[(..., *self._pair)]

    def now(self) -> Interval:
        place = (..., self._pair[0], self._value)
        beta = self._detector.beta()
        return Interval(beta.estimate[place], beta.lower[place], beta.upper[place])

    def remember_truth(self) -> None:
        """What detectors can know after the epoch to come: the answers to all nudges until now."""
        self._known = self.of(self._truth.as_estimated)

    def note(self) -> None:
        interval = self.now()
        self.covered &= (interval.lower <= self._known) & (self._known <= interval.upper)


def _who_estimates(spec: WorldSpec, board: Board) -> tuple[NudgeDetector, int]:
    """The detector whose business the path is, and the index of the value there."""
    by_name = {detector.name: detector for detector in board.detectors}
    if spec.found_in:
        detector = by_name[feature_path.NAME]
        return detector, detector.watched.values.index(spec.found_in)
    if spec.edges:
        return by_name[cross_model.NAME], spec.path[1]
    return by_name[total_score.NAME], 0


def _located(spec: WorldSpec, board: Board) -> dict[str, Mask]:
    """What was right about where it was found, by kind of place, where the world names one."""
    detector, value = _who_estimates(spec, board)
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
        right["no_false_edge"] = ~np.any(detector.edges() & ~_true_edges(spec), axis=(-1, -2))
    return right


def _true_edges(spec: WorldSpec) -> Mask:
    k = len(spec.subjects)
    true = np.zeros((k, k), np.bool_)
    for target, source in spec.edges:
        true[target, source] = True
    return true
