"""Rows say what our own experiments did to them."""

import pyarrow as pa
import pytest

from feature_store.schema.assignments import arms, draws_of, marks
from ranker.experiments.draw import Experiments
from ranker.experiments.settings import ExperimentSettings
from tests.unit.feature_store.schema.assigned_rows import ROWS, rows


def test_only_the_position_given_away_was_explored() -> None:
    assert marks(ROWS)["explored"].tolist() == [False, True, False, False, False, False]


def test_holdouts_are_the_users_of_the_arm_not_of_the_experiment() -> None:
    assert marks(ROWS)["held_out"].tolist() == [False, False, False, True, False, False]


def test_a_nudge_of_nothing_and_an_organic_row_are_no_nudge() -> None:
    assert marks(ROWS)["nudged"].tolist() == [True, True, False, False, False, True]


def test_every_row_has_its_arm_of_each_experiment_and_none_where_it_is_in_none() -> None:
    found = {experiment: arm.to_pylist() for experiment, arm in arms(ROWS).items()}
    assert found == {
        "exploration": ["slot_1", "slot_1", "none", None, None, "slot_1"],
        "holdout": ["treatment", "treatment", "treatment", "holdout", None, "treatment"],
    }
    assert arms(ROWS)["holdout"].type == pa.string()


def test_arms_are_read_back_as_the_ranker_drew_them() -> None:
    """Rows of a position each, of requests that all explore; every other user is held out."""
    settings = ExperimentSettings(
        explore_share=0.999,
        explore_positions=2,
        explore_salt="e",
        holdout_share=0.5,
        holdout_salt="h",
        holdout_model="timeline_ranker/1",
    )
    experiments = Experiments(settings, frozenset)
    drawn = [experiments.arms(f"r{n}", f"u{n}", "home", 0) for n in range(20)]
    table = rows(
        *(
            (f"r{n}", "a", position, 0.0, [(e, one.variant) for e, one in each.assignments.items()], False)
            for n, each in enumerate(drawn)
            for position in (0, 1)
        )
    )
    assert draws_of(table).held_out()[::2].tolist() == [each.holdout for each in drawn]
    slots = [each.exploration and each.exploration.slot for each in drawn]
    assert marks(table)["explored"].tolist() == [slot == position for slot in slots for position in (0, 1)]
    assert len(set(slots)) == 3


def test_rows_of_no_experiment_have_no_arms() -> None:
    assert arms(ROWS.slice(4, 1)) == {}
    assert not marks(ROWS.slice(4, 1))["explored"].any()


@pytest.mark.parametrize("column", ["assignments", "position"])
def test_a_table_without_what_was_drawn_is_refused_by_name(column: str) -> None:
    with pytest.raises(KeyError, match=column):
        marks(ROWS.drop_columns([column]))
