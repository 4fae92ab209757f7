"""Stops experiments that cost more than they may."""

from collections.abc import Callable

import structlog

from feature_store.clock import Clock
from feature_store.online.switches import Switch, SwitchStore

_log = structlog.get_logger()
_JUDGED_FROM = 100


class CostBudget:
    """Throws the switch of an experiment once its measured cost is above the budget.

    Where somebody starts it again, it is judged by what is measured from then on.

    Parameters
    ----------
    share_max : of the expected value of answers, within (0, 1]
    show : told each cost, for metrics
    """

    def __init__(
        self, store: SwitchStore, share_max: float, clock: Clock, show: Callable[[str, float], None]
    ) -> None:
        self._store = store
        self._share_max = share_max
        self._clock = clock
        self._show = show
        self._judged_from: dict[str, int] = {}
        self._thrown: set[str] = set()

    def spent(self, experiment: str, share: float, answers: int) -> None:
        """Take in what ``experiment`` costs by now; raises what the store raises.

        Parameters
        ----------
        share : of the expected value
        answers : that could have cost something, of those measured so far
        """
        self._show(experiment, share)
        if self._still_off(experiment, answers):
            return
        if share <= self._share_max or answers - self._judged_from.get(experiment, 0) < _JUDGED_FROM:
            return
        reason = f"costs {share:.2%} of the expected value of answers, more than {self._share_max:.2%}"
        _log.error("experiment_stopped", experiment=experiment, reason=reason)
        self._store.switch_off(experiment, Switch(reason, self._clock.now_ms()))
        self._thrown.add(experiment)

    def _still_off(self, experiment: str, answers: int) -> bool:
        """Whether the switch stands as it was thrown here: answers made before it are measured after it."""
        if experiment not in self._thrown:
            return False
        if experiment in self._store.read():
            return True
        self._thrown.remove(experiment)
        self._judged_from[experiment] = answers
        return False
