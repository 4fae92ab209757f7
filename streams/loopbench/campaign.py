"""Play worlds, watch them as production is watched, and keep what every seed showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from streams.feedback.board import Board, score_board
from streams.feedback.cells import Mask
from streams.feedback.cross_model import CrossModel
from streams.feedback.evidence.betting import Float64
from streams.feedback.nudge_detector import NudgeDetector
from streams.loopbench.alarms import Alarms, Contender, Rivals, Stopwatch, Watch, joined_watches
from streams.loopbench.estimates import Estimates
from streams.loopbench.places import Edges, located
from streams.loopbench.worlds.catalogue import WorldSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the seeds of one world showed.

    Attributes
    ----------
    seeds : (s,)
    watches : by detector: the board, each of its members, contenders
    beta_over_items, beta_over_exposure : (s,) true β of the world's path, after as many epochs as it takes to
        answer, weighted by item and by exposure; 0 without a loop
    beta : (s,) true β after one epoch, weighted as the detectors do
    estimates : (s,) D1's estimate of it; NaN where it has none
    covered : (s,) whether its confidence sequence held the truth at all epochs
    gain, gain_estimates, gain_covered : (s,) the same of the long-run gain; NaN, False where nobody asked
    located : what is right about where it was found -> (s,) mask
    false_edge, all_edges : (s,) whether D2 ever believed an edge that there is not, and whether it found all
        in the end; None without D2
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


def play(spec: WorldSpec, seeds: Sequence[int], contenders: Sequence[Contender] = ()) -> Outcome:
    """Play ``seeds`` of one world side by side, from the first epoch to the last."""
    world = spec.world(seeds)
    board = board_of(spec, world.features)
    members: list[Board | NudgeDetector] = [board, *board.detectors]
    stopwatch, rivals = Stopwatch(), Rivals(contenders, len(seeds))
    alarms = {member.name: Alarms(len(seeds), board.budget) for member in members}
    estimates, edges = Estimates(spec, board, world), Edges(spec, board, len(seeds))
    for epoch in range(spec.epochs):
        estimates.remember_truth(epoch)
        cells = world.step()
        with stopwatch:
            board.update(cells)
        for member in members:
            alarms[member.name].note(epoch, member.log_evidence())
        rivals.update(epoch, cells)
        estimates.note()
        edges.note()
    watches = {name: alarm.watch() for name, alarm in alarms.items()}
    watches[board.name] = alarms[board.name].watch(stopwatch.cpu_s)
    return Outcome(
        seeds=np.asarray(seeds, np.int64),
        watches={**watches, **rivals.watches()},
        located=located(spec, board),
        false_edge=edges.false,
        all_edges=edges.all_found(),
        **estimates.figures(),
    )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several batches of seeds of one world as one."""
    first = outcomes[0]
    watches = joined_watches([outcome.watches for outcome in outcomes])
    located = {
        what: np.concatenate([outcome.located[what] for outcome in outcomes]) for what in first.located
    }
    columns = [field.name for field in fields(Outcome) if isinstance(getattr(first, field.name), np.ndarray)]
    values = {name: np.concatenate([getattr(outcome, name) for outcome in outcomes]) for name in columns}
    return replace(first, watches=watches, located=located, **values)


def board_of(spec: WorldSpec, features: Sequence[str]) -> Board:
    """The detectors of a world, with nothing known."""
    board = score_board(spec.subjects, features, spec.allowed_gain, gain_lags=spec.gain_lags)
    if not spec.slices:
        return board
    # Slices share one model: an edge between them is the same path, not a second one.
    return Board([detector for detector in board.detectors if not isinstance(detector, CrossModel)])
