"""What is known of items with and without the rows of chance."""

import numpy as np
import pytest

from streams.feedback.exploration_cells import ExplorationCells
from streams.feedback.item_twin import HALF_LIFE_EPOCHS, PRIOR_ROWS, ItemTwin

ITEMS = np.array([0, 1])


def epoch(**counts: list[float]) -> ExplorationCells:
    rows = {
        name: counts.get(name, [0.0, 0.0]) for name in ExplorationCells.__dataclass_fields__ if name != "item"
    }
    return ExplorationCells(ITEMS, **{name: np.array([row]) for name, row in rows.items()})


def taught(*epochs: ExplorationCells) -> ItemTwin:
    twin = ItemTwin(())
    twin.make_room(2, 1)
    for each in epochs:
        twin.learn(each)
    return twin


BY_CHANCE = epoch(
    exploit_rows=[100.0, 0.0],
    exploit_clicks=[10.0, 0.0],
    exploit_believed=[10.0, 0.0],
    explore_rows=[0.0, 50.0],
    explore_clicks=[0.0, 10.0],
    explore_believed=[0.0, 5.0],
)


def test_only_the_rows_of_chance_tell_the_two_apart() -> None:
    twin = taught(BY_CHANCE)
    assert twin.own(ITEMS) == pytest.approx([1.0, 1.0])
    prior = PRIOR_ROWS * 0.1
    assert twin.with_chance(ITEMS) == pytest.approx([1.0, (10 + prior) / (5 + prior)])
    assert twin.believed(ITEMS) == pytest.approx([np.nan, 0.1], nan_ok=True)


def test_a_strangers_predictions_stay_as_they_are() -> None:
    twin = taught()
    assert twin.own(ITEMS).tolist() == twin.with_chance(ITEMS).tolist() == [1.0, 1.0]


def test_half_is_forgotten_after_a_half_life_and_all_in_the_end() -> None:
    twin = taught(BY_CHANCE)
    rows = twin.shown(ITEMS)[1][1]
    for _ in range(HALF_LIFE_EPOCHS):
        twin.learn(epoch())
    assert twin.shown(ITEMS)[1][1] == pytest.approx(rows / 2)
    assert twin.forgotten().tolist() == []
    for _ in range(6 * HALF_LIFE_EPOCHS):
        twin.learn(epoch())
    assert twin.forgotten().tolist() == [1]
    assert not twin.learned[:, 1].any()


def test_the_underrated_are_those_of_which_production_shows_nothing() -> None:
    assert taught(BY_CHANCE).underrated() == []  # 10 clicks for 5 predicted may be luck
    assert taught(*[BY_CHANCE] * 5).underrated() == [1]
    also_chosen = epoch(
        exploit_rows=[0.0, 400.0],
        exploit_clicks=[0.0, 40.0],
        exploit_believed=[0.0, 40.0],
    )
    assert taught(*[BY_CHANCE] * 5, also_chosen).underrated() == []
