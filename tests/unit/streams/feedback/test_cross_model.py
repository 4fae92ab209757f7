"""Which edges between models D2 believes, and when they close a cycle."""

from dataclasses import fields

import numpy as np
import pytest

from streams.feedback.cross_model import CrossModel
from streams.loopbench.parts.quality import Quality
from streams.loopbench.samplers import Softmax
from streams.loopbench.world import Scale, World

MODELS = ("home", "search", "mail")
CYCLE = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.bool_)


@pytest.fixture(scope="module")
def state():
    """After the first epoch, in which nothing can have answered yet."""
    world = World([Quality()], Softmax(), Scale(subjects=3, items=30, events=900.0), [1])
    cells = world.step()
    kept = {field.name: getattr(cells, field.name) for field in fields(cells)}
    detector = CrossModel(MODELS)
    detector.update(type(cells)(**{n: v[0] if isinstance(v, np.ndarray) else v for n, v in kept.items()}))
    return detector.state()


def _with_evidence(state, evidence):
    """A detector whose edges have these W."""
    with np.errstate(divide="ignore"):
        logs = np.log(evidence)[..., None, None]
    capital = np.broadcast_to(logs, state["answers.bets.log_capital"].shape)
    detector = CrossModel(MODELS)
    detector.restore({**state, "answers.bets.log_capital": capital})
    return detector


def test_an_edge_is_believed_once_its_evidence_is_enough_for_those_that_have_none_as_well(state):
    """Three of the six have none: the mean of one and those must be 200."""
    almost, enough = (_with_evidence(state, np.where(CYCLE, w, 0.0)) for w in (799.0, 801.0))
    assert not almost.edges().any()
    assert enough.edges().tolist() == CYCLE.tolist()


def test_an_edge_is_not_believed_for_being_one_of_many(state):
    """With a bound on the share of false ones, three certain edges would lend a fourth their evidence."""
    evidence = np.where(CYCLE, 1e9, 0.0)
    evidence[0, 1] = 190.0
    assert _with_evidence(state, evidence).edges().tolist() == CYCLE.tolist()


def test_two_of_three_edges_close_no_cycle(state):
    whole, open_ = np.where(CYCLE, 1e9, 0.0), np.where(CYCLE, 1e9, 0.0)
    open_[0, 2] = 0.0
    assert _with_evidence(state, whole).cyclic()
    assert not _with_evidence(state, open_).cyclic()
