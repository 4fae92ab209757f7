"""A rank request as the stages see it."""

from dataclasses import dataclass

from ranker.pipeline.arms import NO_ARMS, Arms
from ranker.pipeline.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Query:
    """Who asks for what, and as of when.

    Attributes
    ----------
    request_id, user_id, surface : as in the request
    candidates : item ids the caller named, duplicates included; None: the surface's sources
    limit : items wanted at most
    finalize_time_ms : the moment that features are finalized for
    sampled : whether every candidate's features are logged, not only the served ones
    deadline : what is left of the request's time
    arms : what experiments do to it
    """

    request_id: str
    user_id: str
    surface: str
    candidates: list[str] | None
    limit: int
    finalize_time_ms: int
    sampled: bool
    deadline: Deadline
    arms: Arms = NO_ARMS
