"""State that cannot be continued is refused with what to do, and doing it works."""

from functools import cache

import msgspec
import pytest

from streams.feedback.production.checkpoint import VIEW, LoopStore
from streams.processors.start import CannotStart
from tests.unit.streams.feedback.production.detectors_in_memory import (
    GRACE_MS,
    DeadlyStore,
    Detectors,
    bits,
    detected,
    end_ms,
    logs_of,
)
from tests.unit.streams.feedback.production.loop_log import LoopWorld

WORLD = LoopWorld(gain=0.5, epochs=5, items=40, exposures=100)
POINTER = "checkpoint"


@cache
def calm():
    """What detectors know that read the world to its end undisturbed."""
    return bits(detected(WORLD)[0])


@pytest.fixture
def store():
    """What detectors left that read the beginning of the world."""
    store = DeadlyStore()
    Detectors(logs_of(WORLD), store, WORLD.epoch_ms).read((WORLD.first_epoch + 3) * WORLD.epoch_ms + GRACE_MS)
    return store


def overwrite(store, name, payload):
    owner = store.claim(VIEW, 0)
    store.put_rows(VIEW, 0, owner.epoch, 1, [(name, payload)])


def pointer_with(store, **fields):
    checkpoint, _ = LoopStore(store).peek()
    return msgspec.json.encode(msgspec.structs.replace(checkpoint, **fields))


def test_what_is_whole_goes_on(store):
    detectors = Detectors(logs_of(WORLD), store, WORLD.epoch_ms)
    detectors.read(end_ms(WORLD))
    assert bits(detectors) == calm()


@pytest.mark.parametrize("factor", [0.5, 2])
def test_epochs_of_another_length_are_refused_with_what_to_do(store, factor):
    other_ms = int(WORLD.epoch_ms * factor)
    with pytest.raises(CannotStart, match=r"NUDGE_EPOCH_S: 10 .* now (5|20).*EDDYLINE_DETECT_START_ANEW"):
        Detectors(logs_of(WORLD), store, other_ms)
    anew = Detectors(logs_of(WORLD), store, other_ms, start_anew=True)
    anew.read(end_ms(WORLD))
    checkpoint, _ = LoopStore(store).peek()
    assert checkpoint.epoch_ms == other_ms
    assert abs(checkpoint.next_epoch * other_ms + GRACE_MS - end_ms(WORLD)) <= other_ms


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{}", b'{"next_epoch":"x"}'])
def test_a_pointer_that_is_none_is_refused_with_what_to_do(store, payload):
    overwrite(store, POINTER, payload)
    refused_until_started_anew(store)


@pytest.mark.parametrize("payload", [b"", b"\xff" * 9, b"\0\0\0\2[]", b'\0\0\0\5["a"]PK\3\4'])
def test_arrays_that_are_none_are_refused_with_what_to_do(store, payload):
    checkpoint, _ = LoopStore(store).peek()
    overwrite(store, f"{checkpoint.side}/0", payload)
    refused_until_started_anew(store)


def test_a_chunk_that_is_missing_is_refused_with_what_to_do(store):
    overwrite(store, POINTER, pointer_with(store, side="elsewhere"))
    refused_until_started_anew(store)


def test_a_header_that_is_none_is_refused_with_what_to_do(store):
    overwrite(store, POINTER, pointer_with(store, header=b"{"))
    refused_until_started_anew(store)


def test_arrays_of_which_one_is_missing_are_refused_with_what_to_do(store):
    checkpoint, arrays = LoopStore(store).peek()
    owner = LoopStore(store)
    owner.take_over()
    arrays.pop(next(iter(arrays)))
    owner.write(checkpoint.next_epoch, checkpoint.epoch_ms, checkpoint.positions, checkpoint.header, arrays)
    refused_until_started_anew(store)


def refused_until_started_anew(store):
    with pytest.raises(CannotStart, match="EDDYLINE_DETECT_START_ANEW"):
        Detectors(logs_of(WORLD), store, WORLD.epoch_ms)
    anew = Detectors(logs_of(WORLD), store, WORLD.epoch_ms, start_anew=True)
    anew.read(end_ms(WORLD))
    assert bits(anew) == calm()
