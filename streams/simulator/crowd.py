"""What the users of a `World` do: they come, look at what they are shown, and react."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.schema.events import Event, ImpressionEvent, InteractionEvent
from feature_store.schema.requests import RankRequest, RankResponse
from streams.simulator.world import Float, Index, World

_LIKE_LOGIT = -1.0
_HIDE_LOGIT = -3.5
_HIDE_PROBABILITY = 0.05
_DWELL_S_MEDIAN = 20.0


@dataclass(frozen=True)
class Visits:
    """Users asking at one moment.

    Attributes
    ----------
    user : (n,) index of the user of each visit
    candidates : (n, k) indices of the items to choose from
    requests : (n) what to ask the ranker
    """

    user: Index
    candidates: Index
    requests: list[RankRequest]


class Crowd:
    """Draws visits and reactions; the same seed and the same answers give the same events.

    Parameters
    ----------
    world : the truth
    seed : of all that is left to chance here
    surface : of the requests
    candidates : items to choose from, per visit
    slate : items asked for, per visit
    """

    def __init__(
        self, world: World, seed: int, *, surface: str = "home", candidates: int = 60, slate: int = 10
    ) -> None:
        self._world = world
        self._rng = np.random.default_rng([seed, 1])
        self._surface = surface
        self._candidates = candidates
        self._slate = slate
        self._visits = 0
        self._events = 0

    def visits(self, count: int, now_ms: int) -> Visits:
        """``count`` users come; each is to be ranked some items drawn at random."""
        world = self._world
        user = self._rng.choice(len(world.user_ids), size=count, p=world.activity)
        order = self._rng.random((count, len(world.item_ids))).argpartition(self._candidates, axis=1)
        candidates = order[:, : self._candidates]
        requests = [self._request(int(one), row, now_ms) for one, row in zip(user, candidates, strict=True)]
        return Visits(user, candidates, requests)

    def reactions(self, visits: Visits, responses: Sequence[RankResponse | None], now_ms: int) -> list[Event]:
        """Impressions of all that was answered, then clicks, dwells, likes and hides.

        ``responses`` has one per visit, None where there was no answer. Chance is drawn for a full
        slate whatever was answered, so that one missing answer changes nobody else's behaviour.
        """
        chance = self._rng.random((4, len(responses), self._slate))
        events: list[Event] = []
        for row, response in enumerate(responses):
            if response is not None:
                events += self._reaction(int(visits.user[row]), response, chance[:, row], now_ms)
        return events

    def history(self, count: int, now_ms: int, span_ms: int) -> Iterator[Event]:
        """``count`` organic impressions of random items, evenly over the last ``span_ms``, and clicks."""
        world = self._world
        user = self._rng.choice(len(world.user_ids), size=count, p=world.activity)
        item = self._rng.integers(len(world.item_ids), size=count)
        position = self._rng.integers(self._slate, size=count)
        probability = _sigmoid(world.click_logit[user, item]) * examination(self._slate)[position]
        clicked = self._rng.random(count) < probability
        times = now_ms - span_ms + np.arange(count) * span_ms // count
        for one, what, where, acts, at in zip(
            user.tolist(), item.tolist(), position.tolist(), clicked.tolist(), times.tolist(), strict=True
        ):
            yield self._impression(one, what, where, at, None)
            if acts:
                yield self._interaction(one, what, "click", 1.0, at, None)

    def _request(self, user: int, candidates: Index, now_ms: int) -> RankRequest:
        self._visits += 1
        return RankRequest(
            request_id=f"visit-{self._visits}",
            user_id=self._world.user_ids[user],
            event_time_ms=now_ms,
            surface=self._surface,
            candidates=[self._world.item_ids[item] for item in candidates.tolist()],
            limit=self._slate,
        )

    def _reaction(self, user: int, response: RankResponse, chance: Float, now_ms: int) -> list[Event]:
        request_id = response.request_id
        items = [self._world.index_of_item[ranked.item_id] for ranked in response.items]
        logit = self._world.click_logit[user, items]
        like, hide, click, dwell = chance[:, : len(items)]
        clicked = click < _sigmoid(logit) * examination(self._slate)[: len(items)]
        liked = clicked & (like < _sigmoid(logit - _LIKE_LOGIT - 1))
        hidden = ~clicked & (logit < _HIDE_LOGIT) & (hide < _HIDE_PROBABILITY)
        dwell_s = _DWELL_S_MEDIAN * np.exp(logit / 2 + dwell)
        shown: list[Event] = [
            self._impression(user, item, position, now_ms, request_id) for position, item in enumerate(items)
        ]
        for position in np.flatnonzero(clicked | hidden).tolist():
            actions = _actions(clicked[position], liked[position], float(dwell_s[position]))
            shown += [
                self._interaction(user, items[position], action, value, now_ms + 1, request_id)
                for action, value in actions
            ]
        return shown

    def _impression(
        self, user: int, item: int, position: int, at_ms: int, request_id: str | None
    ) -> ImpressionEvent:
        return ImpressionEvent(
            event_id=self._event_id(),
            event_time_ms=at_ms,
            user_id=self._world.user_ids[user],
            item_id=self._world.item_ids[item],
            request_id=request_id,
            position=position,
        )

    def _interaction(
        self, user: int, item: int, action: str, value: float, at_ms: int, request_id: str | None
    ) -> InteractionEvent:
        return InteractionEvent(
            event_id=self._event_id(),
            event_time_ms=at_ms,
            user_id=self._world.user_ids[user],
            item_id=self._world.item_ids[item],
            request_id=request_id,
            action=action,
            value=value,
        )

    def _event_id(self) -> str:
        self._events += 1
        return f"event-{self._events}"


def examination(slate: int) -> Float:
    """Probability that a user looks at each position of a slate, (slate,): less and less further down."""
    probability: Float = 1 / np.sqrt(1 + np.arange(slate) / 2)
    return probability


def _actions(clicked: bool, liked: bool, dwell_s: float) -> list[tuple[str, float]]:
    if not clicked:
        return [("hide", 1.0)]
    actions = [("click", 1.0), ("dwell", round(dwell_s, 1))]
    return [*actions, ("like", 1.0)] if liked else actions


def _sigmoid(logit: Float) -> Float:
    probability: Float = 1 / (1 + np.exp(-logit))
    return probability
