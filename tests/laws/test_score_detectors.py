"""Laws of all detectors of scores."""

from dataclasses import fields, replace

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.board import score_board
from streams.feedback.cross_model import CrossModel
from streams.feedback.feature_path import feature_path
from streams.feedback.gain import GainPlan
from streams.feedback.null import NullDetector, RandomDetector
from streams.feedback.total_score import total_score
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.parts.score_noise import ScoreNoise
from streams.loopbench.samplers import Softmax
from streams.loopbench.world import Scale, World

MODELS, FEATURES = ("home", "search"), ("click_count", "quality", "other")
MAKERS = {
    "feature_path": lambda: feature_path(MODELS, FEATURES, gain_plan=GainPlan(4, stride=4)),
    "total_score": lambda: total_score(MODELS, gain_plan=GainPlan(3)),
    "cross_model": lambda: CrossModel(MODELS),
    "random": lambda: RandomDetector(MODELS, 3),
    "null": NullDetector,
    "board": lambda: score_board(MODELS, FEATURES),
}
EPOCHS, DELTA = 14, 0.2


def _cells(strength=0.6):
    """One run of a small world with two models, as production has it."""
    parts = [ClickCount(strength), Quality(walk=0.05, reversion=0.03), ScoreNoise()]
    world = World(parts, Softmax(), Scale(subjects=2, items=150, events=6000.0, delta=DELTA), [11])
    return [_without_runs(world.step()) for _ in range(EPOCHS)]


def _without_runs(cells):
    kept = {field.name: getattr(cells, field.name) for field in fields(cells)}
    return type(cells)(**{name: v[0] if isinstance(v, np.ndarray) else v for name, v in kept.items()})


CELLS = _cells()


def _fed(detector, epochs):
    for cells in epochs:
        detector.update(cells)
    return detector


def _by_slot(cells, order):
    """The same cells with items in other slots."""
    kept = {field.name: getattr(cells, field.name) for field in fields(cells)}
    return replace(cells, **{n: v[..., order] for n, v in kept.items() if isinstance(v, np.ndarray)})


every_detector = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_detector
def test_the_same_cells_give_the_same_bits(make):
    first, second = _fed(make(), CELLS), _fed(make(), CELLS)
    assert first.verdict(1) == second.verdict(1)
    _assert_same_state(first, second)


@every_detector
@pytest.mark.parametrize("stopped_after", [0, 1, 5, EPOCHS - 1])
def test_a_restored_detector_goes_on_as_if_nothing_had_happened(make, stopped_after):
    whole, first = _fed(make(), CELLS), _fed(make(), CELLS[:stopped_after])
    second = make()
    second.restore(first.state())
    _fed(second, CELLS[stopped_after:])
    assert second.verdict(1) == whole.verdict(1)
    _assert_same_state(second, whole)


@every_detector
def test_a_reset_detector_knows_nothing(make):
    detector = _fed(make(), CELLS)
    detector.reset()
    assert detector.verdict(1) == make().verdict(1)


@every_detector
def test_its_verdict_names_it_and_its_thresholds(make):
    verdict = _fed(make(), CELLS).verdict(77)
    assert (verdict.ticket, verdict.page, verdict.now_ms) == (100.0, 1000.0, 77)
    assert verdict.detector == make().name


@pytest.mark.parametrize("name", ["feature_path", "total_score", "cross_model", "board"])
def test_which_slot_an_item_has_does_not_matter(name):
    order = np.random.default_rng(1).permutation(150)
    here = _fed(MAKERS[name](), CELLS)
    there = _fed(MAKERS[name](), [_by_slot(cells, order) for cells in CELLS])
    assert there.log_evidence() == pytest.approx(here.log_evidence(), abs=1e-6)


@pytest.mark.parametrize("name", ["feature_path", "total_score", "board"])
def test_a_strong_loop_is_found_and_named(name):
    verdict = _fed(MAKERS[name](), CELLS).verdict(1)
    assert verdict.kind is VerdictKind.LOOP_DETECTED
    assert verdict.statistic >= np.log(1000)
    assert verdict.beta.lower > 0
    if name != "total_score":
        assert verdict.evidence["value"] == "click_count"
        assert verdict.evidence["lag_epochs"] == 1
        assert set(verdict.evidence["subjects"]) == set(MODELS)


@pytest.mark.parametrize("name", ["feature_path", "total_score", "cross_model", "board"])
def test_a_verdict_says_how_large_nudges_are_beside_the_scores(name):
    shares = [DELTA / scores.std() for scores in CELLS[-1].raw_score]
    evidence = _fed(MAKERS[name](), CELLS).verdict(1).evidence
    assert min(abs(evidence["nudge_share"] - share) for share in shares) < 1e-12
    assert evidence["nudges_large"] is False


def test_nudges_the_other_way_turn_beta_round():
    turned = [replace(cells, nudge=-cells.nudge) for cells in CELLS]
    here, there = _fed(total_score(MODELS), CELLS), _fed(total_score(MODELS), turned)
    np.testing.assert_allclose(here.beta().estimate, -there.beta().estimate, atol=1e-12)
    assert here.log_evidence() == pytest.approx(there.log_evidence(), abs=1e-9)


def test_coins_that_were_not_logged_prove_nothing():
    assert _fed(RandomDetector(MODELS, 3), CELLS).verdict(1).kind is VerdictKind.QUIET


def test_slots_may_be_added_as_items_become_known():
    small = [_by_slot(cells, np.arange(100)) for cells in CELLS[:5]]
    detector = _fed(total_score(MODELS), small)
    joined = replace(CELLS[5], fresh=np.broadcast_to(np.arange(150) >= 100, (2, 150)))
    _fed(detector, [joined, *CELLS[6:]])
    assert detector.verdict(1).kind is VerdictKind.LOOP_DETECTED


def test_the_safe_interval_is_wider_and_holds_the_same_beta():
    verdict = _fed(feature_path(MODELS, FEATURES), CELLS).verdict(1)
    safe = verdict.evidence["safe_beta"]
    assert safe["lower"] < verdict.beta.value < safe["upper"]
    assert safe["upper"] - safe["lower"] > 0.8 * (verdict.beta.upper - verdict.beta.lower)


def _assert_same_state(first, second):
    one, other = first.state(), second.state()
    assert one.keys() == other.keys()
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path], path)
