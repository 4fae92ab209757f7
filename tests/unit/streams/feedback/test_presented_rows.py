"""What chance showed beside what was chosen, out of exposures as the join writes them."""

from dataclasses import replace

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.exploration_presentation import PresentationDetector
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.presented_rows import compared, contradicted, joined, placed_rows
from tests.unit.streams.feedback.exposure_log import exposures
from tests.unit.streams.feedback.slotted_log import SlottedWorld

WORLD = SlottedWorld()


def parts_of(world):
    for _, batch in world.batches():
        placed, dropped = placed_rows(ExposureRows(batch), world.positions)
        assert not any(dropped.values())
        yield placed


def judged(world, expected_of=None):
    detector = PresentationDetector()
    for placed in parts_of(world):
        rows = compared(placed, world.positions)
        detector.update(rows if expected_of is None else expected_of(placed, rows))
    return detector.verdict(0)


def test_what_is_clicked_more_because_it_was_chosen_is_found_with_its_size():
    verdict = judged(replace(WORLD, effect=0.4))
    assert verdict.kind is VerdictKind.LOOP_DETECTED
    assert verdict.beta.upper < 0


@pytest.mark.parametrize("seed", range(3))
def test_a_ranker_that_knows_its_users_and_errs_is_no_effect(seed):
    """Tastes, places, wrong predictions and hours differ; presentation does nothing."""
    verdict = judged(replace(WORLD, seed=seed))
    assert verdict.kind is VerdictKind.QUIET
    assert verdict.evidence["explored_rows"] > 1000
    assert verdict.beta.lower < 0 < verdict.beta.upper


def test_an_items_own_click_rate_would_have_found_an_effect_that_there_is_not():
    """Trap: who is shown an item by choice likes it more than who is shown it by chance."""

    def naive(placed, _):
        everything = compared(replace(placed, predicted=np.full(len(placed.click), 0.1)), WORLD.positions)
        return everything

    assert judged(WORLD, naive).kind is VerdictKind.LOOP_DETECTED


def test_rows_are_explored_with_the_share_of_requests_over_the_places():
    placed = next(parts_of(WORLD))
    rows = compared(placed, WORLD.positions)
    assert np.allclose(rows.propensity, WORLD.share / WORLD.positions)
    assert len(np.unique(rows.cluster)) < len(rows.click)


def test_two_messages_of_a_cut_are_one_comparison():
    placed = next(parts_of(WORLD))
    cut = len(placed.click) // 2
    halves = [placed_rows_between(placed, 0, cut), placed_rows_between(placed, cut, len(placed.click))]
    whole, both = compared(placed, WORLD.positions), compared(joined(halves), WORLD.positions)
    assert both.explored.tolist() == whole.explored.tolist()
    assert np.allclose(both.expected, whole.expected)


def placed_rows_between(placed, start, end):
    return replace(placed, **{name: getattr(placed, name)[start:end] for name in placed.__dataclass_fields__})


def test_another_number_of_places_than_was_drawn_from_is_noticed():
    (_, batch), *_ = WORLD.batches()
    right, _ = placed_rows(ExposureRows(batch), WORLD.positions)
    wrong, _ = placed_rows(ExposureRows(batch), WORLD.positions + 1)
    assert not contradicted(right)
    assert contradicted(wrong)


def test_what_says_nothing_is_left_out_by_reason():
    drawn = [{"experiment": "exploration", "variant": "none", "propensity": 0.7}]
    held = [{"experiment": "holdout", "variant": "holdout", "propensity": 0.1}]
    rows = exposures(
        6,
        served_time_ms=[None, 1, 1, 1, 1, 1],
        status=["on_time", "late", *["on_time"] * 4],
        assignments=[drawn, drawn, held, drawn, drawn, drawn],
        position=[0, 0, 0, 7, 0, 0],
        heads=[{"click": chance} for chance in (0.1, 0.1, 0.1, 0.1, None, 0.1)],
    )
    placed, dropped = placed_rows(ExposureRows(rows), 5)
    assert dropped == {"not_ranked": 1, "revision": 1, "not_drawn": 1, "elsewhere": 1, "no_prediction": 1}
    assert len(placed.click) == 1


@pytest.mark.parametrize("heads", [None, [{"like": 0.1}]])
def test_a_model_that_predicts_no_click_is_nothing_to_compare_by(heads):
    drawn = [{"experiment": "exploration", "variant": "none", "propensity": 0.7}]
    told = {} if heads is None else {"heads": heads}
    rows = exposures(1, served_time_ms=[1], assignments=[drawn], position=[0], **told)
    _, dropped = placed_rows(ExposureRows(rows), 5)
    assert dropped["no_prediction"] == 1
