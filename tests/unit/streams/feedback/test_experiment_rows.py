"""Rows as the join writes them, into what D3 and D4 observe."""

import pyarrow as pa

from streams.feedback.concentration import ConcentrationDetector
from streams.feedback.experiment_rows import ArmRows, arm_cells, arm_rows
from streams.feedback.exposure_rows import ExposureRows
from tests.unit.feature_store.schema.assigned_rows import ROWS


def of_arms(rows: pa.Table) -> ArmRows:
    """Those that drew an arm; rows without a request were not served by us."""
    served = [request and 1 for request in rows["request_id"].to_pylist()]
    said = {"served_time_ms": served, "status": ["on_time"] * len(rows), "model_version": ["m:1"] * len(rows)}
    kept, dropped = arm_rows(
        ExposureRows(pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), **said}))
    )
    assert dropped == {"not_ranked": served.count(None), "revision": 0, "not_drawn": 0}
    return kept


def test_arms_count_what_was_served_by_choice_of_the_items_known() -> None:
    cells = arm_cells(of_arms(ROWS), pa.array(["a", "b", "c"]), epoch=4)
    assert cells.epoch == 4
    assert cells.production.tolist() == [2, 0, 0]
    assert cells.holdout.tolist() == [0, 0, 1]


def test_no_rows_are_no_cells_and_the_detector_does_not_bet_on_them() -> None:
    detector = ConcentrationDetector(1)
    detector.update(arm_cells(of_arms(ROWS.slice(0, 0)), pa.array(["a", "b"]), epoch=0))
    assert detector.verdict(0).kind == "warming_up"
