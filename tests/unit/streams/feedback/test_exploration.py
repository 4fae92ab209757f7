"""D3 on selection: value left lying is found, and nothing is made of items that earn no more."""

from dataclasses import replace

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.exploration import BLIND_AFTER_EPOCHS, ExplorationCells, SelectionDetector
from streams.loopbench.worlds.selection import Learner, SelectionScale, SelectionWorld

SCALE = SelectionScale(exploration=0.05)


def cells(contested_clicks: float, *, explored: float = 100.0) -> ExplorationCells:
    """Item 0 is shown and would be dropped, at a click rate of .1; item 1 would be shown instead."""
    return ExplorationCells(
        chosen=np.array([True, False]),
        twin_chosen=np.array([False, True]),
        exploit_exposures=np.array([10_000.0, 0.0]),
        exploit_clicks=np.array([1_000.0, 0.0]),
        explore_exposures=np.array([explored, explored]),
        explore_clicks=np.array([explored / 10, contested_clicks]),
    )


def after(epochs: list[ExplorationCells]) -> SelectionDetector:
    detector = SelectionDetector()
    for each in epochs:
        detector.update(each)
    return detector


def test_contested_items_that_earn_more_are_a_loop_that_costs() -> None:
    verdict = after([cells(16.0)] * 40).verdict(7)
    assert verdict.kind is VerdictKind.LOOP_DETECTED
    assert verdict.evidence["contested_click_rate"] == pytest.approx(0.16)
    assert verdict.evidence["replaced_click_rate"] == pytest.approx(0.1)


def test_contested_items_that_earn_less_or_as_much_are_no_loop() -> None:
    assert after([cells(10.0)] * 200).verdict(7).kind is VerdictKind.QUIET
    assert after([cells(2.0)] * 200).log_evidence() < 0


def test_without_exploration_it_is_blind_and_says_so() -> None:
    verdict = after([cells(0.0, explored=0.0)] * BLIND_AFTER_EPOCHS).verdict(7)
    assert verdict.kind is VerdictKind.BLIND
    assert "no exploration rows" in verdict.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"explore_clicks": np.array([0.0, 101.0])}, "explore_clicks: not within 0 and explore_exposures"),
        ({"exploit_clicks": np.array([-1.0, 0.0])}, "exploit_clicks: not within"),
        ({"exploit_exposures": np.zeros(3)}, "exploit_exposures, exploit_clicks: shape"),
    ],
)
def test_impossible_counts_are_refused_by_name(change: dict[str, np.ndarray], message: str) -> None:
    fields = {name: getattr(cells(1.0), name) for name in ExplorationCells.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        ExplorationCells(**{**fields, **change})


def test_a_greedy_ranker_that_learns_from_itself_is_found_and_one_that_learns_at_random_is_not() -> None:
    seeds = range(20)
    for loop, found in ((True, 18), (False, 0)):
        world, detector = SelectionWorld(SCALE, seeds, loop=loop), SelectionDetector(runs=(20,))
        for _ in range(40):
            detector.update(world.step())
        alarms = int((detector.kinds() == VerdictKind.LOOP_DETECTED).sum())
        assert alarms >= found if loop else alarms == 0
        assert (world.value_lost().mean() > 0.2) == loop


def test_items_alike_in_exploration_and_exploitation_hide_the_loop() -> None:
    """Trap: clicks on the same item, explored against chosen, do not differ in a selection loop."""
    world, detector = SelectionWorld(SCALE, range(20)), SelectionDetector(runs=(20,))
    same = np.zeros((2, 20))
    for _ in range(40):
        each = world.step()
        detector.update(each)
        shown = each.chosen & (each.exploit_exposures > 0)
        rate = each.exploit_clicks / np.maximum(each.exploit_exposures, 1)
        expected = np.where(shown, each.explore_exposures * rate, 0).sum(axis=-1)
        same += np.where(shown, each.explore_clicks, 0).sum(axis=-1), expected
    clicks, expected = same
    z = (clicks - expected) / np.sqrt(expected)
    assert (np.abs(z) < 4).all()
    assert (detector.kinds() == VerdictKind.LOOP_DETECTED).sum() >= 18


def test_8_a_control_judged_by_the_exploration_rows_that_it_was_trained_on_finds_a_loop_anywhere() -> None:
    """Without a loop. What is chosen because of lucky clicks must be judged by later ones."""
    world = SelectionWorld(SelectionScale(), range(20), loop=False)
    control, ties = Learner((20, 500), 0.1), np.random.default_rng(1).random((20, 500))
    ours, naive = SelectionDetector(runs=(20,)), SelectionDetector(runs=(20,))
    for _ in range(40):
        chosen_before, epoch = control.best(50, ties), world.step()
        control.learn(epoch.explore_exposures, epoch.explore_clicks)
        ours.update(replace(epoch, twin_chosen=chosen_before))
        naive.update(replace(epoch, twin_chosen=control.best(50, ties)))
    assert np.isin(naive.kinds(), [VerdictKind.WARNING, VerdictKind.LOOP_DETECTED]).mean() > 0.8
    assert set(ours.kinds()) == {VerdictKind.QUIET}


def test_a_seed_gives_the_same_world_whatever_runs_beside_it() -> None:
    alone, among = SelectionWorld(SCALE, [5]), SelectionWorld(SCALE, [4, 5, 6])
    for _ in range(3):
        one, three = alone.step(), among.step()
        assert np.array_equal(one.exploit_clicks[0], three.exploit_clicks[1])
        assert np.array_equal(one.twin_chosen[0], three.twin_chosen[1])
