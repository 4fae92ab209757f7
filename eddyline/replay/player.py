"""Plays moments through the stack: publish, wait for the rows, ask, publish what was seen and done."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eddyline.clients.ranking import Answer
from eddyline.replay.moments import Moment
from eddyline.replay.pace import Pace
from feature_store.schema.events import Event
from feature_store.schema.requests import RankRequest, RankResponse


class RankingFailed(RuntimeError):  # noqa: N818  (a state of the world)
    """A request of the replay got no ranking; the message has the ranker's words."""


class Publisher(Protocol):
    """Where events go."""

    def publish(self, events: Sequence[Event]) -> None:
        """Hand events over for sending."""

    def flush(self) -> None:
        """Wait until all of them are in the log."""


class Ranker(Protocol):
    """Who is asked for timelines."""

    def rank(self, requests: Sequence[RankRequest]) -> list[Answer]:
        """The answers in the order of the requests."""


@dataclass
class Played:
    """What a pass got: the answers in time order, and how long each took (ms, on this side)."""

    responses: list[RankResponse] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)

    def add(self, request: RankRequest, answer: Answer) -> None:
        """Keep one answer.

        Raises
        ------
        RankingFailed
            When it is none.
        """
        if answer.response is None:
            raise RankingFailed(f"request {request.request_id}: {answer.problem}")
        self.responses.append(answer.response)
        self.latency_ms.append(answer.latency_ms)


class Player:
    """Plays the moments of a script.

    Parameters
    ----------
    publisher, ranker : the stack's doors
    pace : called before events are published
    advanced : called with how many more events have been published
    """

    def __init__(
        self, publisher: Publisher, ranker: Ranker, pace: Pace, advanced: Callable[[int], None]
    ) -> None:
        self._publisher = publisher
        self._ranker = ranker
        self._pace = pace
        self._advanced = advanced

    def announce(self, items: Sequence[Event]) -> None:
        """Publish item events."""
        self._publish(items)
        self._publisher.flush()

    def play(self, moments: Iterable[Moment], covered: Callable[[], None]) -> Played:
        """Play ``moments``; ``covered`` returns when rows cover all that was published (or at once).

        Raises
        ------
        RankingFailed
            When a request gets no ranking.
        """
        played = Played()
        for moment in moments:
            if moment.requests:
                self._publisher.flush()
                covered()
                answers = self._ranker.rank(moment.requests)
                for request, answer in zip(moment.requests, answers, strict=True):
                    played.add(request, answer)
            self._publish(moment.events)
        self._publisher.flush()
        return played

    def _publish(self, events: Sequence[Event]) -> None:
        self._pace.wait(len(events))
        self._publisher.publish(events)
        self._advanced(len(events))
