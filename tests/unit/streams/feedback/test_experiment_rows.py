"""Rows as the join writes them, into what D3 and D4 observe."""

import pyarrow as pa

from streams.feedback.concentration import ConcentrationDetector
from streams.feedback.experiment_rows import arm_cells
from tests.unit.feature_store.schema.assigned_rows import ROWS


def test_arms_count_what_was_served_by_choice_of_the_items_known() -> None:
    cells = arm_cells(ROWS, pa.array(["a", "b", "c"]), epoch=4)
    assert cells.epoch == 4
    assert cells.production.tolist() == [2, 0, 0]
    assert cells.holdout.tolist() == [0, 0, 1]


def test_no_rows_are_no_cells_and_the_detector_does_not_bet_on_them() -> None:
    detector = ConcentrationDetector(1)
    detector.update(arm_cells(ROWS.slice(0, 0), pa.array(["a", "b"]), epoch=0))
    assert detector.verdict(0).kind == "warming_up"
