"""D2: does one model's score answer to another model's nudges?

Each directed edge is a D1-R of its own; e-Holm says which to believe. An edge that leads nowhere is a
warning; a hidden loop is a cycle of edges, such as both directions between two models.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from streams.feedback.answers import Answers
from streams.feedback.base import VerdictKind
from streams.feedback.cells import Mask
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64, log_mean_exp
from streams.feedback.evidence.confidence import Interval
from streams.feedback.evidence.multiple_testing import e_holm
from streams.feedback.localisation import Location, locate
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.nudges import NudgeRecord
from streams.feedback.response import Response
from streams.feedback.total_score import raw_score
from streams.feedback.watched import Watched

NAME = "cross_model"
EDGE_LEVEL = 0.005
"""At most the probability of ever believing an edge that there is not: one is enough to close a cycle."""


class CrossModel(NudgeDetector):
    """Edges between ``models``: row i, column j is the answer of model i to nudges of model j.

    Models with the same signs could not be told apart: it is blind to them.

    Parameters
    ----------
    models : at least two names
    budget : of false alarms
    allowed_gain : β that one model may have on another by declared ways, such as counters that both read;
        None: none, and β need not even be estimated
    allowed_damping : the same where the other one pushes back
    """

    apart = True

    def __init__(
        self,
        models: Sequence[str],
        budget: AlarmBudget | None = None,
        allowed_gain: float | None = None,
        allowed_damping: float = inf,
    ) -> None:
        if len(models) < 2:
            raise ValueError(f"models: {list(models)} are fewer than two")
        allowed = {} if allowed_gain is None else dict.fromkeys(models, allowed_gain)
        watched = Watched(tuple(models), tuple(models), allowed, allowed_damping)
        super().__init__(NAME, watched, raw_score, budget)
        self._between = ~np.eye(len(models), dtype=np.bool_)

    def log_evidence(self) -> Float64:
        """(*runs,) logarithm of W now, averaged over the edges between models."""
        return log_mean_exp(self._log_by_edge(), axis=-1)

    def location(self) -> Location:
        """The strongest edge: the subject answers to nudges of the value."""
        counted = self._counted()
        some = counted.any(axis=(-2, -1), keepdims=True)
        return locate(self._known().answers, np.where(some, counted, self._between))

    def edges(self) -> Mask:
        """(*runs, k, k) edges that e-Holm believes now."""
        kept = np.zeros(self._known().answers.beta.sums.shape[1:], np.bool_)
        kept[..., self._between] = e_holm(self._log_by_edge(), EDGE_LEVEL)
        return kept

    def cyclic(self) -> NDArray[np.bool_]:
        """(*runs,) whether believed edges close a cycle."""
        reached: Mask = self.edges()
        for _ in self.watched.subjects:
            reached = np.logical_or(reached, reached @ reached)
        return np.asarray(np.diagonal(reached, axis1=-2, axis2=-1).any(axis=-1))

    def spectral_radius(self) -> Float64:
        """(*runs,) of the believed edges' β; the others count as 0, or noise alone would look like a loop."""
        believed = np.where(self.edges(), self.beta().estimate, 0.0)
        radius: Float64 = np.abs(np.linalg.eigvals(believed)).max(axis=-1)
        return radius

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        kinds = super().kinds()
        leads_nowhere = (kinds == VerdictKind.LOOP_DETECTED) & ~self.cyclic()
        return np.where(leads_nowhere, VerdictKind.WARNING, kinds)

    def _log_by_edge(self) -> Float64:
        """(*runs, k (k − 1))"""
        by_edge: Float64 = self._log_by_value()[..., self._between]
        return by_edge

    def _counted(self) -> Mask:
        return super()._counted() & self._between

    def _check(self, values: Float64) -> None:
        if values.shape[-3] != len(self.watched.subjects):
            raise ValueError(
                f"cells: {values.shape[-3]} subjects are not the {len(self.watched.subjects)} models"
            )

    def _bet(self, answers: Answers, response: Response, counts: Mask, nudges: NudgeRecord) -> None:
        answers.update_across(response, counts, nudges)

    def _staked(self, nudges: NudgeRecord) -> Mask:
        """Of each model: the items that another one nudged."""
        return np.asarray((nudges.staked()[..., None, :, :] & self._between[..., None]).any(axis=-2))

    def _evidence(self, location: Location, beta: Interval) -> dict[str, object]:
        models, standing = self.watched.subjects, self._known().standing
        edges = [
            {"from": models[source], "to": models[target], "beta": float(beta.estimate[target, source])}
            for target, source in np.argwhere(self.edges()).tolist()
        ]
        source, target = models[int(location.value)], models[int(location.subject)]
        return {
            "value": f"{source} -> {target}",
            "edges": edges,
            "lag_epochs": int(location.lag_epochs),
            "cycle": bool(self.cyclic()),
            "spectral_radius": float(self.spectral_radius()),
            **self._size_of_nudges(int(location.value)),
            "epochs_refused": standing.refusals(models),
        }
