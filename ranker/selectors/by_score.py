"""The deterministic selector: best published score first, one creator never too dense."""

import heapq

import numpy as np

from feature_store.schema.ids import hash53
from ranker.pipeline.batch import CandidateBatch, Float64, Index, Int64
from ranker.pipeline.outcome import Slate
from ranker.pipeline.query import Query

_MIX = np.uint64(0x9E3779B97F4A7C15)


class ByScore:
    """Sorts by published score; what is not finite sinks.

    Equal scores are ordered by a hash of (request, item): the same for every permutation of the
    candidates, another for every request, so that no item is favoured for ever.

    Parameters
    ----------
    most_per_creator : how many items of one creator may stand among ``window`` neighbours;
        0: any number
    window : neighbours looked at, this position included
    """

    def __init__(self, most_per_creator: int = 0, window: int = 0) -> None:
        self._most_per_creator = most_per_creator
        self._window = window

    def select(self, query: Query, batch: CandidateBatch, published: Float64) -> Slate:
        """At most ``query.limit`` candidates; propensities are 1, as nothing here is random."""
        order = best_first(published, batch.item_hash, hash53(query.request_id))
        if 0 < self._most_per_creator < self._window:
            creators = batch.creator_hash[order].tolist()
            order = order[spread(creators, query.limit, self._most_per_creator, self._window)]
        order = order[: query.limit]
        return Slate(order, np.ones(len(order)))


def best_first(scores: Float64, item_hash: Int64, seed: int) -> Index:
    """Positions by falling score; not finite last; ties by ``seed`` and item."""
    sinking = np.where(np.isfinite(scores), -scores, np.inf)
    ties = ((item_hash.astype(np.uint64) ^ np.uint64(seed)) * _MIX) >> np.uint64(11)
    return np.lexsort((ties, sinking))


def spread(creators: list[int], limit: int, most: int, window: int) -> list[int]:
    """The best ``limit`` places of a sorted list, with at most ``most`` of a creator in any ``window``.

    Greedy: each position takes the best place left whose creator may stand there; when none may,
    the best place left. Creator 0 is none and never too dense.

    Returns
    -------
    places in ``creators``, in their new order
    """
    waiting = _places_by_creator(creators)
    heads = [(places[-1], creator) for creator, places in waiting.items()]
    heapq.heapify(heads)
    slate: list[int] = []
    while heads and len(slate) < limit:
        recent = [creators[place] for place in slate[-(window - 1) :]]
        place, creator = _pop_allowed(heads, recent, most)
        slate.append(place)
        waiting[creator].pop()
        if waiting[creator]:
            heapq.heappush(heads, (waiting[creator][-1], creator))
    return slate


def _places_by_creator(creators: list[int]) -> dict[int, list[int]]:
    """Places of each creator, best last."""
    places: dict[int, list[int]] = {}
    for place in range(len(creators) - 1, -1, -1):
        places.setdefault(creators[place], []).append(place)
    return places


def _pop_allowed(heads: list[tuple[int, int]], recent: list[int], most: int) -> tuple[int, int]:
    """The best head whose creator stands fewer than ``most`` times in ``recent``, else the best."""
    passed: list[tuple[int, int]] = []
    while heads:
        head = heapq.heappop(heads)
        if head[1] == 0 or recent.count(head[1]) < most:
            break
        passed.append(head)
    else:
        head = passed.pop(0)
    for other in passed:
        heapq.heappush(heads, other)
    return head
