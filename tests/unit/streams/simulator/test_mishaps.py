from collections import Counter
from itertools import islice

from feature_store.schema.events import Reason, Refusal, judge_time, parse_event
from streams.simulator import mishaps

NOW_MS = 1_700_000_000_000
DAY_MS = 24 * 3_600_000


def _refusal(payload: bytes) -> Refusal | None:
    event = parse_event(payload)
    if isinstance(event, Refusal):
        return event
    return judge_time(event.event_time_ms, NOW_MS, 5 * 60_000, 30 * DAY_MS)


def test_mishaps_are_refused_for_many_different_reasons() -> None:
    reasons = {
        refusal.reason for payload, _ in islice(mishaps(1, NOW_MS), 200) if (refusal := _refusal(payload))
    }
    assert reasons >= {
        Reason.MALFORMED,
        Reason.MISSING_FIELD,
        Reason.WRONG_TYPE,
        Reason.BAD_ID,
        Reason.BAD_ACTION,
        Reason.UNKNOWN_TYPE,
        Reason.TIME_AHEAD,
        Reason.TIME_BEHIND,
    }


def test_valid_ones_are_sent_exactly_twice() -> None:
    valid = Counter(payload for payload, _ in islice(mishaps(2, NOW_MS), 400) if _refusal(payload) is None)
    assert valid
    assert set(valid.values()) <= {2, 1}
    assert list(valid.values()).count(1) <= 1


def test_the_same_seed_makes_the_same_mishaps() -> None:
    assert list(islice(mishaps(3, NOW_MS), 50)) == list(islice(mishaps(3, NOW_MS), 50))
