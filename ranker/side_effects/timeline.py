"""The ready timeline: a user's last answer, for whoever cannot wait for a ranking."""

from collections.abc import Sequence

from feature_store.online.timelines import TimelineStore
from ranker.side_effects.answer import Answer


class ReadyTimeline:
    """Writes each answer that holds items, in one round trip; the last one of a user wins.

    Parameters
    ----------
    ttl_s : how long a timeline is kept, s
    """

    name = "timeline"

    def __init__(self, store: TimelineStore, ttl_s: int) -> None:
        self._store = store
        self._ttl_s = ttl_s

    def apply(self, answers: Sequence[Answer]) -> None:
        """Write the timelines of ``answers``."""
        timelines = {
            answer.query.user_id: answer.payload for answer in answers if len(answer.outcome.slate.order)
        }
        if timelines:
            self._store.put(timelines, self._ttl_s)
