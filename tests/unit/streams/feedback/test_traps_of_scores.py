"""The traps of loop detection: in each the naive code alarms without a loop; ours does not, or says why."""

from dataclasses import fields, replace

import numpy as np
import pytest

from ranker.experiments.coins import signs
from ranker.experiments.settings import ExperimentSettings
from streams.feedback.base import VerdictKind
from streams.feedback.cells import EpochCells
from streams.feedback.controls import REASONS
from streams.feedback.cross_model import CrossModel
from streams.feedback.evidence.betting import BettingMixture
from streams.feedback.feature_path import feature_path
from streams.feedback.gain import GainPlan
from streams.feedback.total_score import total_score
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.parts.score_noise import ScoreNoise
from streams.loopbench.samplers import Softmax, TopK
from streams.loopbench.world import Scale, World

RUNS, EPOCHS, ITEMS, DELTA = 20, 25, 300, 0.2
TICKET = np.log(100.0)


@pytest.fixture(scope="module")
def quiet():
    """Epochs without a loop, 20 seeds side by side: quality drifts, users see the top of their order."""
    return _epochs(Quality(walk=0.1, reversion=0.03), ScoreNoise())


@pytest.fixture(scope="module")
def noisy():
    """The same, but scores are mostly noise: it decides who is shown, and is gone in the next epoch."""
    return _epochs(Quality(spread=0.2), ScoreNoise(0.3))


def _epochs(*parts):
    scale = Scale(items=ITEMS, events=25.0 * ITEMS, delta=DELTA, settling=1)
    world = World(parts, TopK(), scale, range(RUNS))
    return [world.step() for _ in range(EPOCHS)]


def _ours(epochs):
    detector = total_score(["model"])
    alarmed = np.zeros(RUNS, np.bool_)
    for cells in epochs:
        detector.update(cells)
        alarmed |= np.isin(detector.kinds(), [VerdictKind.WARNING, VerdictKind.LOOP_DETECTED])
    return detector, alarmed.mean()


def _reasons(detector):
    return {REASONS[code] for code in np.unique(detector._memory.standing.code)}


def _bet(changes, nudges):
    """Share of the runs in which naive bets on (epochs, runs, n) ``changes`` ever reach a ticket."""
    process, alarmed = BettingMixture((RUNS,)), np.zeros(RUNS, np.bool_)
    for change, nudge in zip(changes, nudges, strict=True):
        scale = 4 * np.nanstd(change, axis=-1, keepdims=True)
        process.update(np.nan_to_num(np.clip(change / scale, -1, 1) * np.sign(nudge)))
        alarmed |= process.log_evidence() >= TICKET
    return alarmed.mean()


def _column(epochs, name):
    return np.stack([getattr(cells, name)[:, 0] for cells in epochs])


def test_without_a_trap_ours_is_quiet(quiet):
    detector, alarms = _ours(quiet)
    assert alarms == 0
    assert set(detector.kinds()) == {VerdictKind.QUIET}


def _centred_by(values, by):
    """(..., n) values minus the mean of those with a similar ``by``."""
    order = by.argsort(axis=-1)
    groups = np.take_along_axis(values, order, axis=-1).reshape(*values.shape[:-1], 10, -1)
    centred = (groups - groups.mean(axis=-1, keepdims=True)).reshape(values.shape)
    return np.take_along_axis(centred, order.argsort(axis=-1), axis=-1)


def test_1_adjusting_on_exposure_after_the_nudge_alarms(noisy):
    changes, nudges = np.diff(_column(noisy, "raw_score"), axis=0), _column(noisy, "nudge")[:-1]
    after, before = _column(noisy, "exposures")[:-1], _column(noisy, "raw_score")[:-1]
    assert _bet(_centred_by(changes, after), nudges) > 0.5
    assert _bet(_centred_by(changes, before), nudges) <= 0.05
    assert _ours(noisy)[1] == 0


def test_2_raw_scores_of_shown_items_only_alarm_and_make_ours_blind(noisy):
    shown = [replace(c, raw_score=np.where(c.exposures > 25, c.raw_score, np.nan)) for c in noisy]
    scores = _column(shown, "raw_score")
    assert _bet(np.diff(scores, axis=0), _column(shown, "nudge")[:-1]) > 0.5
    detector, alarms = _ours(shown)
    assert alarms == 0
    assert set(detector.kinds()) == {VerdictKind.BLIND}
    assert _reasons(detector) <= {"scores_missing", "scores_missing_by_nudge"}


def test_2_a_few_missing_scores_are_enough_when_they_follow_the_nudge(quiet):
    """One in fifty is below what counts as many, but coins do not choose which."""
    rng = np.random.default_rng(4)
    holes = [
        replace(
            c, raw_score=np.where((c.nudge < 0) & (rng.random(c.nudge.shape) < 0.04), np.nan, c.raw_score)
        )
        for c in quiet
    ]
    detector, _ = _ours(holes)
    assert _reasons(detector) == {"scores_missing_by_nudge"}
    assert set(detector.kinds()) == {VerdictKind.BLIND}


def test_3_a_p_value_looked_at_after_every_epoch_alarms():
    rng = np.random.default_rng(1)
    sums = (rng.choice([-1.0, 1.0], (1000, 60, 100)) * rng.normal(0, 1, (1000, 60, 100))).sum(axis=-1)
    z = sums.cumsum(axis=-1) / np.sqrt(100 * np.arange(1, 61))
    process, alarmed = BettingMixture((1000,)), np.zeros(1000, np.bool_)
    for _ in range(60):
        process.update(
            rng.choice([-1.0, 1.0], (1000, 100)) * np.clip(rng.normal(0, 0.25, (1000, 100)), -1, 1)
        )
        alarmed |= process.log_evidence() >= TICKET
    assert (np.abs(z) > 2.576).any(axis=-1).mean() > 0.04
    assert alarmed.mean() <= 0.01


def test_4_events_counted_as_independent_alarm(quiet):
    """A t-test in which every exposure of an item brings the item's change again."""
    scores, shown, nudges = (_column(quiet, name) for name in ("raw_score", "exposures", "nudge"))
    change, weight, sign = np.diff(scores, axis=0), shown[:-1], np.sign(nudges[:-1])
    total, spread = (weight * change * sign).sum(axis=(0, 2)), (weight * change**2).sum(axis=(0, 2))
    assert (np.abs(total / np.sqrt(spread)) > 2.576).mean() > 0.2
    assert _ours(quiet)[1] == 0


def test_5_a_nudge_in_the_logged_raw_score_alarms_and_makes_ours_blind(quiet):
    leaking = [replace(c, raw_score=c.raw_score + 0.5 * c.nudge) for c in quiet]
    assert _bet(np.diff(_column(leaking, "raw_score"), axis=0), _column(leaking, "nudge")[:-1]) > 0.9
    detector, _ = _ours(leaking)
    assert set(detector.kinds()) == {VerdictKind.BLIND}
    assert _reasons(detector) == {"nudge_in_score"}


def test_5_a_nudge_that_comes_back_in_the_next_score_is_a_loop(quiet):
    """It does not matter how it got there."""
    before = [np.zeros_like(quiet[0].nudge), *(cells.nudge for cells in quiet)]
    back = [replace(c, raw_score=c.raw_score + 0.3 * nudge) for c, nudge in zip(quiet, before, strict=False)]
    detector, _ = _ours(back)
    assert set(detector.kinds()) == {VerdictKind.LOOP_DETECTED}


def test_5_a_nudge_in_a_feature_before_it_acts_makes_ours_blind(quiet):
    detector = feature_path(["model"], ["quality", "score_noise"])
    for cells in quiet:
        leak = np.stack([0.3 * cells.nudge, np.zeros_like(cells.nudge)], axis=-2)
        contributions = cells.contributions + leak
        detector.update(replace(cells, contributions=contributions, raw_score=contributions.sum(axis=-2)))
    assert set(detector.kinds()) == {VerdictKind.BLIND}
    assert _reasons(detector) == {"nudge_in_score"}


def _with_last_score(epochs, read):
    """The same ranker with one more feature: a fifth of what ``read`` found of an item in the last epoch."""
    last = np.zeros_like(epochs[0].raw_score)
    for cells in epochs:
        feature = 0.2 * last
        contributions = np.concatenate([cells.contributions, feature[..., None, :]], axis=-2)
        grown = replace(cells, raw_score=cells.raw_score + feature, contributions=contributions)
        yield grown
        last = read(grown)


def _watched_by_feature(epochs):
    detector = feature_path(["model"], ["quality", "score_noise", "last_score"])
    for cells in epochs:
        detector.update(cells)
    return detector


def test_5_a_feature_that_reads_published_scores_is_a_loop_and_is_named(quiet):
    detector = _watched_by_feature(_with_last_score(quiet, lambda cells: cells.raw_score + cells.nudge))
    assert set(detector.kinds()) == {VerdictKind.LOOP_DETECTED}
    assert {detector.watched.values[place] for place in detector.location().value} == {"last_score"}
    assert set(detector.location().lag_epochs) == {1}
    assert detector.beta().estimate[:, 0, 2] == pytest.approx(0.2, rel=0.05)


def test_5_a_feature_that_reads_raw_scores_is_none(quiet):
    """It knows everything of the epoch before, but the coin."""
    detector = _watched_by_feature(_with_last_score(quiet, lambda cells: cells.raw_score))
    assert set(detector.kinds()) == {VerdictKind.QUIET}


def test_6_signs_that_repeat_alarm_and_make_ours_blind(quiet):
    """A salt without the epoch: each item has one sign for good, and each item has a trend of its own."""
    slope = 0.3 * np.random.default_rng(2).standard_normal((RUNS, 1, ITEMS))
    always = [replace(c, nudge=quiet[0].nudge, raw_score=c.raw_score + c.epoch * slope) for c in quiet]
    assert _bet(np.diff(_column(always, "raw_score"), axis=0), _column(always, "nudge")[:-1]) > 0.2
    detector, alarms = _ours(always)
    assert alarms == 0
    assert set(detector.kinds()) == {VerdictKind.BLIND}
    assert _reasons(detector) == {"signs_repeat"}


UNITS = [f"i{n}" for n in range(ITEMS)]
FIXED_ARM = -1


def _beside_a_test(quiet, nudge_salt, test_salt, *, nudge_epoch=True, redrawn=True):
    """Nudges, and an A/B test of items whose arm gains .1 an epoch, by the coins that production tosses.

    ``nudge_epoch``, ``redrawn``: whether the epoch is part of the nudges' coin, of the test's.
    """
    level, epochs = np.zeros(ITEMS), []
    for cells in quiet:
        coin = signs(nudge_salt, cells.epoch if nudge_epoch else FIXED_ARM, UNITS)
        arm = signs(test_salt, cells.epoch if redrawn else FIXED_ARM, UNITS)
        nudge = np.broadcast_to(DELTA * coin, cells.nudge.shape)
        epochs.append(replace(cells, nudge=nudge, raw_score=cells.raw_score + level))
        level = level + 0.1 * arm
    return epochs


def _naively(epochs):
    return _bet(np.diff(_column(epochs, "raw_score"), axis=0), _column(epochs, "nudge")[:-1])


def test_6_a_salt_shared_with_an_ab_test_alarms_and_one_of_its_own_does_not(quiet):
    """Nothing in the log tells the test from a loop, so a salt must be shared with nobody."""
    shared = _beside_a_test(quiet, b"salt", b"salt")
    assert _naively(shared) == 1
    assert set(_ours(shared)[0].kinds()) == {VerdictKind.LOOP_DETECTED}
    apart = _beside_a_test(quiet, b"salt of nudges", b"salt of the test")
    assert _naively(apart) <= 0.05
    assert set(_ours(apart)[0].kinds()) == {VerdictKind.QUIET}


def test_6_among_our_own_experiments_a_shared_salt_is_refused():
    with pytest.raises(ValueError, match="must differ from each other"):
        ExperimentSettings(nudge_delta=DELTA, nudge_salt="salt", explore_share=0.1, explore_salt="salt")


def test_6_without_the_epoch_a_shared_salt_alarms_and_makes_ours_blind(quiet):
    naive = _beside_a_test(quiet, b"salt", b"salt", nudge_epoch=False, redrawn=False)
    assert _naively(naive) == 1
    detector, alarms = _ours(naive)
    assert alarms == 0
    assert set(detector.kinds()) == {VerdictKind.BLIND}
    assert _reasons(detector) == {"signs_repeat"}


def test_6_with_the_epoch_even_a_shared_salt_knows_nothing_of_arms_that_stay(quiet):
    ours = _beside_a_test(quiet, b"salt", b"salt", redrawn=False)
    assert _naively(ours) <= 0.05
    assert set(_ours(ours)[0].kinds()) == {VerdictKind.QUIET}


def _two_models(turned=1.0):
    """Each counts its own clicks only; the second one's salt is the first one's."""
    scale = Scale(subjects=2, items=ITEMS, events=25.0 * ITEMS, delta=DELTA)
    world = World([ClickCount(0.5), Quality(walk=0.1, reversion=0.03)], Softmax(), scale, range(RUNS))
    toss = world.noise.signs
    world.noise.signs = lambda: toss()[:, :1] * np.array([[1.0], [turned]])
    return [world.step() for _ in range(EPOCHS)]


@pytest.mark.parametrize("turned", [1.0, -1.0])
def test_6_a_salt_shared_by_two_models_makes_edges_between_them_and_ours_blind(turned):
    naive, ours = CrossModel(["home", "search"]), CrossModel(["home", "search"])
    naive.apart = False
    for cells in _two_models(turned):
        naive.update(cells)
        ours.update(cells)
    assert naive.edges().any(axis=(-1, -2)).mean() > 0.9
    assert not ours.edges().any()
    assert set(ours.kinds()) == {VerdictKind.BLIND}
    assert _reasons(ours) == {"signs_shared"}


def test_6_slices_of_one_model_may_share_their_signs():
    detector = feature_path(["young", "old"], ["click_count", "quality"])
    for cells in _two_models():
        detector.update(cells)
    assert set(detector.kinds()) == {VerdictKind.LOOP_DETECTED}


def test_7_the_smallest_p_over_lags_alarms_where_the_average_of_evidence_does_not():
    rng = np.random.default_rng(3)
    signs, changes = rng.choice([-1.0, 1.0], (600, 200)), rng.normal(0, 1, (600, 200))
    lags = (1, 2, 3, 5, 7, 10)
    z = np.stack([(signs[:, :-lag] * changes[:, lag:]).sum(-1) / np.sqrt(200 - lag) for lag in lags])
    assert (np.abs(z) > 2.576).any(axis=0).mean() > 0.03
    by_lag = BettingMixture((600, len(lags)))
    bounded = np.clip(changes / 4, -1, 1)
    padded = [np.pad(signs[:, :-lag] * bounded[:, lag:], ((0, 0), (0, lag))) for lag in lags]
    by_lag.update(np.stack(padded, axis=1))
    assert (np.exp(by_lag.log_evidence()).mean(axis=-1) >= 100).mean() <= 0.01


def test_10_beta_from_clipped_responses_is_too_small(quiet):
    """Ours bets on clipped responses, but estimates from what they were."""
    beta = 0.5
    before = [np.zeros_like(quiet[0].nudge), *(cells.nudge for cells in quiet)]
    strong = [replace(c, raw_score=c.raw_score + beta * n) for c, n in zip(quiet, before, strict=False)]
    detector, _ = _ours(strong)
    changes, nudges = np.diff(_column(strong, "raw_score"), axis=0), _column(strong, "nudge")[:-1]
    scale = 1.4826 * np.median(np.abs(changes - np.median(changes)))
    naive = (np.clip(changes, -scale, scale) * np.sign(nudges)).mean() / DELTA
    assert naive < 0.85 * beta
    assert detector.beta().estimate.mean() == pytest.approx(beta, rel=0.05)


def _first_run(cells):
    """As production has it: verdicts are of one run."""
    kept = {field.name: getattr(cells, field.name) for field in fields(cells)}
    return EpochCells(**{name: v[0] if isinstance(v, np.ndarray) else v for name, v in kept.items()})


def _popularity_nudged_by(delta, sampler):
    scale = Scale(items=ITEMS, events=25.0 * ITEMS, delta=delta)
    return World([ClickCount(0.07), Quality()], sampler, scale, range(8))


@pytest.mark.parametrize("sampler", [Softmax(), TopK()])
@pytest.mark.parametrize(("delta", "large"), [(0.2, False), (0.8, True)])
def test_10_large_nudges_saturate_and_the_verdict_says_so(sampler, delta, large):
    """Per unit they do less than small ones, and no estimate mends that: β is of the nudges there were."""
    small, world = _popularity_nudged_by(0.05, sampler), _popularity_nudged_by(delta, sampler)
    detector, production = (feature_path(["model"], ["click_count", "quality"]) for _ in range(2))
    for _ in range(EPOCHS):
        small.step()
        cells = world.step()
        detector.update(cells)
        production.update(_first_run(cells))
    beta = detector.beta().estimate[:, 0, 0].mean()
    true, true_of_small = (each.truth.as_estimated[:, 0, 0].mean() for each in (world, small))
    assert beta == pytest.approx(true, rel=0.1)
    assert beta == pytest.approx(true_of_small, rel=0.2) or large
    assert beta < 0.8 * true_of_small or not large
    evidence = production.verdict(1).evidence
    assert evidence["nudges_large"] is large
    assert evidence["nudge_share"] == pytest.approx(delta / cells.raw_score[0].std())


def test_10_how_large_nudges_were_is_known_when_they_have_ended_and_after_a_restart(quiet):
    detector = total_score(["model"])
    for cells in quiet[:5]:
        detector.update(_first_run(cells))
    share = detector.verdict(1).evidence["nudge_share"]
    assert share == pytest.approx(DELTA / quiet[4].raw_score[0].std())
    for cells in quiet[5:]:
        detector.update(_first_run(replace(cells, nudge=np.zeros_like(cells.nudge))))
    again = total_score(["model"])
    again.restore(detector.state())
    assert detector.verdict(1).evidence["nudge_share"] == again.verdict(1).evidence["nudge_share"] == share


def _click_count_world(memory, seeds):
    scale = Scale(items=ITEMS, events=25.0 * ITEMS, delta=DELTA)
    return World([ClickCount(0.15, memory=memory), Quality()], Softmax(), scale, seeds)


def _sustained(memory):
    """What scores gain in the end, per unit, where nudges stay as they are."""
    world = _click_count_world(memory, range(100, 108))
    signs = world.noise.signs()
    world.noise.signs = lambda: signs
    late = [world.step().contributions[:, :, 0] for _ in range(30)][15:]
    return (np.mean(late, axis=0) * signs).mean() / DELTA


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_7_beta_after_one_epoch_is_not_the_risk_but_the_long_run_gain_is(memory):
    """A slow feature hides in β_1; what it does in the end is in G."""
    detector = feature_path(["model"], ["click_count", "quality"], gain_plan=GainPlan(20))
    world = _click_count_world(memory, range(8))
    for _ in range(45):
        detector.update(world.step())
    gain, beta, truth = detector.gain(), detector.beta().estimate[:, 0, 0].mean(), _sustained(memory)
    assert ((gain.lower[:, 0, 0] <= truth) & (truth <= gain.upper[:, 0, 0])).mean() >= 0.75
    assert gain.estimate[:, 0, 0].mean() == pytest.approx(truth, rel=0.3)
    if memory:
        assert beta < truth / 4
