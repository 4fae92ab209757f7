"""How far a detector has come: what it could use, and the most evidence it ever had."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import VerdictKind
from streams.feedback.cells import Mask
from streams.feedback.controls import BROKEN, EXPLAINED, REASONS, Code
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64

BLIND_AFTER_EPOCHS = 3
WARM_AFTER_EPOCHS = 3
NOTHING_STAKED = "no exposures of it could be counted, or epochs do not follow one another"
"""What can be the matter where no epoch was refused: items weigh by their exposures, unseen ones nothing."""


class Standing:
    """Counts epochs by what could be made of them.

    Attributes
    ----------
    used : (*runs, k) epochs in which something was bet on
    idle : (*runs, k) epochs since
    code : (*runs, k) why the last epoch was refused, an index into `controls.REASONS`
    refused : (*runs, k, reasons) epochs refused so far, by reason
    peak : (*runs,) largest fused log evidence so far
    """

    STATE = ("used", "idle", "code", "refused", "peak")

    def __init__(self, streams: tuple[int, ...]) -> None:
        self.used = np.zeros(streams, np.int64)
        self.idle = np.zeros(streams, np.int64)
        self.code: Code = np.zeros(streams, np.int64)
        self.refused = np.zeros((*streams, len(REASONS)), np.int64)
        self.peak = np.zeros(streams[:-1])

    def note(self, code: Code, bet: Mask, log_evidence: Float64) -> None:
        """One epoch: why it was refused, whether (*runs, k) anything was ``bet`` on, the evidence now."""
        self.code = code
        self.refused += code[..., None] == np.arange(len(REASONS))
        self.used += bet
        self.idle = np.where(bet, 0, self.idle + 1)
        self.peak = np.maximum(self.peak, log_evidence)

    def kinds(self, budget: AlarmBudget) -> NDArray[np.str_]:
        """(*runs,) verdicts. An alarm stays, though the nudges end; a log that is broken takes it back."""
        idle, used = self.idle.min(axis=-1), self.used.max(axis=-1)
        by_rank: Sequence[tuple[object, VerdictKind]] = (
            ((self.code >= BROKEN).all(axis=-1), VerdictKind.BLIND),
            (self.peak >= budget.log_page, VerdictKind.LOOP_DETECTED),
            (self.peak >= budget.log_ticket, VerdictKind.WARNING),
            (idle >= BLIND_AFTER_EPOCHS, VerdictKind.BLIND),
            (used < WARM_AFTER_EPOCHS, VerdictKind.WARMING_UP),
        )
        conditions, kinds = zip(*by_rank, strict=True)
        return np.select(list(map(np.asarray, conditions)), kinds, VerdictKind.QUIET)

    def reason(self, kind: VerdictKind) -> str:
        """Why the one run that production is sees nothing, in words; "" where it does."""
        if kind is VerdictKind.WARMING_UP:
            return f"{int(self.used.max())} of {WARM_AFTER_EPOCHS} epochs could be used so far"
        if kind is not VerdictKind.BLIND:
            return ""
        named = [EXPLAINED[REASONS[code]] for code in dict.fromkeys(self.code.tolist()) if code]
        return "; ".join(named) or NOTHING_STAKED

    def refusals(self, subjects: Sequence[str]) -> dict[str, dict[str, int]]:
        """Epochs refused so far, by subject and reason, where there were any."""
        return {
            subject: {REASONS[code]: int(counts[code]) for code in np.flatnonzero(counts) if code}
            for subject, counts in zip(subjects, self.refused, strict=True)
            if counts[1:].any()
        }
