"""D3 over the exploration rows of `exposures`: what chance showed beside what was chosen."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.schema.assignments import EXPLORATION
from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from feature_store.schema.topics import EXPOSURES
from streams.feedback.base import State, Verdict
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_cells import exploration_cells
from streams.feedback.exploration_presentation import PresentationDetector
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.presented_rows import PlacedRows, compared, contradicted, joined, placed_rows
from streams.feedback.production.case import Case
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.pursuit import Pursuit
from streams.feedback.production.verdicts import blinded, explained
from streams.feedback.production.watch import below, under
from streams.feedback.roster import NO_SLOT, Roster

NO_DRAWS = "no request drew whether it explores"
NO_PREDICTION = "the model logs no probability of a click: chance and choice cannot be compared"
CONTRADICTED = (
    "requests that explore log another share than those that do not: is EDDYLINE_EXPLORE_POSITIONS the same "
    "in all processes?"
)
NOTHING_ALIKE = "next to nothing was explored where rows alike were chosen"


class _Told(msgspec.Struct, frozen=True):
    """What is kept beside the arrays: the cases, and the item of each slot."""

    presentation: Case | None
    selection: Case | None
    items: list[str]


class ExplorationWatch:
    """The effect of presentation, and the value that is left lying because it is not shown.

    Besides the rows of the cut it remembers two dozen numbers, and seven of each item.

    Parameters
    ----------
    positions : first ones that may be given away, as the ranker has it
    items : followed at most
    """

    name = EXPLORATION

    def __init__(self, positions: int, items: int, budget: AlarmBudget, metrics: LoopMetrics) -> None:
        self._positions = positions
        self._most_items = items
        self._metrics = metrics
        self._presentation = PresentationDetector(budget)
        self._selection = SelectionDetector(budget)
        self._presented = Pursuit(self._presentation, EXPOSURES)
        self._selected = Pursuit(self._selection, EXPOSURES)
        self._roster = Roster(items)
        self._begin_cut()

    def expose(self, rows: ExposureRows) -> None:
        """Keep the rows that drew whether they explore; count the others by why not."""
        placed, dropped = placed_rows(rows, self._positions)
        self._metrics.exposed(self.name, dropped)
        self._unpredicted += dropped["no_prediction"]
        if len(placed.click):
            self._parts.append(placed)

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Judge the rows of the cut."""
        drawn, reason = self._drawn()
        said = (
            (self._presented, *self._judge_presentation(drawn, reason, now_ms)),
            (self._selected, *self._judge_selection(drawn, reason, now_ms)),
        )
        self._begin_cut()
        found: list[Finding] = []
        for pursuit, verdict, why in said:
            refused = reason in (CONTRADICTED, NO_PREDICTION)
            judged = blinded(verdict, why) if refused else explained(verdict, why)
            self._metrics.judged(self.name, EXPOSURES, judged, EXPLORATION)
            found += pursuit.hear(judged, epoch)
        return found

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is of one of these detectors."""
        self._presented.settle(finding_id, epoch)
        if self._selected.settle(finding_id, epoch):
            self._roster = Roster(self._most_items)

    def state(self) -> tuple[bytes, State]:
        """The cases and the items, and what the detectors know."""
        told = _Told(self._presented.case, self._selected.case, self._roster.items())
        arrays = {
            **under(_PRESENTATION, self._presentation.state()),
            **under(_SELECTION, self._selection.state()),
        }
        return msgspec.json.encode(told), arrays

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was."""
        told = msgspec.json.decode(header, type=_Told)
        self._presented.case, self._selected.case = told.presentation, told.selection
        self._roster = Roster.of(told.items, self._most_items)
        self._presentation.restore(below(arrays, _PRESENTATION))
        self._selection.restore(below(arrays, _SELECTION))

    def _begin_cut(self) -> None:
        self._parts: list[PlacedRows] = []
        self._unpredicted = 0

    def _drawn(self) -> tuple[PlacedRows, str]:
        """The rows of the cut, and why they are none where there are none."""
        if not self._parts:
            return _NONE, NO_PREDICTION if self._unpredicted else NO_DRAWS
        drawn = joined(self._parts)
        if contradicted(drawn):
            self._metrics.exposed(self.name, {"contradicted": len(drawn.click)})
            return _NONE, CONTRADICTED
        return drawn, ""

    def _judge_presentation(self, drawn: PlacedRows, reason: str, now_ms: int) -> tuple[Verdict, str]:
        rows = compared(drawn, self._positions)
        used = len(rows.click)
        if not reason:
            self._metrics.exposed(self.name, {"used": used, "nothing_alike": len(drawn.click) - used})
        self._presentation.update(rows)
        return self._presentation.verdict(now_ms), reason or ("" if used else NOTHING_ALIKE)

    def _judge_selection(self, drawn: PlacedRows, reason: str, now_ms: int) -> tuple[Verdict, str]:
        slots = self._roster.enrolled(drawn.item)
        strangers = int((slots == NO_SLOT).sum())
        self._metrics.exposed(_WATCH_OF_ITEMS, {"used": len(slots) - strangers, "unknown_item": strangers})
        self._selection.update(exploration_cells(drawn, slots, self._positions))
        verdict = self._selection.verdict(now_ms, lambda slot: self._roster.items()[slot])
        self._roster.release(self._selection.twin.forgotten())
        return verdict, reason


_PRESENTATION, _SELECTION = "presentation/", "selection/"
_WATCH_OF_ITEMS = "selection"
_NONE = PlacedRows(
    request=pa.array([], pa.string()),
    model=pa.array([], pa.string()),
    item=pa.array([], pa.string()),
    position=np.zeros(0, np.int64),
    slotted=np.zeros(0, np.bool_),
    explored=np.zeros(0, np.bool_),
    click=np.zeros(0),
    predicted=np.zeros(0),
    share=np.zeros(0),
)
