"""Users with tastes, slots explored by chance, items that are clicked more where the ranker chose them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streams.feedback.exploration_presentation import ExplorationRows

_RATE, _MOST = 0.05, 0.9


@dataclass(frozen=True, slots=True)
class PresentationScale:
    """How large the world is.

    Attributes
    ----------
    users, slots : users in an epoch, and items that each of them sees
    exploration : chance that a unit explores
    by_user : whether users are assigned; otherwise slots
    effect : how much more, relatively, an item is clicked where the ranker chose it
    user_sd : spread of the logarithm of users' click rates
    """

    users: int = 1250
    slots: int = 20
    exploration: float = 0.05
    by_user: bool = False
    effect: float = 0.0
    user_sd: float = 0.5


def presentation_rows(scale: PresentationScale, seed: int, epochs: int) -> Iterator[ExplorationRows]:
    """The epochs of one seed."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(scale.users), scale.slots)
    unit = user if scale.by_user else np.arange(len(user))
    for _ in range(epochs):
        explored = (rng.random(unit[-1] + 1) < scale.exploration)[unit]
        taste = np.exp(rng.normal(-(scale.user_sd**2) / 2, scale.user_sd, scale.users))[user]
        rate = _RATE * taste * np.where(explored, 1.0, 1.0 + scale.effect)
        click = (rng.random(len(user)) < np.minimum(rate, _MOST)).astype(np.float64)
        expected, chance = np.full(len(user), _RATE), np.full(len(user), scale.exploration)
        yield ExplorationRows(explored, click, expected, unit, chance)
