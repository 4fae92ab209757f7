"""D5 over `exposures`: does what chance shows get more clicks whenever a new model begins to serve?"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from feature_store.deploy_calendar import DeployCalendar
from feature_store.schema.assignments import DEPLOYS
from feature_store.schema.findings import Finding
from feature_store.schema.panel import PanelRows
from feature_store.schema.topics import EXPOSURES
from streams.feedback.base import State, Verdict
from streams.feedback.deploy_rows import (
    NOTHING_DUE,
    UNDRAWN,
    UNREADABLE,
    DeployRows,
    PeriodTally,
    deploy_rows,
)
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.case import Case
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.pursuit import Pursuit
from streams.feedback.production.verdicts import blinded
from streams.feedback.production.watch import below, under
from streams.feedback.retrain_echo import RetrainEchoDetector

_TIES = 5
"""Seed of the ranks, with the period's number."""

NOT_DRAWN = "deploy times are not drawn: nothing tells a deploy from the time of day"
NO_KPI = "too little is explored: clicks on what the model chooses say nothing of an echo"
OTHER_CALENDAR = (
    "requests log another deploy calendar: are EDDYLINE_DEPLOY_SLOTS and EDDYLINE_DEPLOY_STEP_S the same in "
    "all processes?"
)
_WHY = {UNDRAWN: NOT_DRAWN, UNREADABLE: OTHER_CALENDAR}


class Deploys(msgspec.Struct, frozen=True):
    """What is known beside the evidence.

    Attributes
    ----------
    case : None before the first verdict
    reason : why nothing could be said of the last period; "" where something could
    last : version that was deployed last at its moment; "" none
    """

    case: Case | None = None
    reason: str = ""
    last: str = ""


class DeployWatch:
    """Judges each period of the calendar once it is over.

    A period counts if the rows before its first moment log a slot: whether a version is due, and whether
    enough is explored, is settled before the drawn moment could move anything. What happens after that can
    only make the rank the worst one.

    It remembers the periods that are not over, of which there are at most three and as many as fit into
    the time that exposures are waited for, and a few dozen numbers.

    Parameters
    ----------
    calendar : as the ranker has it
    epoch_ms : length of an epoch
    """

    name = DEPLOYS

    def __init__(
        self, calendar: DeployCalendar, epoch_ms: int, budget: AlarmBudget, metrics: LoopMetrics
    ) -> None:
        self._calendar = calendar
        self._epoch_ms = epoch_ms
        self._metrics = metrics
        self._detector = RetrainEchoDetector(_TIES, budget)
        self._pursuit = Pursuit(self._detector, EXPOSURES)
        self._known = Deploys()
        self._periods: dict[int, PeriodTally] = {}
        self._rows: list[DeployRows] = []

    def expose(self, rows: ExposureRows) -> None:
        """Keep the rows that drew whether they explore; count the others by why not."""
        kept, dropped = deploy_rows(rows, self._calendar)
        self._metrics.exposed(self.name, dropped)
        if len(kept.period):
            self._rows.append(kept)

    def close(self, epoch: int, panel: Sequence[PanelRows], now_ms: int) -> list[Finding]:
        """Count the rows of the cut, and judge the periods that are over."""
        reason = self._why_nothing()
        for rows in self._rows:
            self._count(
                rows, self._calendar.period(epoch * self._epoch_ms), self._calendar.period(now_ms) + 1
            )
        self._rows = []
        coming = self._calendar.period((epoch + 1) * self._epoch_ms)
        for period in sorted(number for number in self._periods if number < coming):
            self._judge(period, self._periods.pop(period))
        verdict = self._verdict(reason or self._known.reason, now_ms)
        self._metrics.judged(self.name, EXPOSURES, verdict, DEPLOYS)
        return self._pursuit.hear(verdict, epoch)

    def settle(self, finding_id: str, epoch: int) -> None:
        """Begin anew where the finding is this detector's."""
        self._pursuit.settle(finding_id, epoch)

    def state(self) -> tuple[bytes, State]:
        """The case and what is known beside the evidence; the evidence and the periods that are not over."""
        arrays = under("detector/", self._detector.state())
        for period, tally in self._periods.items():
            arrays = {**arrays, **under(f"{period}/", tally.state())}
        known = msgspec.structs.replace(self._known, case=self._pursuit.case)
        return msgspec.json.encode((known, list(self._periods), self._calendar)), arrays

    def restore(self, header: bytes, arrays: State) -> None:
        """Go on where the one that gave this state was.

        Raises
        ------
        ValueError
            It had another calendar.
        """
        form = tuple[Deploys, list[int], DeployCalendar]
        self._known, periods, calendar = msgspec.json.decode(header, type=form)
        if calendar != self._calendar:
            raise ValueError(f"deploy calendar: {calendar} when it began, now {self._calendar}")
        self._pursuit.case = self._known.case
        self._detector.restore(below(arrays, "detector/"))
        self._periods = {period: PeriodTally(calendar) for period in periods}
        for period, tally in self._periods.items():
            tally.restore(below(arrays, f"{period}/"))

    def _count(self, rows: DeployRows, first: int, last: int) -> None:
        """Into their periods, from ``first`` to ``last``: those before are judged, those after cannot be."""
        late, ahead = rows.period < first, rows.period > last
        self._metrics.exposed(
            self.name,
            {"late": int(late.sum()), "ahead": int(ahead.sum()), "used": int((~late & ~ahead).sum())},
        )
        for period in np.unique(rows.period[~late & ~ahead]).tolist():
            tally = self._periods.setdefault(period, PeriodTally(self._calendar))
            tally.add(rows.where(rows.period == period))

    def _why_nothing(self) -> str:
        """Of the rows of this cut: why they can carry nothing; "" where they can."""
        if not any(rows.explored.any() for rows in self._rows):
            return NO_KPI
        logged = set(np.concatenate([np.unique(rows.drawn) for rows in self._rows]).tolist())
        return next((_WHY[code] for code in (UNREADABLE, UNDRAWN) if logged == {code}), "")

    def _judge(self, period: int, tally: PeriodTally) -> None:
        drawn, last = tally.drawn(), self._known.last
        reason = _WHY.get(drawn, "") if tally.explored_enough() else NO_KPI
        if not reason and drawn != NOTHING_DUE:
            retrain, deployed = tally.retrain(period, drawn)
            self._detector.update(retrain)
            last = deployed or last
        self._known = msgspec.structs.replace(self._known, reason=reason, last=last)

    def _verdict(self, reason: str, now_ms: int) -> Verdict:
        verdict = self._detector.verdict(now_ms)
        verdict = replace(verdict, evidence={**verdict.evidence, "last_deployed": self._known.last})
        return blinded(verdict, reason) if reason else verdict
