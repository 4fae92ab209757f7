"""Law: the cells of any rows are what a loop over the rows counts."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streams.feedback.exploration_cells import exploration_cells
from streams.feedback.presented_rows import PlacedRows
from streams.feedback.roster import NO_SLOT, Roster

PLACES = 3
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.integers(0, PLACES - 1),
        st.booleans(),
        st.booleans(),
        st.floats(0.001, 0.999),
    ),
    max_size=60,
)


def placed(rows: list[tuple[str, int, bool, bool, float]]) -> PlacedRows:
    n = len(rows)
    items, positions, explored, clicks, predicted = zip(*rows, strict=True) if rows else ((),) * 5
    return PlacedRows(
        request=pa.array(["r"] * n, pa.string()),
        model=pa.array(["m"] * n, pa.string()),
        item=pa.array(items, pa.string()),
        position=np.array(positions, np.int64),
        slotted=np.array(explored, np.bool_),
        explored=np.array(explored, np.bool_),
        click=np.array(clicks, np.float64),
        predicted=np.array(predicted, np.float64),
        share=np.full(n, 0.1),
    )


@given(ROWS, st.integers(1, 5))
def test_cells_are_what_a_loop_counts(rows: list[tuple[str, int, bool, bool, float]], most: int) -> None:
    roster = Roster(most)
    slots = roster.enrolled(placed(rows).item)
    cells = exploration_cells(placed(rows), slots, PLACES)
    slot_of = {row[0]: int(slot) for row, slot in zip(rows, slots, strict=True)}
    assert cells.item.tolist() == sorted(slot for slot in set(slot_of.values()) if slot != NO_SLOT)
    for place in range(PLACES):
        for column, slot in enumerate(cells.item.tolist()):
            for kind, wanted in (("exploit", False), ("explore", True)):
                mine = [r for r in rows if r[:3] == (r[0], place, wanted) and slot_of[r[0]] == slot]
                counted = [
                    getattr(cells, f"{kind}_{name}")[place, column] for name in ("rows", "clicks", "believed")
                ]
                expected = [len(mine), sum(r[3] for r in mine), sum(r[4] for r in mine)]
                assert np.allclose(counted, expected)
