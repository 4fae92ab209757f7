import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eddyline.replay.quality import ndcg, quality

ITEMS = [f"i{number}" for number in range(24)]


def test_clicked_items_first_is_perfect() -> None:
    assert ndcg(ITEMS, {"i0", "i1"}) == 1.0


def test_a_clicked_item_below_the_depth_is_worth_nothing() -> None:
    assert ndcg(ITEMS, {"i10"}) == 0.0


def test_a_click_at_the_second_position_is_worth_one_over_log2_of_three() -> None:
    assert ndcg(ITEMS, {"i1"}) == pytest.approx(1 / math.log2(3))


def test_the_ideal_counts_all_clicked_items_up_to_the_depth() -> None:
    assert ndcg(ITEMS, set(ITEMS)) == pytest.approx(1.0)
    assert ndcg(ITEMS, {"i0", "i23"}) == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_ranking_without_a_click_has_no_quality() -> None:
    assert math.isnan(ndcg(ITEMS, set()))


@given(st.permutations(ITEMS), st.sets(st.sampled_from(ITEMS), min_size=1))
def test_any_order_is_between_nothing_and_perfect(order: list[str], clicked: set[str]) -> None:
    assert 0 <= ndcg(order, clicked) <= 1 + 1e-12


def test_the_last_fifth_is_the_last_fifth_of_all_rankings_whether_clicked_or_not() -> None:
    clicked = [{"i0"}] * 8 + [{"i10"}, set()]
    result = quality([ITEMS] * 10, clicked)
    assert (result.rankings_all, result.rankings_last_fifth) == (9, 1)
    assert result.ndcg_all == pytest.approx(8 / 9)
    assert result.ndcg_last_fifth == 0.0
