"""From records to cells: what was shown comes from exposures, what was scored from the panel."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.feedback.base import State
from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import Float64
from streams.feedback.roster import NO_SLOT, Roster
from streams.feedback.slots import with_room

MOST_CONFLICTS = 0.01
"""Share of an epoch's exposures whose nudge may differ from the panel's; above, its nudges are unknown."""

MOST_OPEN = 3
"""Epochs that may be open at a time: what is further ahead was stamped by a wrong clock."""


_COUNTS = 5
"""Of each open cell: exposures, clicks, exposures with a nudge, the sum of these nudges, of their squares."""


@dataclass(frozen=True, slots=True)
class ExposureColumns:
    """Exposures as columns, each exposure once.

    Attributes
    ----------
    item_id : (n,) string
    subject : (n,) int64 index of the model or slice that it belongs to
    epoch : (n,) int64 in which it was served
    nudge : (n,) float64, NaN where it was not logged
    clicked : (n,) float64, 1 where it was
    """

    item_id: pa.Array
    subject: NDArray[np.int64]
    epoch: NDArray[np.int64]
    nudge: Float64
    clicked: Float64


@dataclass(frozen=True, slots=True)
class PanelColumns:
    """The panel of one epoch and model version as columns.

    Attributes
    ----------
    item_id : (n,) string
    subject : (n,) int64
    raw_score : (n,) float64 before the nudge
    contributions : (n, f) float64
    nudge : (n,) float64 in force in this epoch, NaN where unknown
    """

    item_id: pa.Array
    subject: NDArray[np.int64]
    raw_score: Float64
    contributions: Float64
    nudge: Float64


class CellBuilder:
    """Collects exposures of the open epochs and lays the panel over them when an epoch is closed.

    An item is in the catalogue while the panel has it, and one epoch longer: then its score counts as
    missing, which is how a panel shows that leaves items out. Items that are exposed and in no panel have
    slots as long as the panel's own leave some.

    Parameters
    ----------
    subjects, features : how many
    first_epoch : that is built
    most_items : slots at most; of about 122 bytes for each subject, and the item's id

    Attributes
    ----------
    dropped : exposures that were not counted, by reason: `late` (their epoch is closed), `ahead` (of all open
        epochs), `unknown_item` (beyond ``most_items``)
    unplaced : items of the last panel for which there was no slot
    """

    def __init__(self, subjects: int, features: int, first_epoch: int, most_items: int = 1_000_000) -> None:
        self._subjects, self._features, self._most = subjects, features, most_items
        self._roster = Roster(most_items)
        self.epoch = first_epoch
        self.dropped = {"late": 0, "ahead": 0, "unknown_item": 0}
        self.unplaced = 0
        self._open = np.zeros((MOST_OPEN, _COUNTS, subjects, 0))
        self._scored: Mask = np.zeros((subjects, 0), np.bool_)
        self._present: Mask = np.zeros((subjects, 0), np.bool_)

    def add(self, exposures: ExposureColumns) -> None:
        """Count exposures of open epochs; what belongs to others is dropped and counted."""
        ahead = exposures.epoch - self.epoch
        in_time = (ahead >= 0) & (ahead < MOST_OPEN)
        self.dropped["late"] += int((ahead < 0).sum())
        self.dropped["ahead"] += int((ahead >= MOST_OPEN).sum())
        slots = self._roster.enrolled(exposures.item_id.filter(pa.array(in_time)))
        self._make_room()
        known = slots != NO_SLOT
        self.dropped["unknown_item"] += int((~known).sum())
        rows = np.flatnonzero(in_time)[known]
        nudge = np.nan_to_num(exposures.nudge[rows])
        logged = np.isfinite(exposures.nudge[rows]).astype(np.float64)
        counted = (np.ones(len(rows)), exposures.clicked[rows], logged, nudge, nudge * nudge)
        for number, values in enumerate(counted):
            place = (ahead[rows], number, exposures.subject[rows], slots[known])
            np.add.at(self._open, place, values)

    def close(self, version: str, panel: PanelColumns) -> EpochCells:
        """The cells of the epoch, which ends with this; the next one begins."""
        slots = self._enrolled_first(panel.item_id)
        self._make_room()
        rows = slots != NO_SLOT
        self.unplaced = len(pc.unique(panel.item_id.filter(pa.array(~rows))))
        place = (panel.subject[rows], slots[rows])
        raw, nudge = self._laid_out(place, panel.raw_score[rows]), self._laid_out(place, panel.nudge[rows])
        contributions = np.full((self._subjects, self._features, self._roster.size), np.nan)
        contributions[place[0], :, place[1]] = panel.contributions[rows]
        scored = np.isfinite(raw)
        present = scored | self._scored
        counts = self._open[0]
        cells = EpochCells(
            epoch=self.epoch,
            version=version,
            present=present,
            fresh=present & ~self._present,
            raw_score=raw,
            contributions=contributions,
            nudge=np.where(_contradicted(nudge, counts)[:, None], np.nan, nudge),
            exposures=counts[0].copy(),
            clicks=counts[1].copy(),
        )
        self._next(scored, present)
        return cells

    @property
    def items(self) -> list[str]:
        """Item of each slot, "" of a free one."""
        return self._roster.items()

    def state(self) -> State:
        """Everything, as arrays by name."""
        return {
            "epoch": np.array(self.epoch),
            "items": np.array(self.items, np.str_),
            "open": self._open.copy(),
            "scored": self._scored.copy(),
            "present": self._present.copy(),
            "dropped": np.array([*self.dropped.values(), self.unplaced], np.int64),
        }

    def restore(self, state: State) -> None:
        """Go on where the builder that gave ``state`` was."""
        self.epoch = int(state["epoch"])
        self._roster = Roster.of(state["items"].tolist(), self._most)
        self._open = np.array(state["open"], np.float64)
        self._scored = np.array(state["scored"], np.bool_)
        self._present = np.array(state["present"], np.bool_)
        *dropped, self.unplaced = state["dropped"].tolist()
        self.dropped = dict(zip(self.dropped, dropped, strict=True))

    def _enrolled_first(self, item_ids: pa.Array) -> NDArray[np.int64]:
        """Slots of the panel's items; where there are too few, what no panel has gives up its own."""
        slots = self._roster.known(item_ids)
        new = slots == NO_SLOT
        if len(pc.unique(item_ids.filter(pa.array(new)))) > self._roster.room:
            self._make_room()
            strangers: Mask = np.asarray(~self._present.any(axis=0))
            strangers[slots[~new]] = False
            self._evict(np.flatnonzero(strangers))
        return self._roster.enrolled(item_ids)

    def _evict(self, slots: NDArray[np.int64]) -> None:
        """Forget items, and count their exposures as those of unknown ones."""
        self.dropped["unknown_item"] += int(self._open[:, 0, :, slots].sum())
        self._open[..., slots] = 0.0
        self._roster.release(slots)

    def _laid_out(self, place: tuple[NDArray[np.int64], NDArray[np.int64]], values: Float64) -> Float64:
        column = np.full((self._subjects, self._roster.size), np.nan)
        column[place] = values
        return column

    def _next(self, scored: Mask, present: Mask) -> None:
        self._scored, self._present = scored, present
        self._open = np.concatenate([self._open[1:], np.zeros_like(self._open[:1])])
        self.epoch += 1
        awaited = present.any(axis=0) | (self._open[:, 0] > 0).any(axis=(0, 1))
        self._roster.release(np.flatnonzero(~awaited))

    def _make_room(self) -> None:
        n = self._roster.size
        if n != self._scored.shape[-1]:
            self._open = with_room(self._open, n)
            self._scored, self._present = with_room(self._scored, n), with_room(self._present, n)


def _contradicted(nudge: Float64, counts: Float64) -> Mask:
    """(subjects,) whether exposures were nudged otherwise than the panel says, as when a salt was changed."""
    # Of items that the panel leaves out nothing is known, so nothing contradicts it.
    _, _, logged, total, squares = counts * np.isfinite(nudge)
    expected = np.nan_to_num(nudge)
    # An exposure with the opposite nudge is 2 nudges away.
    apart = np.maximum(squares - 2 * expected * total + expected * expected * logged, 0.0)
    size = np.max(np.abs(expected), axis=-1, keepdims=True, initial=0.0)
    unit = 4 * size * size
    opposite = np.where(unit > 0, apart / np.where(unit > 0, unit, 1.0), apart > 0).sum(axis=-1)
    contradicted: Mask = opposite > MOST_CONFLICTS * np.maximum(logged.sum(axis=-1), 1.0)
    return contradicted
