"""A RankLens log as the stack sees it: item events, then moment after moment of requests and feedback."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from eddyline.replay.ranklens import (
    Interaction,
    Item,
    Ranking,
    RankLensLog,
    attributes_of,
    creator_of,
    time_ms,
)
from feature_store.schema.events import Event, ImpressionEvent, InteractionEvent, ItemEvent
from feature_store.schema.requests import RankRequest

SURFACE = "replay"
"""Surface without filters and diversity: all that was shown is ranked."""

_E = TypeVar("_E", Ranking, Interaction)


@dataclass(frozen=True)
class Moment:
    """Everything that the log has at one time.

    Nothing in it is earlier than anything else: its requests know all earlier moments, and nothing of it.
    """

    requests: list[RankRequest]
    events: list[Event]


@dataclass(frozen=True)
class Script:
    """Turns a log into the events and requests of one pass.

    Parameters
    ----------
    log : what happened
    shift_ms : added to every time
    namespace : put before every id, so that a pass has state of its own
    attributed : whether feedback names the ranking that it answers; without, it is organic: it counts in
        features, and no exposure joins it to what this pass served
    """

    log: RankLensLog
    shift_ms: int
    namespace: str = ""
    attributed: bool = True

    @property
    def items(self) -> list[ItemEvent]:
        """The item events."""
        return [self._item(item) for item in self.log.items]

    def moments(self) -> Iterator[Moment]:
        """The rest, in time order."""
        rankings, interactions = _by_time(self.log.rankings), _by_time(self.log.interactions)
        for at in sorted(rankings.keys() | interactions.keys()):
            shown, done = rankings.get(at, []), interactions.get(at, [])
            seen = [impression for ranking in shown for impression in self._impressions(ranking)]
            asked = [self._request(ranking) for ranking in shown]
            yield Moment(asked, [*map(self._interaction, done), *seen])

    @property
    def size(self) -> int:
        """How many events :attr:`items` and :meth:`moments` make."""
        shown = sum(len(ranking.items) for ranking in self.log.rankings)
        return len(self.log.items) + shown + len(self.log.interactions)

    def _time(self, event: Item | Ranking | Interaction) -> int:
        return time_ms(event) + self.shift_ms

    def _own(self, name: str) -> str:
        return self.namespace + name

    def _item(self, item: Item) -> ItemEvent:
        creator = creator_of(item)
        return ItemEvent(
            event_id=self._own(item.id),
            event_time_ms=self._time(item),
            item_id=self._own(item.item),
            creator_id=None if creator is None else self._own(creator),
            attributes=attributes_of(item),
        )

    def _request(self, ranking: Ranking) -> RankRequest:
        return RankRequest(
            request_id=self._own(ranking.id),
            user_id=self._own(ranking.user),
            event_time_ms=self._time(ranking),
            surface=SURFACE,
            candidates=[self._own(shown.id) for shown in ranking.items],
            limit=len(ranking.items),
        )

    def _impressions(self, ranking: Ranking) -> Iterator[ImpressionEvent]:
        """The order shown was random: any item had the same chance of any position."""
        for position, shown in enumerate(ranking.items):
            yield ImpressionEvent(
                event_id=self._own(f"{ranking.id}-{position}"),
                event_time_ms=self._time(ranking),
                user_id=self._own(ranking.user),
                item_id=self._own(shown.id),
                request_id=self._answers(ranking.id),
                position=position,
                propensity=1 / len(ranking.items),
            )

    def _interaction(self, interaction: Interaction) -> InteractionEvent:
        return InteractionEvent(
            event_id=self._own(interaction.id),
            event_time_ms=self._time(interaction),
            user_id=self._own(interaction.user),
            item_id=self._own(interaction.item),
            action=interaction.type,
            request_id=self._answers(interaction.ranking),
        )

    def _answers(self, ranking_id: str) -> str | None:
        return self._own(ranking_id) if self.attributed else None


def _by_time(events: Sequence[_E]) -> dict[int, list[_E]]:
    found: dict[int, list[_E]] = defaultdict(list)
    for event in events:
        found[time_ms(event)].append(event)
    return found
