"""One epoch after the other: exposures and panel become cells, cells evidence, evidence findings.

A pure function of the messages of each epoch: no clock, no randomness, no order but that of the logs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from feature_store.schema.exposures import decode_exposures
from feature_store.schema.findings import (
    Acknowledgement,
    Finding,
    FindingState,
    Record,
    decode_record,
    fold,
)
from feature_store.schema.panel import PanelRows, decode_panel
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from streams.feedback import total_score
from streams.feedback.base import State
from streams.feedback.board import Board
from streams.feedback.cell_builder import CellBuilder
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.feature_path import UNEXPLAINED, feature_path
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.production.columns import exposure_columns, panel_columns
from streams.feedback.production.log_cut import LogMessage
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.verdicts import finding_id, finding_of
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
    """

    feature: float
    total: float
    items: int = 1_000_000


class Watching(msgspec.Struct, frozen=True):
    """What is watched, and what was said of it so far.

    Attributes
    ----------
    started_epoch : in which the evidence begins
    opened_ms : log time of the first finding since; 0: there was none
    said : verdict of the last finding written; "" none
    """

    model: str
    features: tuple[str, ...]
    started_epoch: int
    opened_ms: int = 0
    said: str = ""


class LoopWatch:
    """D1-F and D1-R, fused, over the model that the panel scores.

    Parameters
    ----------
    epoch_ms : length of an epoch, as the ranker has it
    """

    def __init__(self, epoch_ms: int, allowed: Allowed, budget: AlarmBudget, metrics: LoopMetrics) -> None:
        self._epoch_ms = epoch_ms
        self._allowed = allowed
        self._budget = budget
        self._metrics = metrics
        self._watching: Watching | None = None
        self._board: Board | None = None
        self._cells: CellBuilder | None = None
        self._open: dict[str, FindingState] = {}
        metrics.opened(())

    def fold(self, epoch: int, messages: Iterable[LogMessage], now_ms: int) -> list[Finding]:
        """Take in an epoch, and what has to be written because of it.

        Parameters
        ----------
        messages : all that the cut of ``epoch`` holds, in their order
        now_ms : log time of the cut
        """
        panel: list[PanelRows] = []
        for message in messages:
            if message.topic == EXPOSURES:
                self._expose(message.payload)
            elif message.topic == FINDINGS:
                self._hear(message.payload, epoch)
            elif message.topic == SCORE_PANEL:
                panel.append(decode_panel(message.payload))
        return self._close(epoch, [part for part in panel if part.header.epoch == epoch], now_ms)

    def state(self) -> tuple[bytes, State]:
        """What is watched as JSON, and all arrays."""
        header = msgspec.json.encode((self._watching, self._open))
        parts: Mapping[str, Board | CellBuilder | None] = {"board": self._board, "cells": self._cells}
        arrays = {
            f"{name}/{path}": np.asarray(value)
            for name, part in parts.items()
            if part is not None
            for path, value in part.state().items()
        }
        return header, arrays

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was."""
        watching, opened = msgspec.json.decode(header, type=tuple[Watching | None, dict[str, FindingState]])
        self._open = opened
        if watching is None:
            return
        self._watch(watching)
        board, cells = self._parts()
        board.restore(_below(arrays, "board/"))
        cells.restore(_below(arrays, "cells/"))
        self._metrics.opened(self._open.values())

    def _expose(self, payload: bytes) -> None:
        rows = decode_exposures(payload)
        if self._watching is None or self._cells is None:
            self._metrics.exposures.labels("no_panel").inc(len(rows))
            return
        columns, dropped = exposure_columns(rows, self._watching.model, self._epoch_ms)
        before = dict(self._cells.dropped)
        self._cells.add(columns)
        late = {name: self._cells.dropped[name] - count for name, count in before.items()}
        used = len(columns.epoch) - sum(late.values())
        for outcome, count in {**dropped, **late, "used": used}.items():
            self._metrics.exposures.labels(outcome).inc(count)

    def _hear(self, payload: bytes, epoch: int) -> None:
        """Take in what was found or said; a finding of ours that is closed starts the detectors anew."""
        try:
            record = decode_record(payload)
        except msgspec.DecodeError:
            self._metrics.refused.inc()
            return
        self._note(record)
        if isinstance(record, Acknowledgement) and record.closes:
            self._open.pop(record.finding_id, None)
            self._start_anew(record.finding_id, epoch)
            self._metrics.opened(self._open.values())

    def _note(self, record: Record) -> None:
        state = fold(self._open.get(record.finding_id), record)
        if state is not None:
            self._open[record.finding_id] = state
        self._metrics.opened(self._open.values())

    def _start_anew(self, closed: str, epoch: int) -> None:
        watching, board = self._watching, self._board
        if watching is None or board is None:
            return
        if closed == finding_id(board.name, watching.model, watching.started_epoch):
            board.reset()
            self._watching = Watching(watching.model, watching.features, epoch)

    def _close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
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
            self._watch(Watching(model, header.features, epoch))
        board, cells = self._parts()
        rows = [part for part in panel if part.header == header]
        board.update(cells.close(header.model_version, panel_columns(rows, len(header.features))))
        self._metrics.epochs.labels("used").inc()
        self._metrics.last_epoch_s.set((epoch + 1) * self._epoch_ms / 1000)
        return self._judge(board, now_ms)

    def _judge(self, board: Board, now_ms: int) -> list[Finding]:
        watching, verdict = self._known(), board.verdict(now_ms)
        self._metrics.judged(watching.model, verdict)
        opened_ms = watching.opened_ms or now_ms
        finding = finding_of(verdict, watching.model, watching.started_epoch, opened_ms)
        if finding is None or finding.verdict == watching.said:
            return []
        self._watching = msgspec.structs.replace(watching, opened_ms=opened_ms, said=finding.verdict)
        self._note(finding)
        return [finding]

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
        detectors = (
            feature_path(models, features, declared, self._budget),
            NudgeDetector(total_score.NAME, total, total_score.raw_score, self._budget),
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


def _below(state: State, prefix: str) -> State:
    return {path.removeprefix(prefix): value for path, value in state.items() if path.startswith(prefix)}
