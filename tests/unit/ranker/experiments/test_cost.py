"""What experiments are found to cost."""

from dataclasses import replace

import numpy as np
import pytest

from feature_store.schema.requests import Assignment
from ranker.experiments.nudge import Nudges
from ranker.pipeline.arms import Arms, Exploration
from ranker.pipeline.components import Surface
from ranker.pipeline.fakes import FailingHydrator
from ranker.policies.value_model import ValueModel
from ranker.registry.models import ServedModel
from ranker.selectors.by_score import ByScore
from ranker.selectors.exploring import Exploring
from ranker.side_effects.answer import Answer
from ranker.side_effects.experiment_cost import ExperimentCost, slate_of
from ranker.side_effects.forgone_cost import ForgoneCost
from tests.unit.ranker.world import NOW_MS, SERVICE, World

EXPLORES = Exploration(0.5, 3, 0, 0.99)


def spread_out(user, candidates, ids):
    click = (ids[:, 1] % 97 / 97).astype("float32")
    return {"click": click, "like": click}


def sunk(user, candidates, ids):
    """No number for the last candidate."""
    heads = spread_out(user, candidates, ids)
    heads["click"][-1] = np.nan
    return heads


def answer(arms, delta=0.0, model=spread_out, late=False):
    world = World(nudger=Nudges(b"salt", delta), selector=Exploring(ByScore()), model=model)
    if late:
        world.hydrator = FailingHydrator(world.hydrator, TimeoutError("late"))
    query = replace(world.query(world.announce(40), limit=10), arms=arms)
    return Answer(query, world.pipeline().rank(query), b"", NOW_MS, SERVICE.fingerprint)


def costs(arms, delta=0.0, **kwargs):
    spent = {}
    cost = ExperimentCost(
        {},
        ByScore(),
        lambda name, share, _: spent.update({name: share}),
        nudges="nudges",
        exploration="exploration",
    )
    cost.apply([answer(arms, delta, **kwargs)] * 8)
    return spent


def test_answers_that_nothing_touches_are_not_measured():
    assert costs(Arms()) == {}


def test_a_nudge_that_reorders_nothing_costs_nothing():
    assert costs(Arms(nudge_epoch=1), 1e-9) == {"nudges": pytest.approx(0.0), "exploration": 0.0}


def test_a_large_nudge_costs_what_the_slate_lost():
    outcome = answer(Arms(nudge_epoch=1), 5.0).outcome
    raw, slate = outcome.scores.raw, outcome.slate.order
    best = sorted(raw)[-10:]
    expected = (sum(best) - raw[slate].sum()) / abs(sum(best))
    spent = costs(Arms(nudge_epoch=1), 5.0)
    assert spent["nudges"] == pytest.approx(expected)
    assert spent["nudges"] > 0
    assert spent["exploration"] == 0.0


def test_a_position_given_away_is_charged_to_exploration():
    spent = costs(Arms(exploration=EXPLORES))
    assert spent["exploration"] > 0
    assert spent["nudges"] == 0.0


@pytest.mark.parametrize("without", [{"late": True}, {"model": sunk}], ids=["no_model", "a_sunk_score"])
def test_an_answer_whose_scores_are_not_a_models_throughout_costs_nothing(without):
    assert costs(Arms(nudge_epoch=1, exploration=EXPLORES), 5.0, **without) == {}
    assert forgone_costs(None, lambda n: np.ones(n, np.float32), **without) == []


DRAWN = Arms(assignments={"deploys": Assignment("d/1/3", 1 / 16)})
SURFACE = Surface("test", (), (), ValueModel({"click": 1.0}), ByScore())
WAITS = ServedModel("timeline_ranker", "2", "abc", ("click",))


def forgone_costs(forgone, heads, arms=DRAWN, told_after_ms=0, paused=False, **kwargs):
    """What is told after eight answers, of which the last is measured."""
    told = []
    cost = ForgoneCost(
        "deploys",
        lambda _answer: forgone,
        lambda _model, features: {"click": heads(len(features.ids))},
        {},
        SURFACE,
        lambda *spent: told.append(spent),
        told_after_ms=told_after_ms,
        paused=lambda: paused,
    )
    cost.apply([answer(arms, **kwargs)] * 8)
    return told


def test_it_costs_what_the_version_that_would_have_answered_would_have_shown_instead():
    answered = answer(DRAWN)
    newer = np.linspace(0, 1, len(answered.outcome.scores.raw), dtype=np.float32)
    best, shown = (
        newer[slate_of(ByScore(), answered, scores)].sum() for scores in (newer, answered.outcome.scores.raw)
    )
    ((name, share, answers),) = forgone_costs(WAITS, lambda n: newer)
    assert (name, answers) == ("deploys", 1)
    assert share == pytest.approx((best - shown) / best)
    assert share > 0


def test_where_no_other_version_would_have_answered_nothing_is_lost():
    assert forgone_costs(None, lambda n: np.ones(n, np.float32)) == [("deploys", 0.0, 0)]


def test_the_cost_is_told_once_enough_was_seen_and_of_answers_that_log_it():
    assert forgone_costs(WAITS, lambda n: np.ones(n, np.float32), told_after_ms=1) == []
    assert forgone_costs(WAITS, lambda n: np.ones(n, np.float32), arms=Arms()) == []


def test_scores_that_are_not_finite_measure_nothing():
    assert forgone_costs(WAITS, lambda n: np.full(n, np.nan, np.float32)) == []


def test_a_hold_is_not_the_experiments_cost_or_the_budget_would_release_what_is_held():
    assert forgone_costs(WAITS, lambda n: np.ones(n, np.float32), paused=True) == []
