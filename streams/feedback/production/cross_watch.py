"""D2: several models over the same items: do scores of one answer to nudges of another?"""

from collections.abc import Sequence

import msgspec
import numpy as np

from feature_store.schema.assignments import NUDGES
from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from streams.feedback.base import State
from streams.feedback.cell_builder import CellBuilder
from streams.feedback.cross_model import NAME, CrossModel
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.case import Case
from streams.feedback.production.columns import added, exposure_columns, panel_columns
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.panels import of_model, over_all_users, problem
from streams.feedback.production.pursuit import Pursuit
from streams.feedback.production.score_watch import Allowed
from streams.feedback.production.verdicts import blinded
from streams.feedback.production.watch import below, under

_AT_LEAST = 2
"""Models without which there is no edge."""


_Header = tuple[tuple[str, ...], tuple[str, ...], Case | None]
"""Models, of each the version that made its last scores ("" before), and the case."""


class CrossWatch:
    """Edges between ``models``, each of which has a panel and a salt of its own.

    It begins with the first epoch of which it has all panels. Later, one that is absent makes its model
    blind in that epoch, and those without it see the others. Slices of users are not told apart.

    Parameters
    ----------
    models : at least two
    epoch_ms : length of an epoch, as the rankers have it
    """

    name = NAME

    def __init__(
        self,
        models: Sequence[str],
        epoch_ms: int,
        allowed: Allowed,
        budget: AlarmBudget,
        metrics: LoopMetrics,
    ) -> None:
        self._epoch_ms = epoch_ms
        self._items = allowed.items
        self._metrics = metrics
        self._detector = CrossModel(models, budget, allowed.total, allowed.damping)
        self._subject = " + ".join(models)
        self._pursuit = Pursuit(self._detector, self._subject)
        self._models = tuple(models)
        self._versions = ("",) * len(models)
        self._cells: CellBuilder | None = None

    def expose(self, rows: ExposureRows) -> None:
        """Count exposures of the models that are watched; the others by why not."""
        if self._cells is None:
            self._metrics.exposed(self.name, {"no_panel": len(rows)})
            return
        columns, dropped = exposure_columns(rows, self._models, self._epoch_ms)
        self._metrics.exposed(self.name, {**dropped, **added(columns, self._cells)})

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Judge an epoch; one without any panel is a gap."""
        parts = [self._whole(panel, model) for model in self._models]
        outcome = "used" if all(parts) else "panel_incomplete" if any(parts) else "no_panel"
        self._metrics.epochs.labels(self.name, outcome).inc()
        if self._cells is None:
            if not all(parts):
                return []
            self._cells = self._cells_from(epoch)
        return self._judge(self._cells, epoch, parts, now_ms)

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is this detector's."""
        self._pursuit.settle(finding_id, epoch)

    def state(self) -> tuple[bytes, State]:
        """What is watched as JSON, and all arrays."""
        header = msgspec.json.encode((self._models, self._versions, self._pursuit.case))
        cells = {} if self._cells is None else under("cells/", self._cells.state())
        arrays = {**under("detector/", self._detector.state()), **cells}
        return header, {path: np.asarray(value) for path, value in arrays.items()}

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was.

        Raises
        ------
        ValueError
            It watched other models, or a part of its state is absent.
        """
        models, self._versions, self._pursuit.case = msgspec.json.decode(header, type=_Header)
        if models != self._models:
            raise ValueError(f"models: {list(models)}, now {list(self._models)}")
        self._detector.restore(below(arrays, "detector/"))
        if cells := below(arrays, "cells/"):
            self._cells = self._cells_from(0)
            self._cells.restore(cells)

    def _whole(self, panel: Sequence[PanelRows], model: str) -> list[PanelRows]:
        parts = of_model(panel, model)
        return [] if problem(parts, self._epoch_ms) else over_all_users(parts)

    def _cells_from(self, epoch: int) -> CellBuilder:
        return CellBuilder(len(self._models), 0, epoch, self._items)

    def _judge(
        self, cells: CellBuilder, epoch: int, parts: Sequence[list[PanelRows]], now_ms: int
    ) -> list[Finding]:
        known = zip(parts, self._versions, strict=True)
        self._versions = tuple(part[0].header.model_version if part else before for part, before in known)
        of_epoch = cells.close(" ".join(self._versions), panel_columns(parts, 0))
        if not any(parts):
            return []
        self._detector.update(of_epoch)
        verdict = self._detector.verdict(now_ms)
        absent = [model for model, part in zip(self._models, parts, strict=True) if not part]
        if len(parts) - len(absent) < _AT_LEAST:
            verdict = blinded(verdict, f"no panel of {', '.join(absent)}, and one model alone has no edges")
        self._metrics.judged(self.name, self._subject, verdict, NUDGES)
        return self._pursuit.hear(verdict, epoch)
