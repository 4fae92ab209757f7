"""What detectors keep: no more than the documentation says, whether of a thousand units or of a million."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.feedback.cells import EpochCells
from streams.feedback.concentration import ArmCells, ConcentrationDetector
from streams.feedback.cross_model import CrossModel
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_cells import ExplorationCells
from streams.feedback.exploration_presentation import ExplorationRows, PresentationDetector

STATED = (Path(__file__).parents[4] / "docs/loops-in-production.md").read_text()
MILLION = 1_000_000
MODELS, PLACES = ("feed", "related"), 2
NUMBER_BYTES = 8
BESIDE = 500
"""Numbers beside those of the units, of which the table has those of D2 to a page's worth only."""


def of_models(items: int, epochs: int = 2) -> int:
    """Bytes that D2 keeps of two models over so many items."""
    shape = (len(MODELS), items)
    detector, coins = CrossModel(MODELS), np.random.default_rng(0)
    for epoch in range(epochs):
        nudge = np.where(coins.random(shape) < 0.5, -0.1, 0.1)
        everywhere, nothing = np.ones(shape, np.bool_), np.zeros(shape)
        score, features = coins.random(shape), np.zeros((len(MODELS), 0, items))
        fresh = everywhere if epoch == 0 else ~everywhere
        detector.update(
            EpochCells(epoch, "1", everywhere, fresh, score, features, nudge, nothing + 1.0, nothing)
        )
    return held(detector)


def of_selection(items: int, epochs: int = 2) -> int:
    """Bytes that D3 keeps of so many items at two places."""
    detector, ones = SelectionDetector(), np.ones((PLACES, items))
    for _ in range(epochs):
        detector.update(ExplorationCells(np.arange(items), 9 * ones, ones, ones, ones, 0 * ones, 0.1 * ones))
    return held(detector)


def of_arms(items: int, epochs: int = 2) -> int:
    """Bytes that D4 keeps of two arms that show so many items."""
    detector, draws = ConcentrationDetector(7), np.random.default_rng(0)
    for epoch in range(epochs):
        detector.update(ArmCells(epoch, draws.poisson(20.0, items), draws.poisson(1.0, items)))
    return held(detector)


def of_presentation(rows: int, epochs: int = 2) -> int:
    """Bytes that D3 on presentation keeps of so many rows in an epoch, each a unit of its own."""
    detector, explored = PresentationDetector(), np.arange(rows) % 2 == 0
    for _ in range(epochs):
        click, expected, chance = np.zeros(rows), np.full(rows, 0.1), np.full(rows, 0.5)
        detector.update(ExplorationRows(explored, click, expected, np.arange(rows), chance))
    return held(detector)


def held(detector: Any) -> int:
    return sum(array.nbytes for array in detector.state().values())


def stated(detector: str, form: str) -> list[int]:
    """The numbers that the table states of a detector's memory, in ``form``."""
    (found,) = re.findall(rf"^\| {detector} \|.*\| {form} \|$", STATED, re.M)
    return [int(number) for number in ([found] if isinstance(found, str) else found)]


def numbers_of_models(items: int) -> int:
    (each,) = stated("D2", r"(\d+) numbers for each item and model")
    return each * items * len(MODELS) + BESIDE


def numbers_of_selection(items: int) -> int:
    each, place, besides = stated(
        "D3 on selection",
        r"(\d+) numbers an item, at most `EDDYLINE_DETECT_ITEMS`, (\d+) a place and (\d+) besides",
    )
    return each * items + place * PLACES + besides


def numbers_of_arms(items: int) -> int:
    return sum(stated("D4", r"(\d+) coefficients and (\d+) numbers"))


def numbers_of_presentation(rows: int) -> int:
    return sum(stated("D3 on presentation", r"(\d+) numbers"))


CASES = {
    "D2": (of_models, numbers_of_models),
    "D3": (of_selection, numbers_of_selection),
    "D3-presentation": (of_presentation, numbers_of_presentation),
    "D4": (of_arms, numbers_of_arms),
}


@pytest.mark.parametrize(("measured", "stated"), CASES.values(), ids=CASES)
def test_a_million_units_take_no_more_than_is_stated(
    measured: Callable[[int], int], stated: Callable[[int], int]
) -> None:
    assert 0 < measured(MILLION) <= NUMBER_BYTES * stated(MILLION)


@pytest.mark.parametrize("name", ["D3", "D3-presentation", "D4"])
def test_what_is_stated_is_what_is_kept_to_the_number(name: str) -> None:
    measured, stated = CASES[name]
    assert measured(1_000) == NUMBER_BYTES * stated(1_000)


def test_of_each_item_and_model_as_many_numbers_are_kept_as_is_stated() -> None:
    more = of_models(2_000) - of_models(1_000)
    assert more == NUMBER_BYTES * (numbers_of_models(2_000) - numbers_of_models(1_000))


@pytest.mark.parametrize(("measured", "_"), CASES.values(), ids=CASES)
def test_what_is_kept_does_not_grow_with_epochs(measured: Callable[..., int], _: object) -> None:
    assert measured(100, epochs=40) == measured(100, epochs=3)
