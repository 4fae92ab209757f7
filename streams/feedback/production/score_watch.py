"""D1: exposures and panel become cells, cells evidence: does what we score answer to our own nudges?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from feature_store.schema.assignments import NUDGES
from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelHeader, PanelRows
from streams.feedback import total_score
from streams.feedback.base import State
from streams.feedback.board import NAME as BOARD
from streams.feedback.board import Board
from streams.feedback.cell_builder import CellBuilder
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.feature_path import UNEXPLAINED, feature_path
from streams.feedback.gain import GainPlan
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.production.case import Case
from streams.feedback.production.columns import added, exposure_columns, panel_columns
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.panels import by_slice, model_of, of_model, problem
from streams.feedback.production.watch import below, under
from streams.feedback.watched import Watched

SCORES = "scores"
"""Name of the watch of whichever model the panel scores."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Gains that the declared paths may have.

    Attributes
    ----------
    feature : β of any one feature of which the panel does not say what its view allows, such as attributes:
        in a net their part of the score moves with the features that they are multiplied by
    total : β of the total score, and of what of it belongs to no one feature
    damping : by how much any of them may push back
    long_run : what all answers of one of them together may come to, where that is estimated
    items : slots at most
    gain_lags : epochs over which the long-run gain is estimated; 0: it is not
    """

    feature: float
    total: float
    damping: float
    long_run: float
    items: int = 1_000_000
    gain_lags: int = 0


class Watching(msgspec.Struct, frozen=True):
    """What is watched, and what was said of it so far.

    Attributes
    ----------
    slices : of the model's users; none: they are not told apart
    declared : what the lineage allows each feature; None: nothing is said of it
    """

    model: str
    features: tuple[str, ...]
    gain_lags: int
    case: Case
    slices: tuple[str, ...] = ()
    declared: tuple[float | None, ...] = ()

    @property
    def started_epoch(self) -> int:
        """In which the evidence begins."""
        return self.case.started_epoch

    @property
    def subjects(self) -> tuple[str, ...]:
        """What findings tell apart."""
        return self.slices or (self.model,)

    def fits(self, header: PanelHeader, model: str) -> bool:
        """Whether a panel says more of the same."""
        told = (model, header.features, header.slices, header.allowed_gains)
        return told == (self.model, self.features, self.slices, self.declared)

    def allowed(self, otherwise: float) -> dict[str, float]:
        """β that each feature may have."""
        told = dict(zip(self.features, self.declared, strict=True)) if self.declared else {}
        return {name: otherwise if (gain := told.get(name)) is None else gain for name in self.features}


class ScoreWatch:
    """D1-F and D1-R, fused, over one model, or over the slices of its users where the panel has some.

    With a panel of other features or slices it begins anew.

    Parameters
    ----------
    epoch_ms : length of an epoch, as the ranker has it
    model : its name; None: whichever the panel scores
    """

    def __init__(
        self,
        epoch_ms: int,
        allowed: Allowed,
        budget: AlarmBudget,
        metrics: LoopMetrics,
        model: str | None = None,
    ) -> None:
        self.name = SCORES if model is None else f"{SCORES} of {model}"
        self._model = model
        self._epoch_ms = epoch_ms
        self._allowed = allowed
        self._budget = budget
        self._metrics = metrics
        self._watching: Watching | None = None
        self._board: Board | None = None
        self._cells: CellBuilder | None = None
        if model is not None:
            metrics.last_epoch_s.labels(self.name).set(0)

    def expose(self, rows: ExposureRows) -> None:
        """Count exposures of the model that is watched; the others by why not."""
        if self._watching is None or self._cells is None:
            self._metrics.exposed(self.name, {"no_panel": len(rows)})
            return
        watching = self._watching
        columns, dropped = exposure_columns(rows, (watching.model,), self._epoch_ms, watching.slices)
        self._metrics.exposed(self.name, {**dropped, **added(columns, self._cells)})

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Judge an epoch; one without a whole panel is a gap."""
        parts = of_model(panel, self._model)
        refused = problem(parts, self._epoch_ms)
        self._metrics.epochs.labels(self.name, refused or "used").inc()
        if refused is not None:
            if self._cells is not None and self._watching is not None:
                self._cells.close("", panel_columns(((),), len(self._watching.features)))
            return []
        header, model = parts[0].header, model_of(parts[0])
        if self._watching is None or not self._watching.fits(header, model):
            case = Case(BOARD, model, epoch)
            lags, declared = self._allowed.gain_lags, header.allowed_gains
            self._watch(Watching(model, header.features, lags, case, header.slices, declared))
        board, cells = self._parts()
        board.update(cells.close(header.model_version, panel_columns(by_slice(parts), len(header.features))))
        self._metrics.unplaced.labels(self.name).set(cells.unplaced)
        self._metrics.last_epoch_s.labels(self.name).set((epoch + 1) * self._epoch_ms / 1000)
        return self._judge(board, now_ms)

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is of the model that is watched."""
        watching, board = self._watching, self._board
        if watching is not None and board is not None and finding_id == watching.case.finding_id:
            board.reset()
            self._watching = msgspec.structs.replace(watching, case=watching.case.anew(epoch))

    def state(self) -> tuple[bytes, State]:
        """What is watched as JSON, and all arrays."""
        parts: Mapping[str, Board | CellBuilder | None] = {"board": self._board, "cells": self._cells}
        arrays = {
            path: np.asarray(value)
            for name, part in parts.items()
            if part is not None
            for path, value in under(f"{name}/", part.state()).items()
        }
        return msgspec.json.encode(self._watching), arrays

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was.

        Raises
        ------
        ValueError
            A part of it is absent, or the gain is estimated over other lags.
        """
        watching = msgspec.json.decode(header, type=Watching | None)
        if watching is None:
            return
        if watching.gain_lags != self._allowed.gain_lags:
            raise ValueError(f"gain_lags: {watching.gain_lags} when it began, now {self._allowed.gain_lags}")
        self._watch(watching)
        board, cells = self._parts()
        board.restore(below(arrays, "board/"))
        cells.restore(below(arrays, "cells/"))

    def _judge(self, board: Board, now_ms: int) -> list[Finding]:
        watching, verdict = self._known(), board.verdict(now_ms)
        self._metrics.judged(self.name, watching.model, verdict, NUDGES)
        used = verdict.evidence.get("epochs_used")
        self._metrics.sliced(watching.model, used if watching.slices and isinstance(used, dict) else {})
        case, findings = watching.case.hear(verdict)
        self._watching = msgspec.structs.replace(watching, case=case)
        return findings

    def _watch(self, watching: Watching) -> None:
        """Begin with nothing known."""
        subjects, features = watching.subjects, watching.features
        allowed = self._allowed
        declared = {**watching.allowed(allowed.feature), UNEXPLAINED: allowed.total}
        total = Watched(
            subjects, ("raw_score",), {"raw_score": allowed.total}, allowed.damping, allowed.long_run
        )
        lags = watching.gain_lags
        one_by_one, all_nudges = (GainPlan(lags, lags), GainPlan(lags)) if lags else (None, None)
        detectors = (
            feature_path(
                subjects,
                features,
                declared,
                self._budget,
                one_by_one,
                allowed_damping=allowed.damping,
                allowed_long_run=allowed.long_run,
            ),
            NudgeDetector(total_score.NAME, total, total_score.raw_score, self._budget, all_nudges),
        )
        self._watching = watching
        self._board = Board(detectors, self._budget)
        self._cells = CellBuilder(len(subjects), len(features), watching.started_epoch, self._allowed.items)

    def _known(self) -> Watching:
        if self._watching is None:
            raise ValueError("nothing is watched yet")
        return self._watching

    def _parts(self) -> tuple[Board, CellBuilder]:
        if self._board is None or self._cells is None:
            raise ValueError("nothing is watched yet")
        return self._board, self._cells
