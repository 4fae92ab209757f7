"""D3 over the exploration rows of `exposures`: what chance showed beside what was chosen."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from feature_store.schema.topics import EXPOSURES
from streams.feedback.base import State, Verdict, VerdictKind
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.experiment_rows import EXPLORATION
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_presentation import ExplorationRows, PresentationDetector
from streams.feedback.presented_rows import PlacedRows, compared, contradicted, joined, placed_rows
from streams.feedback.production.case import Case
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.pursuit import Pursuit
from streams.feedback.production.verdicts import blinded, explained

TWIN = "twin"
"""The experiment that a value gap would need."""

NO_DRAWS = "no request drew whether it explores"
NO_PREDICTION = "the model logs no probability of a click: chance and choice cannot be compared"
CONTRADICTED = (
    "requests that explore log another share than those that do not: is EDDYLINE_EXPLORE_POSITIONS the same "
    "in all processes?"
)
NOTHING_ALIKE = "next to nothing was explored where rows alike were chosen"
NO_TWIN = (
    "nothing learns as production does with the exploration rows added: the holdout's model differs from "
    "production's for other reasons, too, and what it would show proves no selection"
)


class ExplorationWatch:
    """The effect of presentation; of the value gap it says why it sees nothing.

    Besides the rows of the cut it remembers eight numbers.

    Parameters
    ----------
    positions : first ones that may be given away, as the ranker has it
    """

    name = EXPLORATION

    def __init__(self, positions: int, budget: AlarmBudget, metrics: LoopMetrics) -> None:
        self._positions = positions
        self._budget = budget
        self._metrics = metrics
        self._detector = PresentationDetector(budget)
        self._pursuit = Pursuit(self._detector, EXPOSURES)
        self._begin_cut()

    def expose(self, rows: pa.RecordBatch) -> None:
        """Keep the rows that drew whether they explore; count the others by why not."""
        placed, dropped = placed_rows(pa.Table.from_batches([rows]), self._positions)
        self._metrics.exposed(self.name, dropped)
        self._unpredicted += dropped["no_prediction"]
        if len(placed.click):
            self._parts.append(placed)

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Compare the rows of the cut."""
        rows, reason = self._rows()
        self._detector.update(rows)
        verdict = self._detector.verdict(now_ms)
        refused = reason in (CONTRADICTED, NO_PREDICTION)
        verdict = blinded(verdict, reason) if refused else explained(verdict, reason)
        self._metrics.judged(self.name, EXPOSURES, verdict, EXPLORATION)
        self._metrics.judged(self.name, EXPOSURES, self._value_gap(now_ms), TWIN)
        self._begin_cut()
        return self._pursuit.hear(verdict, epoch)

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is this detector's."""
        self._pursuit.settle(finding_id, epoch)

    def state(self) -> tuple[bytes, State]:
        """The case, and what the detector knows."""
        return msgspec.json.encode(self._pursuit.case), self._detector.state()

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was."""
        self._pursuit.case = msgspec.json.decode(header, type=Case | None)
        self._detector.restore(arrays)

    def _begin_cut(self) -> None:
        self._parts: list[PlacedRows] = []
        self._unpredicted = 0

    def _rows(self) -> tuple[ExplorationRows, str]:
        """What can be compared, and why it is nothing where it is."""
        if not self._parts:
            return _NONE, NO_PREDICTION if self._unpredicted else NO_DRAWS
        drawn = joined(self._parts)
        if contradicted(drawn):
            self._metrics.exposed(self.name, {"contradicted": len(drawn.click)})
            return _NONE, CONTRADICTED
        rows = compared(drawn, self._positions)
        used, alone = len(rows.click), len(drawn.click) - len(rows.click)
        self._metrics.exposed(self.name, {"used": used, "nothing_alike": alone})
        return rows, "" if used else NOTHING_ALIKE

    def _value_gap(self, now_ms: int) -> Verdict:
        budget = self._budget
        return Verdict(
            VerdictKind.BLIND,
            SelectionDetector.name,
            0.0,
            budget.ticket,
            budget.page,
            now_ms,
            reason=NO_TWIN,
        )


_NONE = ExplorationRows(
    explored=np.zeros(0, np.bool_),
    click=np.zeros(0),
    expected=np.zeros(0),
    cluster=np.zeros(0, np.intp),
    propensity=np.zeros(0),
)
