"""What D5 observes of exposures: clicks on what chance chose, and who served, step by step of a period."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.deploy_calendar import LEAD_STEPS, DeployCalendar
from feature_store.schema.assignments import DEPLOYS, EXPLORATION, Drawn, whole_number
from feature_store.schema.categorical import Categorical
from streams.feedback.base import State
from streams.feedback.capture import capture, reinstate
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.retrain_echo import Retrain
from streams.feedback.sifting import sifted

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_MODELS = 8
"""Versions of a period that are told apart; all others count as one."""

MIN_EXPLORED = 100
"""Rows of chance before a period's first moment; with fewer the KPI is mostly chance itself."""

NOTHING_DUE, UNDRAWN, UNREADABLE = -1, -2, -3
"""What a row may log instead of a slot."""

_FOLLOWED = 0.9
"""Share of the rows on either side of the moment that one version served: rankers follow within a second."""

_STATE = ("lead", "shown", "clicks", "models", "served")


@dataclass(frozen=True, slots=True)
class DeployRows:
    """Rows of requests that drew whether they explore; (m,) columns.

    Attributes
    ----------
    period, step : in which they were served, the latter counted from 0 within the former
    drawn : slot of the period's deploy as they log it, or one of those below 0
    explored : chosen by chance
    click : 1 where it was clicked
    model : the version that served
    """

    period: Int64
    step: Int64
    drawn: Int64
    explored: Mask
    click: Float64
    model: Categorical

    def where(self, mask: Mask) -> "DeployRows":
        """Those of ``mask`` (m,)."""
        return DeployRows(
            self.period[mask],
            self.step[mask],
            self.drawn[mask],
            self.explored[mask],
            self.click[mask],
            self.model.where(mask),
        )


def deploy_rows(rows: ExposureRows, calendar: DeployCalendar) -> tuple[DeployRows, dict[str, int]]:
    """The rows, and why the others are left out: `not_ranked`, `revision` (a later one), `not_drawn`."""
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.ranked),
            ("revision", rows.first),
            ("not_drawn", rows.draws.of(EXPLORATION).drew),
        ),
    )
    period = rows.served_ms // calendar.period_ms
    found = DeployRows(
        period=period,
        step=(rows.served_ms - period * calendar.period_ms) // calendar.step_ms,
        drawn=_slots(rows.draws.of(DEPLOYS), period, calendar.slots),
        explored=rows.explored,
        click=rows.clicked,
        model=rows.model,
    )
    return found.where(kept), dropped


def _slots(drawn: Drawn, period: Int64, slots: int) -> Int64:
    """(n,) what each row logs, where that is of its period and drawn from as many slots."""
    slot = drawn.variant.numbers(_slot_of)
    chance = np.where(slot >= 0, 1.0 / max(1, slots), 1.0)
    fits = (
        (drawn.variant.numbers(_period_of) == period)
        & (slot < slots)
        & np.isclose(drawn.propensity, chance, rtol=1e-6)
    )
    return np.where(drawn.drew, np.where(fits, slot, UNREADABLE), UNDRAWN)


def _period_of(variant: str) -> int:
    """Of `<salt id>/<period>/<slot>`; −1 of anything else."""
    return whole_number(variant.split("/")[1]) if variant.count("/") == 2 else -1


def _slot_of(variant: str) -> int:
    last = variant.rpartition("/")[2]
    slot = NOTHING_DUE if last == "none" else whole_number(last)
    return UNREADABLE if slot < 0 and last != "none" else slot


class PeriodTally:
    """All that is kept of one period: ``(MOST_MODELS + 3) * steps + slots + 3`` numbers, and some names.

    Attributes
    ----------
    lead : (slots + 3,) rows before the first moment by what they log: a slot, or, from the end, one of
        NOTHING_DUE, UNDRAWN and UNREADABLE
    shown, clicks : (steps,) rows that chance chose, and clicks on them
    models : names of versions, in the order of their first rows
    served : (MOST_MODELS + 1, steps) rows by version; the last are of all others
    """

    def __init__(self, calendar: DeployCalendar) -> None:
        self.lead = np.zeros(calendar.slots + 3, np.int64)
        self.shown = np.zeros(calendar.steps, np.int64)
        self.clicks = np.zeros(calendar.steps)
        self.models = np.zeros(0, np.str_)
        self.served = np.zeros((MOST_MODELS + 1, calendar.steps), np.int64)

    def add(self, rows: DeployRows) -> None:
        """Count rows of this period."""
        steps = len(self.shown)
        early = rows.step < LEAD_STEPS
        self.lead += np.bincount(rows.drawn[early] % len(self.lead), minlength=len(self.lead))
        by_chance = rows.step[rows.explored]
        self.shown += np.bincount(by_chance, minlength=steps)
        self.clicks += np.bincount(by_chance, weights=rows.click[rows.explored], minlength=steps)
        cells = self._numbers(rows.model) * steps + rows.step
        self.served += np.bincount(cells, minlength=self.served.size).reshape(self.served.shape)

    def drawn(self) -> int:
        """What most rows before the first moment log."""
        place = int(self.lead.argmax())
        return place if place < len(self.lead) - 3 else place - len(self.lead)

    def explored_enough(self) -> bool:
        """Whether there is a KPI. Decided before the first moment, so that no deploy has moved it."""
        return bool(self.shown[:LEAD_STEPS].sum() >= MIN_EXPLORED)

    def kpi(self) -> Float64:
        """(steps,) click rate of what chance chose; that of the whole period where a step has nothing."""
        everywhere = self.clicks.sum() / max(1, self.shown.sum())
        rate: Float64 = np.where(self.shown > 0, self.clicks / np.maximum(self.shown, 1), everywhere)
        return rate

    def retrain(self, period: int, slot: int) -> tuple[Retrain, str]:
        """The deploy at ``slot``, and the version that was deployed."""
        moment = LEAD_STEPS + slot
        before, after = self.served[:, :moment].sum(axis=1), self.served[:, moment:].sum(axis=1)
        old, new = int(before[:-1].argmax()), int(after[:-1].argmax())
        clear = before[old] >= _FOLLOWED * before.sum() and after[new] >= _FOLLOWED * after.sum()
        followed = bool(clear and old != new and after[new] > 0)
        return Retrain(period, self.kpi(), slot, followed), str(self.models[new]) if followed else ""

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)

    def _numbers(self, model: Categorical) -> Int64:
        """(m,) number of each row's version."""
        present = np.array(list(model.counts()), np.str_)
        unknown = np.setdiff1d(present, self.models)[: MOST_MODELS - len(self.models)]
        self.models = np.concatenate([self.models, unknown]) if len(unknown) else self.models
        number = {name: place for place, name in enumerate(self.models.tolist())}
        numbers = model.numbers(lambda name: number.get(name, MOST_MODELS))
        return np.where(numbers < 0, MOST_MODELS, numbers)
