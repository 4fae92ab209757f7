"""D5: only a deploy time that was drawn says anything about the deploy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feedback.base import VerdictKind
from streams.feedback.evidence.betting import log_mean_exp
from streams.feedback.retrain_echo import (
    BEFORE_AFTER,
    POWERS,
    RISE_FROM,
    WARM_UP,
    Retrain,
    RetrainEchoDetector,
    jumps_by_slot,
    randomised_rank,
)
from streams.loopbench.worlds.retraining import RetrainScale, retrains


def played(scale: RetrainScale, seed: int, most: int = 40) -> RetrainEchoDetector:
    detector = RetrainEchoDetector(seed)
    for retrain in retrains(scale, seed, most):
        detector.update(retrain)
    return detector


def test_an_echo_is_found_with_its_size() -> None:
    verdicts = [played(RetrainScale(echo=2.0), seed).verdict(1) for seed in range(10)]
    assert all(verdict.kind is VerdictKind.LOOP_DETECTED for verdict in verdicts)
    jumps = [verdict.evidence["kpi_jump"] - verdict.evidence["kpi_jump_of_any_slot"] for verdict in verdicts]  # type: ignore[operator]
    assert 1.0 < np.mean(jumps) < 2.0


def test_seasons_and_trends_are_no_echo() -> None:
    quiet = [played(RetrainScale(echo=0.0), seed).verdict(1).kind for seed in range(60)]
    assert quiet.count(VerdictKind.LOOP_DETECTED) <= 1  # 0.06 expected at most
    assert quiet.count(VerdictKind.QUIET) >= 57


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_constant_kpi_is_no_echo_however_often_it_is_looked_at(level: float) -> None:
    """All slots tie: ranks are uniform by the coin that breaks ties, and 1 in 100 lives gets a ticket."""
    kinds = []
    for seed in range(60):
        detector, draws = RetrainEchoDetector(seed), np.random.default_rng(seed)
        for number in range(80):
            detector.update(Retrain(number, np.full(63, level), int(draws.integers(48))))
        kinds.append(detector.verdict(1).kind)
        rise = detector.verdict(1).beta
        assert rise is not None
        assert (rise.lower, rise.value, rise.upper) == (0.0, 0.0, 0.0)
    assert kinds.count(VerdictKind.LOOP_DETECTED) == 0
    assert kinds.count(VerdictKind.QUIET) >= 59


def test_the_rise_at_deploys_has_a_confidence_sequence() -> None:
    """Of 2400 lives of 60 deploys 3.9 % ever missed; of 40 lives that end no more than five miss then."""
    missed = 0
    for seed in range(40):
        rise = played(RetrainScale(echo=0.0), seed).verdict(1).beta
        assert rise is not None
        missed += not rise.lower <= 0 <= rise.upper
    assert missed <= 5
    assert played(RetrainScale(), 0, RISE_FROM - 1).verdict(1).beta is None


def test_a_draw_that_was_not_followed_has_the_worst_rank() -> None:
    detector = RetrainEchoDetector(0)
    for retrain in retrains(RetrainScale(echo=3.0), 0, 8):
        detector.update(replace(retrain, followed=False))
    np.testing.assert_allclose(detector.log_capital, 8 * np.log(POWERS))
    evidence = detector.verdict(1).evidence
    assert (evidence["not_followed"], evidence["kpi_jump"]) == (8, 0.0)


def test_it_says_nothing_of_the_first_retrains() -> None:
    detector = RetrainEchoDetector(0)
    for number in range(WARM_UP - 1):
        detector.update(Retrain(number, np.arange(63.0) ** 2, 47 - 9 * number))
    verdict = detector.verdict(1)
    assert verdict.kind is VerdictKind.WARMING_UP
    assert verdict.reason == "4 of 5 retrains were seen"


def test_a_deploy_time_that_is_not_drawn_finds_the_time_of_day() -> None:
    """Trap: always deployed as the daily season rises; ranks alone alarm, the detector refuses."""
    naive = refused = 0
    for seed in range(20):
        log_capital = np.zeros(len(POWERS))
        detector = RetrainEchoDetector(seed)
        for retrain in retrains(RetrainScale(echo=0.0, fixed_slot=47), seed, 40):
            rank = randomised_rank(jumps_by_slot(retrain.kpi), retrain.slot, 0.5)
            log_capital += np.log(POWERS) + (POWERS - 1) * np.log(rank)
            detector.update(retrain)
        naive += log_capital.max() > np.log(100)
        verdict = detector.verdict(1)
        refused += verdict.kind is VerdictKind.BLIND and "not spread over their window" in verdict.reason
    assert naive >= 15
    assert refused == 20


_DAY_SLOTS = 96


def test_placebo_times_of_the_whole_day_find_the_time_of_day() -> None:
    """Trap: deploys are drawn from four hours in which the season rises; no other hour is a placebo."""
    scale = RetrainScale(echo=0.0, season=-4.0, slots=16)
    naive = 0
    for seed in range(20):
        log_capital = np.zeros(len(POWERS))
        all_day = retrains(replace(scale, slots=_DAY_SLOTS), seed, 40)
        for drawn, day in zip(retrains(scale, seed, 40), all_day, strict=True):
            np.testing.assert_array_equal(drawn.kpi, day.kpi[: len(drawn.kpi)])
            rank = randomised_rank(jumps_by_slot(day.kpi), drawn.slot, 0.5)
            log_capital += np.log(POWERS) + (POWERS - 1) * np.log(rank)
        naive += log_mean_exp(log_capital, axis=-1) > np.log(100)
    assert naive >= 15
    assert {played(scale, seed).verdict(1).kind for seed in range(20)} == {VerdictKind.QUIET}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9))
def test_the_rank_of_a_drawn_place_is_uniform(values: list[int]) -> None:
    """The ranks that each place may get fill (0, 1] evenly: as many places as parts of that length."""
    array = np.array(values, dtype=np.float64)
    spans = [
        (randomised_rank(array, place, 1.0), randomised_rank(array, place, 0.0))
        for place in range(len(values))
    ]
    for part in (np.arange(len(values)) + 0.5) / len(values):
        density = sum(1 / (high - low) / len(values) for low, high in spans if low < part < high)
        assert density == pytest.approx(1.0)


def test_jumps_are_means_after_less_means_before() -> None:
    kpi = np.random.default_rng(0).normal(size=2 * BEFORE_AFTER + 4)
    by_hand = [
        kpi[slot + BEFORE_AFTER : slot + 2 * BEFORE_AFTER].mean() - kpi[slot : slot + BEFORE_AFTER].mean()
        for slot in range(5)
    ]
    np.testing.assert_allclose(jumps_by_slot(kpi), by_hand)


@pytest.mark.parametrize(
    ("retrain", "message"),
    [
        (lambda: Retrain(0, np.zeros(20), 5), "slot: 5 is not within the 5 slots"),
        (lambda: Retrain(0, np.array([np.nan] * 20), 0), "kpi: not all values are finite"),
    ],
)
def test_impossible_retrains_are_refused(retrain: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retrain()  # type: ignore[operator]
