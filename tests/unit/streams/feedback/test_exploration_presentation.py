"""D3 on presentation: the unit that was assigned is the unit of evidence."""

import dataclasses

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.exploration_presentation import (
    BLIND_AFTER_EPOCHS,
    ExplorationRows,
    PresentationDetector,
)
from streams.loopbench.worlds.presentation import PresentationScale, presentation_rows

HALF = np.full(4000, 0.5)
USERS = PresentationScale(users=1000, by_user=True, user_sd=1.5, exploration=0.1)


def highest(
    scale: PresentationScale, seed: int, *, rows_independent: bool = False, epochs: int = 20
) -> float:
    detector = PresentationDetector()
    for rows in presentation_rows(scale, seed, epochs):
        if rows_independent:
            rows = dataclasses.replace(rows, cluster=np.arange(len(rows.click)))
        detector.update(rows)
    return float(detector.peak.highest)


def test_rows_of_assigned_users_are_no_independent_rows() -> None:
    """Trap: users that differ, assigned as wholes; W >= 100 in any epoch is a false alarm."""
    naive = sum(highest(USERS, seed, rows_independent=True) >= np.log(100) for seed in range(60))
    ours = sum(highest(USERS, seed) >= np.log(100) for seed in range(60))
    assert naive >= 6
    assert ours <= 3  # 0.6 expected at most


def test_an_effect_of_presentation_is_found_with_its_size() -> None:
    scale = PresentationScale(effect=0.3)
    detector = PresentationDetector()
    for rows in presentation_rows(scale, 1, 20):
        detector.update(rows)
    verdict = detector.verdict(3)
    assert verdict.kind is VerdictKind.LOOP_DETECTED
    assert verdict.beta is not None
    assert verdict.beta.lower < -0.05 * 0.3 < verdict.beta.upper < 0


def test_it_waits_for_enough_units() -> None:
    few = ExplorationRows(
        np.array([True, False]), np.array([1.0, 0.0]), np.full(2, 0.05), np.arange(2), HALF[:2]
    )
    detector = PresentationDetector()
    detector.update(few)
    assert detector.log_evidence() == 0
    assert detector.verdict(0).beta is None


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_equal_outcomes_that_were_expected_are_no_evidence(outcome: float) -> None:
    n = 4000
    rows = ExplorationRows(
        np.arange(n) % 2 == 0, np.full(n, outcome), np.full(n, outcome), np.arange(n), HALF
    )
    detector = PresentationDetector()
    detector.update(rows)
    assert detector.log_evidence() == 0


@pytest.mark.parametrize("propensity", [0.0, 1.0, -0.5])
def test_a_propensity_that_leaves_no_choice_is_refused(propensity: float) -> None:
    with pytest.raises(ValueError, match="propensity"):
        ExplorationRows(
            np.ones(1, np.bool_), np.ones(1), np.ones(1), np.zeros(1, int), np.full(1, propensity)
        )


def test_without_explored_rows_it_is_blind() -> None:
    rows = ExplorationRows(np.zeros(9, np.bool_), np.zeros(9), np.zeros(9), np.arange(9), HALF[:9])
    detector = PresentationDetector()
    for _ in range(BLIND_AFTER_EPOCHS):
        detector.update(rows)
    assert detector.verdict(0).kind is VerdictKind.BLIND
