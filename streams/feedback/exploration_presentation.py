"""D3, presentation: is an item clicked more because of how the ranker presents it?

The same item, shown by chance and shown by choice. What differs is the presentation, so that this finds
effects of place and prominence, never a selection loop: what people do with an item does not depend on
why it was shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import Estimate, State, Verdict
from streams.feedback.capture import capture, reinstate
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.peak import Peak

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_EXPLORED = 1000
"""Clusters with an explored row before the first look: the evidence rests on the central limit theorem."""

BLIND_AFTER_EPOCHS = 20
_TUNED_TO = 1_000.0
_STATE = ("sums", "peak.bets", "peak.idle", "peak.highest")


@dataclass(frozen=True, slots=True)
class ExplorationRows:
    """Exposures of one epoch, m rows.

    Attributes
    ----------
    explored : (m,) chosen by chance
    click : (m,) 1 where it was clicked
    expected : (m,) click rate of the item, known before the epoch
    cluster : (m,) number of the unit that was assigned: the user where users are, the row where slots are.
        Units are assigned anew in each epoch; a unit assigned once and for all is one cluster for ever, and
        must come with all its rows at once
    propensity : (m,) probability with which the row is explored, logged, within (0, 1)
    """

    explored: Mask
    click: Float64
    expected: Float64
    cluster: NDArray[np.intp]
    propensity: Float64

    def __post_init__(self) -> None:
        if not ((self.propensity > 0) & (self.propensity < 1)).all():
            raise ValueError("propensity: not all are within (0, 1)")


class PresentationDetector:
    """Evidence that the mean of clusters' weighted residuals is not 0.

    A row's residual is weighted by 1 where it was explored and by −π/(1 − π) where not, so that each
    cluster's sum has mean 0 if presentation does nothing. Evidence is the normal mixture behind the
    asymptotic confidence sequence (Waudby-Smith et al., arXiv 2103.06476), over clusters.

    Parameters
    ----------
    budget : of false alarms

    Attributes
    ----------
    sums : (5,) clusters with an explored row, all clusters, explored rows, Σx and Σx² over the clusters
    """

    name = "D3-presentation"

    def __init__(self, budget: AlarmBudget | None = None) -> None:
        self.budget = budget or AlarmBudget()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.sums = np.zeros(5)
        self.peak = Peak((), BLIND_AFTER_EPOCHS)

    def update(self, observation: ExplorationRows) -> None:
        """Take in the next epoch."""
        explored, propensity = observation.explored, observation.propensity
        share = np.where(explored, 1.0, -propensity / (1 - propensity))
        residual = (observation.click - observation.expected) * share
        unit, cluster = np.unique(observation.cluster, return_inverse=True)
        per_cluster = np.bincount(cluster, weights=residual, minlength=len(unit))
        exploring = np.count_nonzero(np.bincount(cluster, weights=explored, minlength=len(unit)))
        sums = exploring, len(unit), explored.sum(), per_cluster.sum(), np.square(per_cluster).sum()
        self.sums += np.array(sums, np.float64)
        self.peak.note(self.log_evidence(), np.asarray(explored.any()))

    def log_evidence(self) -> Float64:
        """ln W of an effect, in either direction; 0 before :data:`MIN_EXPLORED`."""
        exploring, clusters, _, total, squares = self.sums
        spread = squares - total * total / max(clusters, 1.0)
        if exploring < MIN_EXPLORED or spread <= 0:
            return np.zeros(())
        mixed = exploring / _TUNED_TO
        z_squared = total * total / spread
        return np.asarray(z_squared / 2 * mixed / (mixed + 1) - np.log(mixed + 1) / 2)

    def verdict(self, now_ms: int) -> Verdict:
        """With the effect of exploring a row on its click rate as ``beta``."""
        return self.peak.verdict(
            self.name,
            self.budget,
            now_ms,
            lacking="no rows were explored",
            evidence={"explored_rows": int(self.sums[2]), "clusters": int(self.sums[1])},
            effect=self._effect(),
        )

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)

    def _effect(self) -> Estimate | None:
        """Clicks per explored row, less those had it been chosen, with its 95 % confidence sequence."""
        exploring, clusters, rows, total, squares = self.sums
        if exploring < MIN_EXPLORED:
            return None
        mixed = exploring / _TUNED_TO
        spread = squares - total * total / clusters
        margin = np.sqrt(spread * (mixed + 1) / mixed * (np.log(mixed + 1) + 2 * np.log(1 / 0.05)))
        return Estimate(*(float(value / rows) for value in (total, total - margin, total + margin)))
