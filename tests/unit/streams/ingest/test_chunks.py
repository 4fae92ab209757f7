"""A batch that is too large is cut between two events; its parts cover each offset once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_store.schema.batches import SourceRanges
from streams.ingest.chunks import chunks

Part = tuple[int, int, SourceRanges]


def cut(sources: list[tuple[int, int]], ranges: SourceRanges, max_rows: int) -> list[Part]:
    """Parts of rows from these sources, as many bytes long as they have rows."""
    parts: list[Part] = []

    def encode(start: int, end: int, covered: SourceRanges) -> bytes:
        if end - start <= max_rows or len(set(sources[start:end])) == 1:
            parts.append((start, end, covered))
        return b"x" * (end - start)

    partition = np.array([p for p, _ in sources], np.int32)
    offset = np.array([o for _, o in sources], np.int64)
    payloads = list(chunks(encode, partition, offset, ranges, max_rows))
    assert [len(payload) for payload in payloads] == [end - start for start, end, _ in parts]
    return parts


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[tuple[int, int]], SourceRanges]:
    sources: list[tuple[int, int]] = []
    ranges: SourceRanges = {}
    for partition in range(draw(st.integers(1, 3))):
        events = draw(st.dictionaries(st.integers(0, 30), st.integers(1, 4), max_size=8))
        sources += [(partition, offset) for offset in sorted(events) for _ in range(events[offset])]
        ranges[partition] = (0, 30)
    return sources, ranges


@given(rows(), st.integers(1, 6))
def test_parts_are_in_order_and_cover_each_offset_once(
    given_rows: tuple[list[tuple[int, int]], SourceRanges], max_rows: int
) -> None:
    sources, ranges = given_rows
    if not sources:
        return
    parts = cut(sources, ranges, max_rows)
    assert [row for start, end, _ in parts for row in range(start, end)] == list(range(len(sources)))
    for partition in ranges:
        covered = [part[2][partition] for part in parts if partition in part[2]]
        assert [o for first, last in covered for o in range(first, last + 1)] == list(range(31))
    for start, end, covered_by_part in parts:
        for partition, offset in sources[start:end]:
            first, last = covered_by_part[partition]
            assert first <= offset <= last


@given(rows(), st.integers(1, 6))
def test_the_rows_of_one_event_stay_together(
    given_rows: tuple[list[tuple[int, int]], SourceRanges], max_rows: int
) -> None:
    sources, ranges = given_rows
    if not sources:
        return
    found = [set(sources[start:end]) for start, end, _ in cut(sources, ranges, max_rows)]
    assert sum(map(len, found)) == len(set(sources))
