"""Laws of D3, D4 and D5: a restart anywhere changes no bit, and a reset is a fresh start."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from streams.feedback.concentration import ConcentrationDetector
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_presentation import PresentationDetector
from streams.feedback.retrain_echo import RetrainEchoDetector
from streams.loopbench.worlds.popularity_arms import ArmsScale, ArmsWorld
from streams.loopbench.worlds.presentation import PresentationScale, presentation_rows
from streams.loopbench.worlds.retraining import RetrainScale, retrains
from streams.loopbench.worlds.selection import SelectionScale, SelectionWorld

STEPS = 12


def selections() -> list[Any]:
    world = SelectionWorld(SelectionScale(items=60, shown=6, exploration=0.05), [3])
    return [_only_run(world.step()) for _ in range(STEPS)]


def arms() -> list[Any]:
    world = ArmsWorld(ArmsScale(items=50, events=2000), [3])
    return [_only_run(world.step()) for _ in range(STEPS)]


def _only_run(cells: Any) -> Any:
    values = {name: getattr(cells, name) for name in cells.__dataclass_fields__}
    of_runs = {name for name, v in values.items() if isinstance(v, np.ndarray) and v.ndim > 1}
    return type(cells)(**{name: v[0] if name in of_runs else v for name, v in values.items()})


CASES: dict[str, tuple[Callable[[], Any], Callable[[], list[Any]]]] = {
    "D3": (SelectionDetector, selections),
    "D3-presentation": (
        PresentationDetector,
        lambda: list(presentation_rows(PresentationScale(users=200, slots=10), 3, STEPS)),
    ),
    "D4": (lambda: ConcentrationDetector(5, half=3), arms),
    "D5": (lambda: RetrainEchoDetector(5), lambda: list(islice(retrains(RetrainScale(), 3, STEPS), STEPS))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_restart_after_any_observation_changes_no_bit(name: str) -> None:
    make, observe = CASES[name]
    whole, pieces = make(), make()
    for number, observation in enumerate(observe()):
        whole.update(observation)
        pieces.update(observation)
        successor = make()
        successor.restore(pieces.state())
        pieces = successor
        left, right = whole.state(), pieces.state()
        assert left.keys() == right.keys()
        assert all(np.array_equal(left[part], right[part]) for part in left), number
        assert whole.verdict(number) == pieces.verdict(number)
    assert whole.peak.bets > 0


@pytest.mark.parametrize("name", CASES)
def test_what_a_detector_gave_away_is_not_changed_by_what_comes_later(name: str) -> None:
    make, observe = CASES[name]
    detector = make()
    first, *rest = observe()
    detector.update(first)
    kept = detector.state()
    before = {part: value.copy() for part, value in kept.items()}
    for observation in rest:
        detector.update(observation)
    assert all(np.array_equal(kept[part], before[part]) for part in before)


@pytest.mark.parametrize("name", CASES)
def test_a_reset_detector_is_a_new_one(name: str) -> None:
    make, observe = CASES[name]
    detector = make()
    for observation in observe():
        detector.update(observation)
    detector.reset()
    assert detector.verdict(0) == make().verdict(0)
    assert detector.verdict(0).kind == "warming_up"


@pytest.mark.parametrize("name", CASES)
def test_a_state_without_a_part_is_refused(name: str) -> None:
    make, _ = CASES[name]
    state = dict(make().state())
    part = next(iter(state))
    del state[part]
    with pytest.raises(ValueError, match=f"{part}: absent"):
        make().restore(state)
