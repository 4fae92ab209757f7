"""What experiments are found to cost."""

from dataclasses import replace

import pytest

from ranker.experiments.nudge import Nudges
from ranker.pipeline.arms import Arms, Exploration
from ranker.selectors.by_score import ByScore
from ranker.selectors.exploring import Exploring
from ranker.side_effects.answer import Answer
from ranker.side_effects.experiment_cost import ExperimentCost
from tests.unit.ranker.world import NOW_MS, SERVICE, World

EXPLORES = Exploration(0.5, 3, 0, 0.99)


def spread_out(user, candidates, ids):
    click = (ids[:, 1] % 97 / 97).astype("float32")
    return {"click": click, "like": click}


def answer(arms, delta=0.0):
    world = World(nudger=Nudges(b"salt", delta), selector=Exploring(ByScore()), model=spread_out)
    query = replace(world.query(world.announce(40), limit=10), arms=arms)
    return Answer(query, world.pipeline().rank(query), b"", NOW_MS, SERVICE.fingerprint)


def costs(arms, delta=0.0):
    spent = {}
    cost = ExperimentCost({}, ByScore(), spent.__setitem__, nudges="nudges", exploration="exploration")
    cost.apply([answer(arms, delta)] * 8)
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
