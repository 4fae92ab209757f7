"""The duplicate window equals its definition: did the id occur in the previous N offsets?"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.duplicates import DuplicateWindow

Log = list[tuple[int, str]]


def naive(log: Log, size: int) -> set[int]:
    return {
        offset
        for offset, id_ in log
        if any(id_ == other and offset - size <= at < offset for at, other in log)
    }


def admit_in_parts(log: Log, size: int, cuts: list[int]) -> set[int]:
    window = DuplicateWindow(size, log[0][0] if log else 0)
    bounds = sorted({0, len(log), *(cut % (len(log) + 1) for cut in cuts)})
    found: set[int] = set()
    for start, end in pairwise(bounds):
        offsets, ids = [o for o, _ in log[start:end]], [i for _, i in log[start:end]]
        found |= {offsets[i] for i in window.admit(offsets, ids)}
    return found


@st.composite
def logs(draw: st.DrawFn) -> Log:
    gaps = draw(st.lists(st.integers(1, 4), max_size=60))
    ids = draw(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=len(gaps), max_size=len(gaps)))
    offset, log = draw(st.integers(0, 100)), []
    for gap, id_ in zip(gaps, ids, strict=True):
        log.append((offset, id_))
        offset += gap
    return log


@given(logs(), st.integers(1, 25), st.lists(st.integers(0, 1000), max_size=8))
def test_it_equals_the_definition_however_the_log_is_cut(log: Log, size: int, cuts: list[int]) -> None:
    assert admit_in_parts(log, size, cuts) == naive(log, size)


@given(logs(), st.integers(1, 25), st.integers(0, 60))
def test_a_window_rebuilt_from_the_previous_n_offsets_goes_on_as_the_old_one(
    log: Log, size: int, at: int
) -> None:
    at = min(at, len(log))
    if at == len(log):
        return
    start = log[at][0]
    rebuilt = DuplicateWindow(size, max(log[0][0], start - size))
    before = [(o, i) for o, i in log if start - size <= o < start]
    rebuilt.admit([o for o, _ in before], [i for _, i in before])
    rest = log[at:]
    found = {rest[i][0] for i in rebuilt.admit([o for o, _ in rest], [i for _, i in rest])}
    assert found == {offset for offset in naive(log, size) if offset >= start}


def test_only_what_is_in_the_window_is_kept() -> None:
    window = DuplicateWindow(3, 0)
    window.admit(list(range(1000)), [f"id{i}" for i in range(1000)])
    assert window.admit([1000, 1001, 1002], ["id997", "id998", "id996"]) == [0, 1]
