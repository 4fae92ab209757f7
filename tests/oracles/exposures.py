"""The exposure join, written naively: lists, loops, and the definition of each window spelled out."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """A message of `rank.served`: what one request was answered with."""

    time_ms: int
    user: str
    request: str
    items: tuple[str, ...]
    scored_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """A row of `batches.feedback`; ``action`` None: an impression."""

    user: str
    request: str | None
    item: str
    action: str | None
    value: float
    event_time_ms: int


@dataclass(frozen=True)
class Feedback:
    """A message of `batches.feedback`."""

    time_ms: int
    events: tuple[Event, ...]


@dataclass
class Joined:
    """One exposure: the answer it belongs to, and all its interactions in log order."""

    offset: int
    time_ms: int
    impression: Event
    answer: int | None
    outcomes: list[tuple[int, Event]] = field(default_factory=list)
    on_time: int = 0


@dataclass
class Expected:
    """What the join has to say of two logs."""

    exposures: list[Joined]
    orphan_interactions: int
    repeated_impressions: int
    repeated_answers: int


def join(answers: list[Answer], feedback: list[Feedback], close_ms: int, late_ms: int) -> Expected:
    """Join whole logs, whose times never go back; an answer's offset is its place in the list."""
    first_answers = [
        offset
        for offset, answer in enumerate(answers)
        if not any(_same_request(answer, earlier, late_ms) for earlier in answers[:offset])
    ]
    exposures, repeated = _impressions(feedback, late_ms)
    for exposure in exposures:
        exposure.answer = _answer(exposure, answers, first_answers, close_ms, late_ms)
    orphans = _attach(exposures, feedback, close_ms, late_ms)
    return Expected(exposures, orphans, repeated, len(answers) - len(first_answers))


def _same_request(answer: Answer, earlier: Answer, late_ms: int) -> bool:
    same = (answer.user, answer.request) == (earlier.user, earlier.request)
    return same and answer.time_ms - earlier.time_ms <= late_ms


def _impressions(feedback: list[Feedback], late_ms: int) -> tuple[list[Joined], int]:
    exposures, repeated = [], 0
    seen: list[tuple[int, Event]] = []
    for offset, message in enumerate(feedback):
        for event in message.events:
            if event.action is not None:
                continue
            if any(_key(event) == _key(other) and message.time_ms - at <= late_ms for at, other in seen):
                repeated += 1
            else:
                exposures.append(Joined(offset, message.time_ms, event, None))
            seen.append((message.time_ms, event))
    return exposures, repeated


def _answer(
    exposure: Joined, answers: list[Answer], first_answers: list[int], close_ms: int, late_ms: int
) -> int | None:
    event = exposure.impression
    known = [
        offset
        for offset in first_answers
        if answers[offset].time_ms <= exposure.time_ms + close_ms
        and (answers[offset].user, answers[offset].request) == (event.user, event.request)
        and event.item in answers[offset].items
    ]
    return known[-1] if known and answers[known[-1]].time_ms >= exposure.time_ms - late_ms else None


def _attach(exposures: list[Joined], feedback: list[Feedback], close_ms: int, late_ms: int) -> int:
    orphans = 0
    for offset, message in enumerate(feedback):
        for event in message.events:
            if event.action is None:
                continue
            mine = [
                exposure
                for exposure in exposures
                if _key(exposure.impression) == _key(event)
                and exposure.time_ms - close_ms <= message.time_ms <= exposure.time_ms + late_ms
            ]
            orphans += not mine
            if mine:
                mine[0].outcomes.append((offset, event))
                mine[0].on_time += message.time_ms <= mine[0].time_ms + close_ms
    return orphans


def _key(event: Event) -> tuple[str, str | None, str]:
    return event.user, event.request, event.item
