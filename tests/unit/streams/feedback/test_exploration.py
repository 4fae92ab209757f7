"""D3 on selection: value left lying is found, and nothing is made of items that earn no more."""

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.exploration import BLIND_AFTER_EPOCHS, SelectionDetector
from streams.feedback.exploration_cells import ExplorationCells
from streams.loopbench.worlds.selection import SelectionScale, SelectionWorld

SCALE = SelectionScale(items=200, shown=20, places=4, events=10_000.0, exploration=0.05)
FIELDS = list(ExplorationCells.__dataclass_fields__)


def cells(
    clicks: float, *, explored: float = 100.0, believed: float = 0.05, places: int = 1
) -> ExplorationCells:
    """Item 0 is shown, and clicked as predicted, at .1; item 1 is believed to be worth less."""
    counts = {
        "exploit_rows": [10_000.0, 0.0],
        "exploit_clicks": [1_000.0, 0.0],
        "exploit_believed": [1_000.0, 0.0],
        "explore_rows": [0.0, explored],
        "explore_clicks": [0.0, clicks],
        "explore_believed": [0.0, explored * believed],
    }
    return ExplorationCells(np.arange(2), **{name: np.tile(row, (places, 1)) for name, row in counts.items()})


def after(epochs: list[ExplorationCells]) -> SelectionDetector:
    detector = SelectionDetector()
    for each in epochs:
        detector.update(each)
    return detector


def test_an_item_not_shown_that_earns_more_is_a_loop_that_costs() -> None:
    verdict = after([cells(16.0)] * 40).verdict(7)
    assert verdict.kind is VerdictKind.LOOP_DETECTED
    assert verdict.evidence["contested_click_rate"] == pytest.approx(0.16)
    assert verdict.evidence["replaced_click_rate"] == pytest.approx(0.1)
    assert verdict.evidence["items"] == ["1"]


def test_the_first_epoch_is_learned_from_before_anything_is_bet() -> None:
    detector = after([cells(100.0)])
    assert detector.log_evidence() == 0.0
    assert detector.earned.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("clicks", [5.0, 10.0])
def test_an_item_that_earns_no_more_is_no_loop(clicks: float) -> None:
    assert after([cells(clicks)] * 200).verdict(7).kind is VerdictKind.QUIET


def test_an_item_that_earns_less_than_it_promised_costs_evidence() -> None:
    detector = after([cells(16.0)] * 5)
    before = float(detector.log_evidence())
    detector.update(cells(2.0))
    assert detector.log_evidence() < before


def test_what_production_shows_itself_is_not_contested() -> None:
    """It may know better than its predictions do: a rule, a second model, another surface."""
    shown = cells(16.0)
    for name, value in (("exploit_rows", 200.0), ("exploit_clicks", 32.0), ("exploit_believed", 10.0)):
        getattr(shown, name)[0, 1] = value
    assert after([shown] * 40).earned[0] == 0.0


def test_what_productions_own_rows_tell_as_well_is_not_contested() -> None:
    """It was shown, if not more than by chance: no exploration is needed to know."""
    shown = cells(16.0)
    for name, value in (("exploit_rows", 100.0), ("exploit_clicks", 16.0), ("exploit_believed", 5.0)):
        getattr(shown, name)[0, 1] = value
    assert after([shown] * 40).earned[0] == 0.0


def test_what_production_predicts_to_earn_more_is_not_contested() -> None:
    """It leaves it out for another reason than that it thinks little of it."""
    assert after([cells(30.0, believed=0.2)] * 40).earned[0] == 0.0


def test_places_that_are_clicked_less_are_held_against_themselves() -> None:
    """A fifth of the clicks at the second place, of everything."""
    low = cells(8.0, places=2)
    for name in ("exploit_clicks", "explore_clicks"):
        getattr(low, name)[1] /= 5.0
    assert after([low] * 100).verdict(7).kind is VerdictKind.QUIET


def test_too_few_chosen_rows_at_a_place_are_no_yardstick() -> None:
    scarce = cells(16.0)
    for name in ("exploit_rows", "exploit_clicks", "exploit_believed"):
        getattr(scarce, name)[0, 0] /= 20.0
    assert after([scarce] * 40).earned[0] == 0.0


def test_without_exploration_it_is_blind_and_says_so() -> None:
    verdict = after([cells(0.0, explored=0.0)] * BLIND_AFTER_EPOCHS).verdict(7)
    assert verdict.kind is VerdictKind.BLIND
    assert "no exploration rows" in verdict.reason


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_outcomes_that_are_all_alike_are_no_evidence(outcome: float) -> None:
    alike = cells(100.0 * outcome)
    alike.exploit_clicks[0, 0] = 10_000.0 * outcome
    assert after([alike] * 50).verdict(7).kind is VerdictKind.QUIET


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"explore_clicks": np.array([[0.0, 101.0]])}, "explore_clicks: not within 0 and explore_rows"),
        ({"exploit_believed": np.array([[-1.0, 0.0]])}, "exploit_believed: not within"),
        ({"explore_rows": np.zeros((1, 3))}, "explore_rows, explore_clicks: shape"),
        ({"item": np.zeros(3, np.int64)}, "item: not one slot"),
    ],
)
def test_impossible_counts_are_refused_by_name(change: dict[str, np.ndarray], message: str) -> None:
    fields = {name: getattr(cells(1.0), name) for name in FIELDS}
    with pytest.raises(ValueError, match=message):
        ExplorationCells(**{**fields, **change})


def test_a_greedy_ranker_that_learns_from_itself_is_found_and_one_that_learns_at_random_is_not() -> None:
    seeds = range(10)
    for loop, found in ((True, 8), (False, 0)):
        world, detector = SelectionWorld(SCALE, seeds, loop=loop), SelectionDetector(runs=(10,))
        for _ in range(100):
            detector.update(world.step())
        alarms = int((detector.kinds() == VerdictKind.LOOP_DETECTED).sum())
        assert alarms >= found if loop else alarms == 0
        assert (world.value_lost().mean() > 0.2) == loop


def test_items_alike_in_exploration_and_exploitation_hide_the_loop() -> None:
    """Trap: clicks on the same item, explored against chosen, do not differ in a selection loop."""
    world, detector = SelectionWorld(SCALE, range(10)), SelectionDetector(runs=(10,))
    same = np.zeros((2, 10))
    for _ in range(100):
        each = world.step()
        detector.update(each)
        exploited, clicked = each.exploit_rows.sum(axis=1), each.exploit_clicks.sum(axis=1)
        rate = clicked / np.maximum(exploited, 1)
        expected = np.where(exploited > 0, each.explore_rows.sum(axis=1) * rate, 0).sum(axis=-1)
        same += np.where(exploited > 0, each.explore_clicks.sum(axis=1), 0).sum(axis=-1), expected
    clicks, expected = same
    z = (clicks - expected) / np.sqrt(expected)
    assert (np.abs(z) < 4).all()
    assert (detector.kinds() == VerdictKind.LOOP_DETECTED).sum() >= 8


def test_8_a_twin_judged_by_the_exploration_rows_that_it_learned_from_finds_a_loop_anywhere() -> None:
    """Every item earns as much. What is contested because of lucky clicks must be judged by later ones."""
    rng, ours, naive = np.random.default_rng(1), SelectionDetector(), _Hasty()
    for number in range(40):
        epoch = _newcomers(number, rng)
        ours.update(epoch)
        naive.update(epoch)
    assert naive.verdict(7).kind is VerdictKind.LOOP_DETECTED
    assert ours.verdict(7).kind is VerdictKind.QUIET


def _newcomers(number: int, rng: np.random.Generator) -> ExplorationCells:
    """Item 0 is shown; 50 others, some of them new in each epoch, are shown by chance, 10 rows each."""
    rows, none = np.array([[0.0, *[10.0] * 50]]), np.array([[1.0, *[0.0] * 50]])
    return ExplorationCells(
        item=np.array([0, *range(1 + 25 * number, 51 + 25 * number)]),
        exploit_rows=none * 10_000.0,
        exploit_clicks=none * 1_000.0,
        exploit_believed=none * 1_000.0,
        explore_rows=rows,
        explore_clicks=rng.binomial(rows.astype(np.int64), 0.1).astype(np.float64),
        explore_believed=rows * 0.099,
    )


class _Hasty(SelectionDetector):
    """Learns from an epoch before it bets on it."""

    def _bet(self, cells: ExplorationCells) -> None:
        self.twin.learn(cells)
        super()._bet(cells)


def test_a_seed_gives_the_same_world_whatever_runs_beside_it() -> None:
    alone, among = SelectionWorld(SCALE, [5]), SelectionWorld(SCALE, [4, 5, 6])
    for _ in range(3):
        one, three = alone.step(), among.step()
        for name in FIELDS[1:]:
            assert np.array_equal(getattr(one, name)[0], getattr(three, name)[1])
