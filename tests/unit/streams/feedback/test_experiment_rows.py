"""Rows as the join writes them, into what D3 and D4 observe."""

import pyarrow as pa
import pytest

from feature_store.schema.exposures import EXPOSURE_FIELDS
from streams.feedback.concentration import ConcentrationDetector
from streams.feedback.experiment_rows import arm_cells, explored, held_out

TYPES = {field.name: field.type for field in EXPOSURE_FIELDS}
COLUMNS = ("request_id", "item_id", "position", "assignments", "outcomes")

NONE, SLOT_1, OUT, TREATED = (
    ("exploration", "none"),
    ("exploration", "slot_1"),
    ("holdout", "holdout"),
    ("holdout", "treatment"),
)


def rows(*wanted: tuple[str | None, str, int | None, list[tuple[str, str]] | None, bool]) -> pa.Table:
    plain = [
        {
            "request_id": request,
            "item_id": item,
            "position": position,
            "assignments": drawn
            and [{"experiment": name, "variant": variant, "propensity": 0.5} for name, variant in drawn],
            "outcomes": [("like", 1.0), ("click", 1.0)] if clicked else [],
        }
        for request, item, position, drawn, clicked in wanted
    ]
    return pa.Table.from_pylist(plain, schema=pa.schema([(name, TYPES[name]) for name in COLUMNS]))


ROWS = rows(
    ("r1", "a", 0, [TREATED, SLOT_1], False),
    ("r1", "b", 1, [TREATED, SLOT_1], True),
    ("r2", "a", 1, [TREATED, NONE], True),
    ("r3", "c", 1, [OUT], False),
    (None, "a", None, None, True),
    ("r1", "z", 11, [TREATED, SLOT_1], False),
)


def test_only_the_position_given_away_was_explored() -> None:
    assert explored(ROWS).tolist() == [False, True, False, False, False, False]


def test_holdouts_are_the_users_of_the_arm_not_of_the_experiment() -> None:
    assert held_out(ROWS).tolist() == [False, False, False, True, False, False]


def test_arms_count_what_was_served_by_choice_of_the_items_known() -> None:
    cells = arm_cells(ROWS, pa.array(["a", "b", "c"]), epoch=4)
    assert cells.epoch == 4
    assert cells.production.tolist() == [2, 0, 0]
    assert cells.holdout.tolist() == [0, 0, 1]


@pytest.mark.parametrize("column", ["assignments", "position"])
def test_a_table_without_what_was_drawn_is_refused_by_name(column: str) -> None:
    with pytest.raises(KeyError, match=column):
        explored(ROWS.drop_columns([column]))


def test_no_rows_are_no_cells_and_the_detector_does_not_bet_on_them() -> None:
    detector = ConcentrationDetector(1)
    detector.update(arm_cells(ROWS.slice(0, 0), pa.array(["a", "b"]), epoch=0))
    assert detector.verdict(0).kind == "warming_up"
