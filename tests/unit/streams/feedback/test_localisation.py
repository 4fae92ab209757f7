"""Where a loop is said to be: in the largest of what is certain and above its allowance."""

import numpy as np

from streams.feedback.cells import EpochCells
from streams.feedback.feature_path import feature_path

N, EPOCHS = 150, 30
BETA = {"declared": (0.02, 0.0005), "hidden": (0.3, 0.2), "noise": (0.0, 20.0)}
"""Of each feature its answer to a unit of nudge, and how much it moves by itself."""


def _epochs():
    rng = np.random.default_rng(3)
    nudge = np.zeros((1, N))
    for epoch in range(EPOCHS):
        moved = [beta * nudge + noise * rng.normal(size=(1, N)) for beta, noise in BETA.values()]
        contributions = np.stack(moved, axis=1)
        nudge = 0.2 * rng.choice([-1.0, 1.0], (1, N))
        yield EpochCells(
            epoch,
            "1",
            present=np.ones((1, N), np.bool_),
            fresh=np.full((1, N), epoch == 0),
            raw_score=contributions.sum(axis=1),
            contributions=contributions,
            nudge=nudge,
            exposures=rng.poisson(20.0, (1, N)).astype(float),
            clicks=rng.poisson(2.0, (1, N)).astype(float),
        )


def _named(allowed):
    detector = feature_path(["model"], list(BETA), allowed)
    for cells in _epochs():
        detector.update(cells)
    return detector.watched.values[int(detector.location().value)]


def test_a_certain_answer_within_its_allowance_does_not_hide_one_that_nobody_allowed():
    assert _named({"declared": 0.1}) == "hidden"


def test_of_certain_answers_the_largest_is_named_and_not_the_most_certain():
    assert _named({}) == "hidden"
    assert _named({"hidden": 1.0}) == "declared"


def test_where_everything_is_within_its_allowance_all_are_looked_at():
    assert _named(dict.fromkeys([*BETA, "unexplained"], 1.0)) == "hidden"
