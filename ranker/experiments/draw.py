"""Draws the arms of a request: pure functions of ids, salts, time and the switches."""

from collections.abc import Callable

from feature_store.schema.assignments import DEPLOYS, EXPLORATION, HOLDOUT, NUDGES, SLOT
from feature_store.schema.requests import Assignment
from ranker.experiments.coins import salt_id, uniforms
from ranker.experiments.settings import ExperimentSettings
from ranker.pipeline.arms import NO_ARMS, Arms, Exploration

EXPERIMENTS = (NUDGES, EXPLORATION, HOLDOUT, DEPLOYS)
"""What can be switched off, by its name."""

Stopped = Callable[[], frozenset[str]]
"""Names of the experiments that are switched off now."""

DrawnDeploy = Callable[[int], Assignment | None]
"""What was drawn for the deploy of the period that a time, ms UTC, is in; None while nobody knows."""


def no_deploys(_now_ms: int) -> None:
    """Deploy times are not drawn."""


class Experiments:
    """What the settings ask for, as long as no switch says otherwise.

    Users of the holdout are not nudged and do not explore: they are the world without us.

    Parameters
    ----------
    stopped, deploy : asked for every request, from memory
    """

    def __init__(
        self, settings: ExperimentSettings, stopped: Stopped, deploy: DrawnDeploy = no_deploys
    ) -> None:
        self._settings = settings
        self._stopped = stopped
        self._deploy = deploy
        self._untouched = frozenset(word.strip() for word in settings.experiments_except.split(","))
        self._nudge_salt_id = salt_id(settings.nudge_salt.get_secret_value().encode())
        self._explore_salt = settings.explore_salt.get_secret_value().encode()
        self._holdout_salt = settings.holdout_salt.get_secret_value().encode()
        self._held = Assignment("holdout", settings.holdout_share)
        self._treated = Assignment("treatment", 1 - settings.holdout_share)
        self._any = bool(
            settings.nudge_delta or settings.explore_share or settings.holdout_share or settings.deploy_slots
        )

    def arms(self, request_id: str, user_id: str, surface: str, now_ms: int) -> Arms:
        """What is done to a request that came at ``now_ms``."""
        if not self._any or surface in self._untouched:
            return NO_ARMS
        stopped = self._stopped()
        assignments: dict[str, Assignment] = {}
        if HOLDOUT not in stopped and self._held_out(user_id, assignments):
            return Arms(holdout=True, assignments=assignments)
        if DEPLOYS not in stopped and (deploy := self._deploy(now_ms)) is not None:
            assignments[DEPLOYS] = deploy
        return Arms(
            nudge_epoch=None if NUDGES in stopped else self._nudge_epoch(now_ms, assignments),
            exploration=None if EXPLORATION in stopped else self._exploration(request_id, assignments),
            assignments=assignments,
        )

    def _held_out(self, user_id: str, assignments: dict[str, Assignment]) -> bool:
        share = self._settings.holdout_share
        if not share:
            return False
        held = uniforms(self._holdout_salt, user_id)[0] < share
        assignments[HOLDOUT] = self._held if held else self._treated
        return held

    def _nudge_epoch(self, now_ms: int, assignments: dict[str, Assignment]) -> int | None:
        if not self._settings.nudge_delta:
            return None
        epoch = now_ms // self._settings.nudge_epoch_ms
        assignments[NUDGES] = Assignment(f"{self._nudge_salt_id}/{epoch}", 1.0)
        return epoch

    def _exploration(self, request_id: str, assignments: dict[str, Assignment]) -> Exploration | None:
        share, positions = self._settings.explore_share, self._settings.explore_positions
        if not share:
            return None
        coin, place, draw, _ = uniforms(self._explore_salt, request_id)
        slot = int(place * positions) if coin < share else None
        drawn = ("none", 1 - share) if slot is None else (f"{SLOT}{slot}", share / positions)
        assignments[EXPLORATION] = Assignment(*drawn)
        return Exploration(share, positions, slot, draw)
