"""D1: exposures and panel become cells, cells evidence: does what we score answer to our own nudges?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from streams.feedback import total_score
from streams.feedback.base import State
from streams.feedback.board import NAME as BOARD
from streams.feedback.board import Board
from streams.feedback.cell_builder import CellBuilder
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.experiment_rows import NUDGES
from streams.feedback.feature_path import UNEXPLAINED, feature_path
from streams.feedback.gain import GainPlan
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.production.case import Case
from streams.feedback.production.columns import exposure_columns, panel_columns
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.watch import below, under
from streams.feedback.watched import Watched

MOST_MISSING = 0.05
"""Share of a panel's items that may not have arrived."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Gains that the declared paths may have.

    Attributes
    ----------
    feature : β of any one feature that the model declares to read; of an attribute, too: in a net its
        part of the score moves with the features that it is multiplied by
    total : β of the total score, and of what of it belongs to no one feature
    items : slots at most
    gain_lags : epochs over which the long-run gain is estimated; 0: it is not
    """

    feature: float
    total: float
    items: int = 1_000_000
    gain_lags: int = 0


class Watching(msgspec.Struct, frozen=True):
    """What is watched, and what was said of it so far."""

    model: str
    features: tuple[str, ...]
    gain_lags: int
    case: Case

    @property
    def started_epoch(self) -> int:
        """In which the evidence begins."""
        return self.case.started_epoch


class ScoreWatch:
    """D1-F and D1-R, fused, over the model that the panel scores.

    Parameters
    ----------
    epoch_ms : length of an epoch, as the ranker has it
    """

    name = "scores"

    def __init__(self, epoch_ms: int, allowed: Allowed, budget: AlarmBudget, metrics: LoopMetrics) -> None:
        self._epoch_ms = epoch_ms
        self._allowed = allowed
        self._budget = budget
        self._metrics = metrics
        self._watching: Watching | None = None
        self._board: Board | None = None
        self._cells: CellBuilder | None = None

    def expose(self, rows: pa.RecordBatch) -> None:
        """Count exposures of the model that is watched; the others by why not."""
        if self._watching is None or self._cells is None:
            self._metrics.exposed(self.name, {"no_panel": len(rows)})
            return
        columns, dropped = exposure_columns(rows, self._watching.model, self._epoch_ms)
        before = dict(self._cells.dropped)
        self._cells.add(columns)
        late = {name: self._cells.dropped[name] - count for name, count in before.items()}
        used = len(columns.epoch) - sum(late.values())
        self._metrics.exposed(self.name, {**dropped, **late, "used": used})

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Judge an epoch; one without a whole panel is a gap."""
        problem = self._panel_problem(panel)
        if problem is not None:
            self._metrics.epochs.labels(problem).inc()
            if self._cells is not None and self._watching is not None:
                self._cells.close("", panel_columns((), len(self._watching.features)))
            return []
        header = panel[0].header
        model = header.model_version.partition(":")[0]
        if self._watching is None or (model, header.features) != (
            self._watching.model,
            self._watching.features,
        ):
            self._watch(Watching(model, header.features, self._allowed.gain_lags, Case(BOARD, model, epoch)))
        board, cells = self._parts()
        rows = [part for part in panel if part.header == header]
        board.update(cells.close(header.model_version, panel_columns(rows, len(header.features))))
        self._metrics.epochs.labels("used").inc()
        self._metrics.last_epoch_s.set((epoch + 1) * self._epoch_ms / 1000)
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
        self._metrics.judged(watching.model, verdict, NUDGES)
        case, findings = watching.case.hear(verdict)
        self._watching = msgspec.structs.replace(watching, case=case)
        return findings

    def _panel_problem(self, panel: Sequence[PanelRows]) -> str | None:
        if not panel:
            return "no_panel"
        header = panel[0].header
        if header.epoch_ms != self._epoch_ms:
            return "other_epoch_length"
        arrived = sum(len(part) for part in panel if part.header == header)
        return "panel_incomplete" if arrived < (1 - MOST_MISSING) * header.items else None

    def _watch(self, watching: Watching) -> None:
        """Begin with nothing known."""
        models, features = (watching.model,), watching.features
        declared = {**dict.fromkeys(features, self._allowed.feature), UNEXPLAINED: self._allowed.total}
        total = Watched(models, ("raw_score",), {"raw_score": self._allowed.total})
        lags = watching.gain_lags
        one_by_one, all_nudges = (GainPlan(lags, lags), GainPlan(lags)) if lags else (None, None)
        detectors = (
            feature_path(models, features, declared, self._budget, one_by_one),
            NudgeDetector(total_score.NAME, total, total_score.raw_score, self._budget, all_nudges),
        )
        self._watching = watching
        self._board = Board(detectors, self._budget)
        self._cells = CellBuilder(1, len(features), watching.started_epoch, self._allowed.items)

    def _known(self) -> Watching:
        if self._watching is None:
            raise ValueError("nothing is watched yet")
        return self._watching

    def _parts(self) -> tuple[Board, CellBuilder]:
        if self._board is None or self._cells is None:
            raise ValueError("nothing is watched yet")
        return self._board, self._cells
