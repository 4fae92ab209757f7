"""D4 over `exposures`: does production concentrate faster than the holdout?"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow.compute as pc

from feature_store.schema.assignments import HOLDOUT
from feature_store.schema.categorical import Categorical
from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from feature_store.schema.topics import EXPOSURES
from streams.feedback.base import State
from streams.feedback.concentration import ArmCells, ConcentrationDetector
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.experiment_rows import ArmRows, arm_cells, arm_rows, joined
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.case import Case
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.pursuit import Pursuit
from streams.feedback.production.verdicts import blinded

MIN_EXPOSURES = 100
"""Of the holdout in an epoch; a coefficient of fewer is chance."""

_THINNING = 4
"""Seed, with the epoch's number."""

NO_HOLDOUT = "too few exposures of the holdout: without one a trend says nothing"
SEVERAL_MODELS = "the holdout is not answered by one model: is EDDYLINE_HOLDOUT_MODEL still there?"
FROZEN = (
    "production's model changed and the holdout's did not: a frozen model drifts away from one that learns, "
    "loop or not"
)

_MOSTLY = 0.95


class Arms(msgspec.Struct, frozen=True):
    """Who answers whom.

    Attributes
    ----------
    production, holdout : model versions
    blind_until : epoch in which the first pair since production's changed alone is complete
    """

    production: str
    holdout: str
    blind_until: int = 0


class ArmsWatch:
    """Compares the arms as long as both keep their models.

    Only what both see of the world may differ in time. So pairs of epochs are never taken across a change of
    a model, and the detector is blind until a new pair is complete.

    Besides the rows of the cut it remembers ``half`` coefficients and a dozen numbers.

    Parameters
    ----------
    items : of the catalogue at most
    half : epochs between those that are compared
    """

    name = "arms"

    def __init__(self, items: int, budget: AlarmBudget, metrics: LoopMetrics, half: int = 30) -> None:
        self._metrics = metrics
        self._half = half
        self._detector = ConcentrationDetector(_THINNING, half, budget, catalogue=items)
        self._arms: Arms | None = None
        self._pursuit = Pursuit(self._detector, EXPOSURES)
        self._rows: list[ArmRows] = []

    def expose(self, rows: ExposureRows) -> None:
        """Keep the rows of users who were drawn into an arm; count the others by why not."""
        kept, dropped = arm_rows(rows)
        self._metrics.exposed(self.name, {**dropped, "used": len(kept.item)})
        if len(kept.item):
            self._rows.append(kept)

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Compare the arms of the cut."""
        reason = self._take(epoch)
        verdict = self._detector.verdict(now_ms)
        if reason:
            verdict = blinded(verdict, reason)
        self._metrics.judged(self.name, EXPOSURES, verdict, HOLDOUT)
        self._rows = []
        return self._pursuit.hear(verdict, epoch)

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is this detector's."""
        self._pursuit.settle(finding_id, epoch)

    def state(self) -> tuple[bytes, State]:
        """The case and the arms, and what the detector knows."""
        return msgspec.json.encode((self._pursuit.case, self._arms)), self._detector.state()

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was."""
        self._pursuit.case, self._arms = msgspec.json.decode(header, type=tuple[Case | None, Arms | None])
        self._detector.restore(arrays)

    def _take(self, epoch: int) -> str:
        """Observe what the cut holds; why nothing can be said of it, "" where something can."""
        if not self._rows:
            return self._nothing(epoch, NO_HOLDOUT)
        rows = joined(self._rows)
        out, models = rows.held_out, Categorical.of(rows.model)
        if out.sum() < MIN_EXPOSURES:
            return self._nothing(epoch, NO_HOLDOUT)
        production, holdout = _mostly(models.where(~out)), _mostly(models.where(out))
        if not holdout[1]:
            return self._nothing(epoch, SEVERAL_MODELS)
        arms = self._arms = self._followed(Arms(production[0], holdout[0]), epoch)
        # In the order of their names: the same whatever order messages came in.
        items = pc.unique(rows.item).sort()
        self._detector.update(arm_cells(rows, items, epoch))
        return FROZEN if epoch < arms.blind_until else ""

    def _nothing(self, epoch: int, reason: str) -> str:
        none = np.zeros(0, np.int64)
        self._detector.update(ArmCells(epoch, none, none))
        return reason

    def _followed(self, arms: Arms, epoch: int) -> Arms:
        """Begin a new comparison where a model changed."""
        before = self._arms
        if before is None:
            return arms
        if (before.production, before.holdout) == (arms.production, arms.holdout):
            return before
        self._detector.growth.begin_block()
        alone = before.holdout == arms.holdout
        return msgspec.structs.replace(arms, blind_until=epoch + self._half if alone else 0)


def _mostly(models: Categorical) -> tuple[str, bool]:
    """The model that answers most of an arm, the first by name of equals, and whether it is nearly all."""
    counts = models.counts()
    if not counts:
        return "", False
    most = max(sorted(counts), key=counts.__getitem__)
    return most, counts[most] >= _MOSTLY * len(models.codes)
