"""Does anything that we log answer to our own nudges? The test that D1 is made of.

At each epoch, of every item: how far its value surprised, given its own past (`response`), times the sign of
the nudge that it got one, two, three ... epochs ago (`nudges`). If nothing listens, the signs are coins, and
nobody gets rich by betting on these products; their weighted mean is β (`answers`).
Randomised nudges as in Wager et al., NeurIPS 2014 (arXiv 1310.2931).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.feedback.answers import LAG_ALPHAS, LAGS, Answers
from streams.feedback.base import Estimate, State, Verdict, VerdictKind
from streams.feedback.capture import capture, reinstate
from streams.feedback.cells import EpochCells, Mask
from streams.feedback.course import Course
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64, log_mean_exp
from streams.feedback.evidence.confidence import Interval
from streams.feedback.gain import GainPlan, LongRunGain
from streams.feedback.localisation import Location, locate, strongest_first
from streams.feedback.nudges import LARGE_NUDGE, NudgeRecord
from streams.feedback.response import Response
from streams.feedback.standing import Standing
from streams.feedback.watched import Watched

Pick = Callable[[EpochCells], Float64]
"""The (*runs, k, f, n) values of an epoch that are watched."""


class _Memory:
    """All that is remembered, for (*runs, k, f, n) values, of which ``width`` a subject may answer.

    ``apart``: each subject must have signs of its own.
    """

    STATE = (
        *(f"course.{path}" for path in Course.STATE),
        *(f"answers.{path}" for path in Answers.STATE),
        *(f"standing.{path}" for path in Standing.STATE),
    )

    def __init__(
        self, shape: tuple[int, ...], width: int, gain_plan: GainPlan | None, *, apart: bool
    ) -> None:
        self.course = Course(shape, apart=apart)
        self.answers = Answers((*shape[:-2], width))
        self.standing = Standing(shape[:-2])
        self.gain = None if gain_plan is None else LongRunGain(shape, gain_plan)

    def paths(self) -> Sequence[str]:
        """Where its state is."""
        return (
            self.STATE
            if self.gain is None
            else (*self.STATE, *(f"gain.{path}" for path in LongRunGain.STATE))
        )


class NudgeDetector:
    """D1 over any values of an item: its total score, or what each feature contributes to it.

    Parameters
    ----------
    name : of the detector
    watched : names of subjects and values, and what is allowed of them
    pick : takes the watched values out of the cells
    budget : of false alarms
    gain_plan : how the long-run gain is estimated; None leaves it out, with its memory

    Attributes
    ----------
    apart : whether it refuses subjects that share their signs
    """

    apart = False

    def __init__(
        self,
        name: str,
        watched: Watched,
        pick: Pick,
        budget: AlarmBudget | None = None,
        gain_plan: GainPlan | None = None,
    ) -> None:
        self.name = name
        self.watched = watched
        self.budget = budget or AlarmBudget()
        self._pick = pick
        self._gain_plan = gain_plan
        self.reset()

    def reset(self) -> None:
        """Forget everything: evidence, history, alarms."""
        self._memory: _Memory | None = None

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch.

        Raises
        ------
        ValueError
            When the epoch is not after the last one, or subjects or values are not those that are watched.
        """
        values = self._pick(cells)
        self._check(values)
        memory = self._memory = self._memory or self._memory_of(values.shape)
        response, counts, code = memory.course.follow(cells, values, memory.answers.log_control())
        self._bet(memory.answers, response, counts, memory.course.nudges)
        if memory.gain is not None:
            memory.gain.update(memory.course.history, memory.course.nudges)
        bet = counts & self._staked(memory.course.nudges)[..., None, :]
        memory.standing.note(code, np.any(bet, axis=(-1, -2)), self.log_evidence())

    def log_evidence(self) -> Float64:
        """(*runs,) logarithm of W now, averaged over subjects, values and lags.

        A declared path counts as nothing until its gain is above what is allowed.
        """
        return log_mean_exp(self._log_by_value(), axis=(-1, -2))

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        return self._known().standing.kinds(self.budget)

    def location(self) -> Location:
        """Where the evidence is, over runs."""
        return locate(self._known().answers, self._counted())

    def beta(self, lag_epochs: int = 1) -> Interval:
        """(*runs, k, f) effect of one unit of nudge on each value so many epochs later (`answers.LAGS`)."""
        return self._known().answers.betas.part(..., LAGS.index(lag_epochs)).interval()

    def gain(self) -> Interval | None:
        """(*runs, k, f) what one unit of nudge does to each value over the next epochs together."""
        gain = self._known().gain
        return None if gain is None else gain.interval()

    def verdict(self, now_ms: int) -> Verdict:
        """What it says of the one run that production is."""
        if self._memory is None:
            return self._say(VerdictKind.WARMING_UP, now_ms, reason="no epoch was seen yet")
        standing, location = self._memory.standing, self.location()
        beta = self.beta(int(location.lag_epochs))
        kind = VerdictKind(str(self.kinds()))
        top = int(location.subject), int(location.value)
        return self._say(
            kind,
            now_ms,
            statistic=float(standing.peak),
            beta=_at(beta, top),
            gain=_at(self.gain(), top),
            evidence=self._evidence(location, beta),
            reason=standing.reason(kind),
        )

    def state(self) -> State:
        """Empty before the first epoch."""
        return {} if self._memory is None else capture(self._memory, self._memory.paths())

    def restore(self, state: State) -> None:
        """Go on where the detector that gave ``state`` was.

        Raises
        ------
        ValueError
            When a part of the state is absent.
        """
        self.reset()
        if state:
            self._memory = self._memory_of(state["course.history.columns"].shape[1:])
            reinstate(self._memory, self._memory.paths(), state)

    def _counted(self) -> Mask:
        """(*runs, k, f) values that certainly answer more than is allowed, after some lag or in all."""
        memory, watched = self._known(), self.watched
        rising = memory.answers.betas.lower_bound(LAG_ALPHAS) >= watched.allowed()[:, None]
        falling = memory.answers.betas.upper_bound(LAG_ALPHAS) <= -watched.allowed_damping
        counted: Mask = np.asarray((rising | falling).any(axis=-1))
        if memory.gain is None:
            return counted
        lasting, most = memory.gain.gain, watched.allowed_long_run
        return counted | (lasting.lower_bound() >= most) | (lasting.upper_bound() <= -most)

    def _log_by_value(self) -> Float64:
        """(*runs, k, f) logarithm of W of each value; −∞ of those that do not count."""
        return np.where(self._counted(), self._known().answers.log_by_value(), -np.inf)

    def _check(self, values: Float64) -> None:
        expected = len(self.watched.subjects), len(self.watched.values)
        if values.shape[-3:-1] != expected:
            raise ValueError(f"cells: (subjects, values) are {values.shape[-3:-1]}, not {expected}")

    def _bet(self, answers: Answers, response: Response, counts: Mask, nudges: NudgeRecord) -> None:
        answers.update(response, counts, nudges)

    def _staked(self, nudges: NudgeRecord) -> Mask:
        """(*runs, k, n) items on whose answers something is staked."""
        return nudges.staked()

    def _say(self, kind: VerdictKind, now_ms: int, statistic: float = 0.0, **said: Any) -> Verdict:
        budget = self.budget
        return Verdict(kind, self.name, statistic, budget.ticket, budget.page, now_ms, **said)

    def _evidence(self, location: Location, beta: Interval) -> dict[str, object]:
        subjects, standing = self.watched.subjects, self._known().standing
        strongest = beta.estimate[:, int(location.value)]
        return {
            "subject": subjects[int(location.subject)],
            "value": self.watched.values[int(location.value)],
            "lag_epochs": int(location.lag_epochs),
            "safe_beta": self._safe_beta(location),
            **self._size_of_nudges(int(location.subject)),
            "subjects": strongest_first(location.subjects, strongest, subjects),
            **(self._betas(location, strongest) if len(subjects) > 1 else {}),
            "epochs_used": dict(zip(subjects, standing.used.tolist(), strict=True)),
            "epochs_refused": standing.refusals(subjects),
        }

    def _size_of_nudges(self, subject: int) -> dict[str, object]:
        """Beside the scores; large ones add less per unit than small ones would."""
        share = float(self._known().course.nudge_share[subject])
        return {"nudge_share": share, "nudges_large": share > LARGE_NUDGE}

    def _betas(self, location: Location, beta: Float64) -> dict[str, dict[str, float]]:
        """How much each of several subjects answers that is named, and above what is allowed."""
        subjects, named = self.watched.subjects, location.subjects & self._counted().any(axis=-1)
        by_name = dict(zip(subjects, beta.tolist(), strict=True))
        return {"betas": {name: by_name[name] for name in strongest_first(named, beta, subjects)}}

    def _safe_beta(self, location: Location) -> dict[str, float]:
        """Bounds of β that need no asymptotics."""
        interval = self._known().answers.safe_beta.interval()
        place = int(location.subject), int(location.value)
        return {"lower": float(interval.lower[place]), "upper": float(interval.upper[place])}

    def _memory_of(self, shape: tuple[int, ...]) -> _Memory:
        return _Memory(shape, len(self.watched.values), self._gain_plan, apart=self.apart)

    def _known(self) -> _Memory:
        if self._memory is None:
            raise ValueError("no epoch was seen yet")
        return self._memory


def _at(interval: Interval | None, place: tuple[int, int]) -> Estimate | None:
    if interval is None:
        return None
    return Estimate(
        float(interval.estimate[place]), float(interval.lower[place]), float(interval.upper[place])
    )
