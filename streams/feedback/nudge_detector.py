"""Does anything that we log answer to our own nudges? The test that D1 is made of.

At each epoch, of every item: how far its value surprised, given its own past (`response`), times the sign of
the nudge that it got one, two, three ... epochs ago (`nudges`). If nothing listens, the signs are coins, and
nobody gets rich by betting on these products; their weighted mean is β (`answers`). Randomised nudges as in
Wager et al., NeurIPS 2014 (arXiv 1310.2931).
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.feedback.answers import LAGS, Answers
from streams.feedback.base import Estimate, State, Verdict, VerdictKind
from streams.feedback.capture import capture, reinstate
from streams.feedback.cells import EpochCells
from streams.feedback.controls import Controls
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64, log_mean_exp
from streams.feedback.evidence.confidence import Interval
from streams.feedback.history import History
from streams.feedback.localisation import Location, locate, strongest_first
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import respond
from streams.feedback.standing import Standing
from streams.feedback.watched import Watched

Pick = Callable[[EpochCells], Float64]
"""The (*runs, k, f, n) values of an epoch that are watched."""

_SLOTTED = ("history.columns", "nudges.stakes", "nudges.exposures", "controls.signs", "score")
_STATE = (
    *_SLOTTED,
    "epoch",
    "version",
    "nudges.doses",
    "controls.attrition.log_capital",
    "controls.broken",
    "answers.bets.log_capital",
    "answers.beta.sums",
    "standing.used",
    "standing.idle",
    "standing.code",
    "standing.refused",
    "standing.peak",
)


class _Memory:
    """All that is remembered from epoch to epoch, for (*runs, k, f, n) values."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        *streams, _, n = shape
        slots = (*streams, n)
        self.epoch = -1
        self.version = ""
        self.score = np.full(slots, np.nan)
        self.history = History(shape)
        self.nudges = NudgeRecord(max(LAGS), slots)
        self.controls = Controls(slots)
        self.answers = Answers(shape[:-1])
        self.standing = Standing(tuple(streams))

    def forget_course(self) -> None:
        """What came before says nothing about what comes next; evidence stays."""
        self.score = np.full_like(self.score, np.nan)
        self.history.forget()
        self.nudges.forget()
        self.controls.forget()


class NudgeDetector:
    """D1 over any values of an item: its total score, or what each feature contributes to it.

    Parameters
    ----------
    name : of the detector
    watched : names of subjects and values, and what is allowed of them
    pick : takes the watched values out of the cells
    budget : of false alarms
    """

    def __init__(self, name: str, watched: Watched, pick: Pick, budget: AlarmBudget | None = None) -> None:
        self.name = name
        self.watched = watched
        self.budget = budget or AlarmBudget()
        self._pick = pick
        self.reset()

    def reset(self) -> None:
        """Forget everything: evidence, history, alarms."""
        self._memory: _Memory | None = None

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch.

        After a gap in the epochs, or under another model version, evidence stays and histories begin anew.

        Raises
        ------
        ValueError
            When the epoch is not after the last one, or subjects or values are not those that are watched.
        """
        values = np.where(cells.present[..., None, :], self._pick(cells), np.nan)
        memory = self._memory_for(cells, values)
        usable = cells.present & ~cells.fresh & np.isfinite(memory.score)
        response = respond(memory.history, values, usable, memory.score)
        memory.nudges.push(cells)
        code = memory.controls.judge(cells, memory.answers.log_control())
        memory.nudges.withdraw(code > 0)
        bet_on = response.known & (code == 0)[..., None, None]
        memory.answers.update(response, bet_on, memory.nudges)
        memory.history.advance(values, cells.fresh[..., None, :])
        memory.score = np.where(cells.present, cells.raw_score, np.nan)
        memory.standing.note(code, bet_on.any(axis=(-1, -2)), self.log_evidence())

    def log_evidence(self) -> Float64:
        """(*runs,) logarithm of W now, averaged over subjects, values and lags.

        A declared path counts as nothing until its gain is above what is allowed.
        """
        answers = self._known().answers
        counted = answers.beta.lower_bound() >= self.watched.allowed()
        by_value = np.where(counted, answers.log_by_value(), -np.inf)
        return log_mean_exp(by_value, axis=(-1, -2))

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        return self._known().standing.kinds(self.budget)

    def location(self) -> Location:
        """Where the evidence is, over runs."""
        return locate(self._known().answers)

    def beta(self) -> Interval:
        """(*runs, k, f) effect of one unit of nudge on each value in the next epoch."""
        return self._known().answers.beta.interval()

    def verdict(self, now_ms: int) -> Verdict:
        """What it says of the one run that production is."""
        if self._memory is None:
            return self._say(VerdictKind.WARMING_UP, now_ms, reason="no epoch was seen yet")
        standing = self._memory.standing
        kind = VerdictKind(str(standing.kinds(self.budget)))
        location, beta = self.location(), self.beta()
        top = int(location.subject), int(location.value)
        return self._say(
            kind,
            now_ms,
            statistic=float(standing.peak),
            beta=Estimate(float(beta.estimate[top]), float(beta.lower[top]), float(beta.upper[top])),
            evidence=self._evidence(location, beta),
            reason=standing.reason(kind),
        )

    def state(self) -> State:
        """Empty before the first epoch."""
        return {} if self._memory is None else capture(self._memory, _STATE)

    def restore(self, state: State) -> None:
        """Go on where the detector that gave ``state`` was.

        Raises
        ------
        ValueError
            When a part of the state is absent.
        """
        self.reset()
        if state:
            self._memory = _Memory(state["history.columns"].shape[1:])
            reinstate(self._memory, _STATE, state)

    def _say(self, kind: VerdictKind, now_ms: int, statistic: float = 0.0, **said: Any) -> Verdict:
        budget = self.budget
        return Verdict(kind, self.name, statistic, budget.ticket, budget.page, now_ms, **said)

    def _evidence(self, location: Location, beta: Interval) -> dict[str, object]:
        subjects, values = self.watched.subjects, self.watched.values
        strongest = beta.estimate[:, int(location.value)]
        return {
            "subject": subjects[int(location.subject)],
            "value": values[int(location.value)],
            "lag_epochs": int(location.lag_epochs),
            "subjects": strongest_first(location.subjects, strongest, subjects),
            "epochs_used": dict(zip(subjects, self._known().standing.used.tolist(), strict=True)),
            "epochs_refused": self._known().standing.refusals(subjects),
        }

    def _known(self) -> _Memory:
        if self._memory is None:
            raise ValueError("no epoch was seen yet")
        return self._memory

    def _memory_for(self, cells: EpochCells, values: Float64) -> _Memory:
        """The memory of the epoch before, with room for these cells."""
        self._check(cells, values)
        if self._memory is None:
            self._memory = _Memory(values.shape)
        memory = self._memory
        if cells.epoch <= memory.epoch:
            raise ValueError(f"epoch: {cells.epoch} is not after {memory.epoch}")
        _make_room(memory, values.shape[-1])
        if (cells.epoch, cells.version) != (memory.epoch + 1, memory.version):
            memory.forget_course()
        memory.epoch, memory.version = cells.epoch, cells.version
        return memory

    def _check(self, cells: EpochCells, values: Float64) -> None:
        expected = len(self.watched.subjects), len(self.watched.values)
        if values.shape[-3:-1] != expected:
            raise ValueError(f"cells: (subjects, values) are {values.shape[-3:-1]}, not {expected}")


def _make_room(memory: _Memory, n: int) -> None:
    """Slots are added at the end, as items become known, and never taken away."""
    spare = n - memory.score.shape[-1]
    if spare < 0:
        raise ValueError(f"cells: {n} slots are fewer than the {n - spare} of the epoch before")
    if spare:
        longer = {
            path: np.concatenate([known, np.zeros((*known.shape[:-1], spare))], axis=-1)
            for path in _SLOTTED
            for known in [attrgetter(path)(memory)]
        }
        reinstate(memory, _SLOTTED, longer)
