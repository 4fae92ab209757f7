"""Orders that need no ranker: as displayed, by popularity, and by counting in the log itself."""

from collections import Counter

from eddyline.replay.moments import Script
from eddyline.replay.ranklens import RankLensLog, popularity_of
from feature_store.schema.events import ImpressionEvent, InteractionEvent

Orders = list[list[str]]
"""Item ids of each ranking, best first, in the order of `RankLensLog.rankings`."""


def displayed(log: RankLensLog) -> Orders:
    """As people saw them: at random."""
    return [[shown.id for shown in ranking.items] for ranking in log.rankings]


def by_popularity(log: RankLensLog) -> Orders:
    """The most popular first; unknown items last."""
    popularity = {item.item: popularity_of(item) for item in log.items}
    return [sorted(order, key=lambda item: -popularity.get(item, 0.0)) for order in displayed(log)]


def by_counting(log: RankLensLog) -> Orders:
    """By ``(clicks + 1) / (impressions + 8)`` of each item at that moment, counted here, exactly.

    What the counter-only model must come to, if no event is lost or counted twice on its way.
    """
    shown: Counter[str] = Counter()
    clicks: Counter[str] = Counter()

    def rate(item: str) -> float:
        return (clicks[item] + 1) / (shown[item] + 8)

    orders: Orders = []
    for moment in Script(log, shift_ms=0).moments():
        orders += [sorted(request.candidates or (), key=rate, reverse=True) for request in moment.requests]
        for event in moment.events:
            if isinstance(event, ImpressionEvent):
                shown[event.item_id] += 1
            elif isinstance(event, InteractionEvent) and event.action == "click":
                clicks[event.item_id] += 1
    return orders


def clicked(log: RankLensLog) -> list[set[str]]:
    """What was clicked in each ranking, in time order."""
    clicks: dict[str, set[str]] = {ranking.id: set() for ranking in log.rankings}
    for interaction in log.interactions:
        if interaction.type == "click" and interaction.ranking in clicks:
            clicks[interaction.ranking].add(interaction.item)
    return list(clicks.values())
