"""The verdict of detectors that ask one question: how high evidence ever was, and on how many bets."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import Estimate, Verdict, VerdictKind
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64


class Peak:
    """Largest log evidence of each of (*runs,) processes.

    Parameters
    ----------
    runs : shape of independent runs side by side; production is ()
    idle_limit : observations without a bet after which a process is blind
    pages : whether it may wake somebody; otherwise a warning is the most that it says

    Attributes
    ----------
    bets : (*runs,) observations that were bet on
    idle : (*runs,) observations since the last bet
    highest : (*runs,) natural logarithm of the largest W so far
    """

    def __init__(self, runs: tuple[int, ...], idle_limit: int, *, pages: bool = True) -> None:
        self.bets = np.zeros(runs, np.int64)
        self.idle = np.zeros(runs, np.int64)
        self.highest = np.zeros(runs)
        self._idle_limit = idle_limit
        self._loudest = VerdictKind.LOOP_DETECTED if pages else VerdictKind.WARNING

    def note(self, log_evidence: Float64, bet: NDArray[np.bool_]) -> None:
        """One observation: the evidence after it, and where (*runs,) it was bet on."""
        self.bets += bet
        self.idle = np.where(bet, 0, self.idle + 1)
        self.highest = np.maximum(self.highest, log_evidence)

    def kinds(self, budget: AlarmBudget) -> NDArray[np.str_]:
        """(*runs,) verdicts; an alarm stays."""
        return np.select(
            [
                self.highest >= budget.log_page,
                self.highest >= budget.log_ticket,
                self.idle >= self._idle_limit,
                self.bets == 0,
            ],
            [self._loudest, VerdictKind.WARNING, VerdictKind.BLIND, VerdictKind.WARMING_UP],
            VerdictKind.QUIET,
        )

    def verdict(
        self,
        detector: str,
        budget: AlarmBudget,
        now_ms: int,
        *,
        lacking: str,
        evidence: Mapping[str, object],
        effect: Estimate | None = None,
    ) -> Verdict:
        """Of the one run that production is; ``lacking`` says what it waits for, or is blind without."""
        kind = VerdictKind(str(self.kinds(budget)))
        return Verdict(
            kind=kind,
            detector=detector,
            statistic=float(self.highest),
            ticket=budget.ticket,
            page=budget.page,
            now_ms=now_ms,
            beta=effect,
            evidence=evidence,
            reason=lacking if kind in (VerdictKind.BLIND, VerdictKind.WARMING_UP) else "",
        )
