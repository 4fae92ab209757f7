"""When the randomisation cannot carry a conclusion: reasons to see nothing rather than guess.

Two of them are negative controls, e-processes themselves: what happened *before* a nudge, and whether a score
was logged at all, must not know the nudge's sign. When they do, the log is broken, not the world.
"""

import numpy as np
from numpy.typing import NDArray

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import BettingMixture, Float64, log_mean_exp

EXPLAINED = {
    "": "",
    "no_randomisation": "next to no item was nudged",
    "nudges_unknown": "the nudges of most items were not logged",
    "signs_repeat": "items get the sign of the epoch before again: is the epoch part of the salt?",
    "signs_unbalanced": "nudges go one way more often than coins do",
    "signs_shared": "models get each other's signs: does each have a salt of its own?",
    "scores_missing": "scores of many items in the catalogue were not logged",
    "scores_missing_by_nudge": "whether a score is logged depends on the nudge: log all items, shown or not",
    "nudge_in_score": "scores know a nudge before it acts: it leaks into the raw score or a feature",
}
"""Why a stream's epoch is refused, in words; "" is not refused."""

REASONS = tuple(EXPLAINED)
"""The same by code."""

BROKEN = REASONS.index("scores_missing_by_nudge")
"""Codes from here on are about the log itself: what was seen until then cannot be believed either."""

MIN_NUDGED = 20
MOST_UNKNOWN = 0.5
MOST_MISSING = 0.05
_TOO_FAR_SD = 6.0
_PROVEN = float(np.log(1000.0))

Code = NDArray[np.int64]


class Controls:
    """Looks at the log, never at the outcome of a bet.

    Parameters
    ----------
    shape : (*streams, n)
    apart : whether each subject must have signs of its own, as models must whose nudges are to be told apart;
        slices of one model's users have the same

    Attributes
    ----------
    signs : (*shape,) of the last epoch's nudges
    attrition : capital of bets that scores go missing by the sign of this epoch's and the last one's nudge
    broken : (*streams,) the code of what broke the log, for good, or 0
    """

    def __init__(self, shape: tuple[int, ...], *, apart: bool = False) -> None:
        self._apart = apart
        self.signs = np.zeros(shape)
        self.attrition = BettingMixture((*shape[:-1], 2))
        self.broken = np.zeros(shape[:-1], np.int64)

    def judge(self, cells: EpochCells, leak: Float64) -> Code:
        """(*streams,) codes; ``leak`` is the log evidence that scores know a nudge before it acts."""
        signs = np.sign(np.nan_to_num(cells.nudge)) * cells.present
        known = cells.present & ~cells.fresh
        missing = known & ~np.isfinite(cells.raw_score)
        self._bet_on_attrition(missing, known, signs)
        nudged = np.abs(signs).sum(axis=-1)
        present = np.maximum(cells.present.sum(axis=-1), 1)
        unknown = (np.isnan(cells.nudge) & cells.present).sum(axis=-1)
        refusals = {
            "no_randomisation": nudged < MIN_NUDGED,
            "nudges_unknown": unknown > MOST_UNKNOWN * present,
            "signs_repeat": _too_far(signs * self.signs, known),
            "signs_unbalanced": _too_far(signs, cells.present),
            "signs_shared": _shared(signs, cells.present) & self._apart,
            "scores_missing": missing.sum(axis=-1) > MOST_MISSING * present,
            "scores_missing_by_nudge": log_mean_exp(self.attrition.log_evidence(), axis=-1) >= _PROVEN,
            "nudge_in_score": leak >= _PROVEN,
        }
        self.signs = signs
        code = _worst(refusals, nudged.shape)
        self.broken = np.where(self.broken > 0, self.broken, np.where(code >= BROKEN, code, 0))
        return np.where(self.broken > 0, self.broken, code)

    def forget(self) -> None:
        self.signs[...] = 0.0

    def _bet_on_attrition(self, missing: Mask, known: Mask, signs: Float64) -> None:
        count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
        surprise = (missing - missing.sum(axis=-1, keepdims=True) / count) * known
        self.attrition.update(np.stack([signs * surprise, self.signs * surprise], axis=-2))


def _too_far(products: Float64, counted: Mask) -> Mask:
    """Whether fair coins are this one-sided once in 10⁹ epochs."""
    tossed = (np.abs(products) * counted).sum(axis=-1)
    far: Mask = np.abs((products * counted).sum(axis=-1)) > _TOO_FAR_SD * np.sqrt(np.maximum(tossed, 1.0))
    return far


def _shared(signs: Float64, present: Mask) -> Mask:
    """(*streams,) subjects whose signs are those of another, or the opposite."""
    products = signs[..., :, None, :] * signs[..., None, :, :]
    alike = _too_far(products, present[..., :, None, :] & present[..., None, :, :])
    return np.asarray((alike & ~np.eye(signs.shape[-2], dtype=np.bool_)).any(axis=-1))


def _worst(refusals: dict[str, Mask], streams: tuple[int, ...]) -> Code:
    """The last of the reasons that hold."""
    code = np.zeros(streams, np.int64)
    for reason, holds in refusals.items():
        code[holds] = REASONS.index(reason)
    return code
