"""What the selector obeys for any scores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_store.clock import ManualClock
from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.query import Query
from ranker.selectors.by_score import ByScore, spread

any_score = st.floats(allow_nan=True, allow_infinity=True, width=64)
real_score = st.floats(allow_nan=False, allow_infinity=False)
creators = st.integers(0, 3)
rules = st.sampled_from([(0, 0), (1, 2), (1, 3), (2, 5)])


def batch_of(creator_hash: list[int]) -> CandidateBatch:
    n = len(creator_hash)
    return CandidateBatch(
        item_ids=[f"i{i}" for i in range(n)],
        rows=np.arange(n),
        item_hash=np.arange(1, n + 1) * 7919,
        creator_hash=np.array(creator_hash, np.int64),
        partitions=np.zeros(n, np.int32),
        sources=np.zeros(n, np.int32),
        source_names=("request",),
    )


def query(limit: int, request_id: str = "r") -> Query:
    return Query(request_id, "u", "home", None, limit, 0, False, Deadline(ManualClock(), 100.0))


@given(st.lists(st.tuples(any_score, creators), max_size=40), st.integers(0, 50), rules)
def test_propensities_lie_in_0_1_and_every_place_is_taken_once(candidates, limit, rule):
    scores = np.array([score for score, _ in candidates])
    slate = ByScore(*rule).select(query(limit), batch_of([creator for _, creator in candidates]), scores)
    assert len(slate.order) == len(slate.propensities) == min(limit, len(candidates))
    assert len(set(slate.order.tolist())) == len(slate.order)
    assert ((slate.propensities > 0) & (slate.propensities <= 1)).all()


@given(st.lists(st.tuples(real_score, creators), min_size=1, max_size=40), rules, st.data())
def test_a_higher_score_never_means_a_later_position(candidates, rule, data):
    scores = np.array([score for score, _ in candidates])
    batch = batch_of([creator for _, creator in candidates])
    place = data.draw(st.integers(0, len(candidates) - 1))
    raised = scores.copy()
    raised[place] = data.draw(st.floats(min_value=scores[place], allow_infinity=False, allow_nan=False))
    before, after = (
        ByScore(*rule).select(query(len(candidates)), batch, each).order.tolist().index(place)
        for each in (scores, raised)
    )
    assert after <= before


@given(st.lists(any_score, min_size=1, max_size=40))
def test_without_a_creator_rule_scores_fall_and_what_is_not_finite_comes_last(scores):
    column = np.array(scores)
    order = ByScore().select(query(len(scores)), batch_of([0] * len(scores)), column).order
    finite = np.isfinite(column[order])
    assert not (~finite[:-1] & finite[1:]).any()
    assert (np.diff(column[order][finite]) <= 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(-5, 5))
def test_the_ips_estimate_of_a_constant_reward_is_that_reward(scores, reward):
    """One action a position, always the same: the estimate is the reward itself."""
    slate = ByScore().select(query(len(scores)), batch_of([0] * len(scores)), np.array(scores))
    assert np.isclose(np.mean(reward / slate.propensities), reward, atol=0)


@given(st.lists(creators, max_size=40), st.integers(0, 40), st.sampled_from([(1, 2), (1, 3), (2, 5), (3, 4)]))
def test_no_creator_is_denser_than_allowed_while_others_wait(sorted_creators, limit, rule):
    most, window = rule
    places = spread(sorted_creators, limit, most, window)
    for position, place in enumerate(places):
        recent = [sorted_creators[each] for each in places[max(0, position - window + 1) : position]]
        left = [each for each in range(len(sorted_creators)) if each not in places[:position]]
        allowed = [
            each for each in left if sorted_creators[each] == 0 or recent.count(sorted_creators[each]) < most
        ]
        assert place == (allowed or left)[0]


@given(st.lists(real_score, min_size=2, max_size=20))
def test_equal_scores_are_ordered_by_the_request(scores):
    flat = np.full(len(scores), scores[0])
    batch = batch_of([0] * len(scores))
    asked = (query(len(scores), f"r{n}") for n in range(64))
    assert len({tuple(ByScore().select(each, batch, flat).order.tolist()) for each in asked}) > 1
