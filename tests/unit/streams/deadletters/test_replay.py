"""Each dead letter is sent again once, whatever happens in between."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.outbound import Outbound
from feature_store.schema.topics import EVENTS
from streams.deadletters import DeadLetter, Replayed, replay_dead_letters

STEP = 10_000
"""Letters between two savings of the positions."""


class Remembered:
    """Positions in memory."""

    def __init__(self) -> None:
        self.of: dict[str, dict[int, int]] = {}

    def load(self, reason: str) -> Mapping[int, int]:
        return self.of.get(reason, {})

    def save(self, reason: str, positions: Mapping[int, int]) -> None:
        self.of[reason] = {**self.load(reason), **positions}


class Events:
    """Takes events until, after so many flushes, the broker is gone."""

    def __init__(self, flushes: int = 100) -> None:
        self.sent: list[Outbound] = []
        self._left = flushes

    def produce(self, message: Outbound) -> None:
        self.sent.append(message)

    def flush(self) -> None:
        if not self._left:
            raise ConnectionError("broker is gone")
        self._left -= 1


def letter(offset: int, event: str = "", reason: str = "time_ahead", **fields: object) -> DeadLetter:
    known: dict[str, object] = {
        "partition": 0,
        "offset": offset,
        "reason": reason,
        "field": "",
        "message": "",
        "source_partition": 3,
        "source_offset": offset,
        "time_ms": 0,
        "key": b"u",
        "value": (event or f"event {offset}").encode(),
        "truncated": False,
    }
    return DeadLetter(**(known | fields))  # type: ignore[arg-type]


def replayed(
    letters: list[DeadLetter], positions: Remembered, *, again: bool = False
) -> tuple[Replayed, list[bytes | None]]:
    events = Events()
    outcome = replay_dead_letters(letters, events, positions, again=again)
    return outcome, [message.value for message in events.sent]


def test_only_letters_that_came_since_the_last_replay_are_sent() -> None:
    positions, letters = Remembered(), [letter(0), letter(1)]
    assert replayed(letters, positions) == (Replayed(sent=2), [b"event 0", b"event 1"])
    assert replayed(letters, positions) == (Replayed(before=2), [])
    assert replayed([*letters, letter(2)], positions) == (Replayed(sent=1, before=2), [b"event 2"])


def test_each_reason_and_each_partition_has_a_position_of_its_own() -> None:
    positions = Remembered()
    replayed([letter(5), letter(7, partition=1)], positions)
    assert positions.of == {"time_ahead": {0: 6, 1: 8}}
    others = [letter(4, reason="bad_id"), letter(4), letter(8, partition=1)]
    assert replayed(others, positions) == (Replayed(sent=2, before=1), [b"event 4", b"event 8"])
    assert positions.of == {"time_ahead": {0: 6, 1: 9}, "bad_id": {0: 5}}


def test_what_was_replayed_is_sent_again_only_when_asked_for() -> None:
    positions, letters = Remembered(), [letter(0), letter(1)]
    replayed(letters, positions)
    assert replayed(letters, positions, again=True)[0] == Replayed(sent=2)
    replayed(letters[:1], positions, again=True)
    assert positions.of == {"time_ahead": {0: 2}}


@pytest.mark.parametrize("again", [False, True])
def test_an_event_that_is_refused_each_time_is_sent_once_by_each_replay(again: bool) -> None:
    positions, letters = Remembered(), [letter(0, "a"), letter(1, "b")]
    for _ in range(5):
        _, values = replayed(letters, positions, again=again)
        assert sorted(str(value) for value in values) == ["b'a'", "b'b'"]
        letters += [letter(len(letters) + i, (value or b"").decode()) for i, value in enumerate(values)]


def test_what_is_kept_in_part_is_left_out() -> None:
    assert replayed([letter(0, truncated=True), letter(1)], Remembered()) == (
        Replayed(sent=1, truncated=1),
        [b"event 1"],
    )


def test_nothing_counts_as_replayed_before_the_broker_has_it() -> None:
    positions, letters = Remembered(), [letter(offset) for offset in range(STEP + 2)]
    with pytest.raises(ConnectionError):
        replay_dead_letters(letters, Events(flushes=0), positions)
    assert positions.of == {}
    with pytest.raises(ConnectionError):
        replay_dead_letters(letters, Events(flushes=1), positions)
    assert replayed(letters, positions)[0] == Replayed(sent=2, before=STEP)


def test_an_event_keeps_its_key_and_without_one_its_partition() -> None:
    events = Events()
    replay_dead_letters([letter(0), letter(1, key=None)], events, Remembered())
    assert events.sent == [
        Outbound(EVENTS, b"event 0", key=b"u"),
        Outbound(EVENTS, b"event 1", partition=3),
    ]


@given(st.lists(st.tuples(st.sampled_from(["bad_id", "time_ahead"]), st.integers(0, 2))), st.data())
def test_replays_at_any_moments_send_each_letter_once(
    kinds: list[tuple[str, int]], data: st.DataObject
) -> None:
    letters = [letter(n, reason=reason, partition=part) for n, (reason, part) in enumerate(kinds)]
    positions, sent = Remembered(), list[bytes | None]()
    for end in [*sorted(data.draw(st.lists(st.integers(0, len(letters))))), len(letters)]:
        sent += replayed(letters[:end], positions)[1]
    assert sent == [each.value for each in letters]
