"""Play worlds, watch them as production is watched, and keep what every seed showed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.feedback.board import Board, score_board
from streams.feedback.cells import EpochCells, Mask
from streams.feedback.cross_model import CrossModel
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.nudge_detector import NudgeDetector
from streams.loopbench.estimates import Estimates
from streams.loopbench.places import Edges, located
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
    beta_over_items, beta_over_exposure : (s,) true β of the world's path, after as many epochs as it takes to
        answer, weighted by item and by exposure; 0 without a loop
    beta : (s,) true β after one epoch, weighted as the detectors do
    estimates : (s,) D1's estimate of it; NaN where it has none
    covered : (s,) whether its confidence sequence held the truth at all epochs
    gain, gain_estimates, gain_covered : (s,) the same of the long-run gain; NaN, False where nobody asked
    located : what is right about where it was found -> (s,) mask
    false_edge, all_edges : (s,) whether D2 ever believed an edge that there is not, and whether it found all
        in the end; None without D2
    cpu_s : of the detectors, all seeds together
    """

    seeds: NDArray[np.int64]
    watches: dict[str, Watch]
    beta_over_items: Float64
    beta_over_exposure: Float64
    beta: Float64
    estimates: Float64
    covered: Mask
    gain: Float64
    gain_estimates: Float64
    gain_covered: Mask
    located: dict[str, Mask]
    false_edge: Mask | None
    all_edges: Mask | None
    cpu_s: float


def play(spec: WorldSpec, seeds: Sequence[int], contenders: Contenders = no_contenders) -> Outcome:
    """Play ``seeds`` of one world side by side, from the first epoch to the last."""
    world = spec.world(seeds)
    board = board_of(spec, world.features)
    rivals = list(contenders(spec))
    members: list[Board | NudgeDetector] = [board, *board.detectors]
    alarms = {watched.name: _Alarms(len(seeds), board.budget) for watched in (*members, *rivals)}
    estimates, edges = Estimates(spec, board, world), Edges(spec, board, len(seeds))
    cpu_s = 0.0
    for epoch in range(spec.epochs):
        estimates.remember_truth(epoch)
        cells = world.step()
        started = time.process_time()
        board.update(cells)
        cpu_s += time.process_time() - started
        for watched in members:
            alarms[watched.name].note(epoch, watched.log_evidence())
        for rival in rivals:
            rival.update(cells)
            alarms[rival.name].note_alarm(epoch, rival.alarmed())
        estimates.note()
        edges.note()
    return Outcome(
        seeds=np.asarray(seeds, np.int64),
        watches={name: alarm.watch for name, alarm in alarms.items()},
        located=located(spec, board),
        false_edge=edges.false,
        all_edges=edges.all_found(),
        cpu_s=cpu_s,
        **estimates.figures(),
    )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several batches of seeds of one world as one."""
    first = outcomes[0]
    watches = {
        name: joined_watches([outcome.watches[name] for outcome in outcomes]) for name in first.watches
    }
    located = {
        what: np.concatenate([outcome.located[what] for outcome in outcomes]) for what in first.located
    }
    columns = [field.name for field in fields(Outcome) if isinstance(getattr(first, field.name), np.ndarray)]
    values = {name: np.concatenate([getattr(outcome, name) for outcome in outcomes]) for name in columns}
    cpu_s = sum(outcome.cpu_s for outcome in outcomes)
    return replace(first, watches=watches, located=located, cpu_s=cpu_s, **values)


def joined_watches(watches: Sequence[Watch]) -> Watch:
    """Watches of several batches of seeds as one."""
    return Watch(
        np.concatenate([watch.ticket for watch in watches]), np.concatenate([watch.page for watch in watches])
    )


def board_of(spec: WorldSpec, features: Sequence[str]) -> Board:
    """The detectors of a world, with nothing known."""
    board = score_board(spec.subjects, features, spec.allowed_gain, gain_lags=spec.gain_lags)
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
