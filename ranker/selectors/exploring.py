"""Gives one position of some slates to a candidate drawn uniformly, and says how likely each place was.

Of the base slate b₀ … b₍s₋₁₎ over n candidates, the slot p goes to any of the n − p candidates that do not
stand before it; those from p on move down until the gap that the drawn one has left. So position q holds

- b_q before the slot; at the slot with probability 1/(n−p); behind it if the drawn one comes from between
  them, (q−p)/(n−p);
- b_(q−1) behind the slot otherwise;
- any other candidate only at the slot, 1/(n−p).
"""

from functools import lru_cache

import numpy as np

from ranker.pipeline.arms import Exploration
from ranker.pipeline.batch import CandidateBatch, Float64, Index
from ranker.pipeline.components import Selector
from ranker.pipeline.outcome import Slate
from ranker.pipeline.query import Query


class Exploring:
    """A deterministic selector that explores where the request's arms say so.

    Parameters
    ----------
    base : its propensities are 1. Rules that it keeps between neighbours do not bind the slot
    """

    def __init__(self, base: Selector) -> None:
        self._base = base

    def select(self, query: Query, batch: CandidateBatch, published: Float64) -> Slate:
        """At most ``query.limit`` candidates, each with the probability of standing where it does."""
        slate = self._base.select(query, batch, published)
        exploration = query.arms.exploration
        if exploration is None:
            return slate
        shown = explored(slate.order, len(batch), exploration)
        return Slate(shown, propensities(slate.order, shown, len(batch), exploration))


def explored(base: Index, n: int, exploration: Exploration) -> Index:
    """(s,) the slate that is shown instead of ``base``, over ``n`` candidates."""
    slot = exploration.slot
    if slot is None or slot >= len(base):
        return base
    behind = base[slot:]
    others = np.setdiff1d(np.arange(n), base)
    drawn = int(exploration.draw * (n - slot))
    chosen = behind[drawn] if drawn < len(behind) else others[drawn - len(behind)]
    shown = np.concatenate((base[:slot], [chosen], behind[behind != chosen]))
    return shown[: len(base)].astype(np.intp)


def propensities(base: Index, shown: Index, n: int, exploration: Exploration) -> Float64:
    """(s,) probability of each item of ``shown`` at its position."""
    stays, moves, drawn = _chances(len(base), n, exploration.share, exploration.positions)
    if shown is base:
        return stays
    moved_from = np.concatenate(([-1], base[:-1]))[: len(base)]
    return np.where(shown == base, stays, np.where(shown == moved_from, moves, drawn))


@lru_cache(4_096)
def _chances(s: int, n: int, share: float, positions: int) -> tuple[Float64, Float64, Float64]:
    """(s,) each: of b_q at q, of b_(q-1) at q, and of any one other candidate at q."""
    position = np.arange(s)
    slots = np.arange(min(positions, s))
    each = share / positions
    before = slots[None, :] < position[:, None]
    stays = np.where(before, (position[:, None] - slots) / (n - slots), 0.0).sum(axis=1)
    moves = before.sum(axis=1) - stays
    drawn = np.where(position < len(slots), 1.0 / (n - position), 0.0)
    untouched = positions - before.sum(axis=1) - (position < len(slots))
    stays_all = (1 - share) + each * (untouched + drawn + stays)
    return stays_all, each * moves, each * drawn
