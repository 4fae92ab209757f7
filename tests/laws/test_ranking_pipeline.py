"""What every ranking obeys, whatever the candidates, the model and the faults."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_store.clock import ManualClock
from ranker.pipeline.fakes import Failing, FailingHydrator
from ranker.selectors.by_score import ByScore
from ranker.sources.shelf import Shelf
from ranker.triton.base import InferenceError, InferenceTimeout
from ranker.triton.function import FunctionClient
from tests.unit.ranker.world import NOW_MS, OLDER, World, answered, scores_by_item

KNOWN = 12
candidates = st.lists(st.integers(0, 2 * KNOWN).map(lambda n: f"i{n}"), max_size=30)
distinct = st.lists(st.integers(0, 2 * KNOWN).map(lambda n: f"i{n}"), min_size=1, max_size=20, unique=True)
diversities = st.sampled_from([ByScore(), ByScore(1, 3), ByScore(2, 5)])
faults = st.sampled_from([ValueError("boom"), TimeoutError("late"), KeyError("x"), ZeroDivisionError()])


def world() -> World:
    made = World()
    made.announce(KNOWN)
    for n in range(KNOWN):
        made.row("item", f"i{n}", impression_count_total=[10.0 + n], click_count_total=[float(n % 5)])
    made.row("user", "u1", impression_count_total=[100.0])
    made.row("user|creator", "u1|c1", click_count_total=[9.0])
    made.row("user|genres", "u1|drama", click_count_total=[4.0])
    return made


WORLD = world()


@given(distinct, st.randoms(use_true_random=False), diversities)
def test_permuting_the_candidates_changes_nothing(ids, rng, selector):
    WORLD.selector = selector
    shuffled = rng.sample(ids, len(ids))
    first, second = (WORLD.pipeline().rank(WORLD.query(order)) for order in (ids, shuffled))
    assert answered(first) == answered(second)
    assert scores_by_item(first) == scores_by_item(second)


@given(distinct, distinct)
def test_further_candidates_change_no_score(ids, more):
    alone = scores_by_item(WORLD.pipeline().rank(WORLD.query(ids)))
    among = scores_by_item(WORLD.pipeline().rank(WORLD.query([*ids, *more])))
    assert {item: among[item] for item in ids} == alone


@given(candidates, st.integers(0, 40), diversities)
def test_the_answer_holds_each_candidate_at_most_once_and_nothing_else(ids, limit, selector):
    WORLD.selector = selector
    outcome = WORLD.pipeline().rank(WORLD.query(ids, limit=limit))
    slate = answered(outcome)
    assert len(slate) == min(limit, len(set(ids)))
    assert set(slate) <= set(ids)
    assert max(Counter(slate).values(), default=0) <= 1


@given(distinct, st.data())
def test_what_the_model_gives_no_number_sinks(ids, data):
    bad = data.draw(st.sets(st.sampled_from(ids)))
    number = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    columns = {item: n for n, item in enumerate(ids)}

    def model(user, candidates, _):
        scores = np.linspace(-1, 1, len(candidates)).astype(np.float32)
        scores[[columns[item] for item in bad]] = number
        return {"click": scores}

    made = world()
    made.model = model
    outcome = made.pipeline().rank(made.query(ids))
    if len(bad) == len(ids):
        assert outcome.degraded == ("model_unavailable", "scored_by_counters")
    else:
        assert set(answered(outcome)[len(ids) - len(bad) :]) == bad
        assert ("scores_not_finite" in outcome.degraded) == bool(bad)
    assert np.isfinite(outcome.scores.published).all()
    assert all(np.isfinite(head).all() for head in outcome.scores.heads.values())


@given(distinct, st.sampled_from(["click", "like"]), st.data())
def test_a_head_without_one_score_for_each_candidate_is_a_failure_of_its_scorer(ids, head, data):
    n = len(ids)
    shape = data.draw(st.sampled_from([(1,), (n + 1,), (n - 1,), (), (n, 1)]).filter(lambda one: one != (n,)))
    made = world()
    made.model = lambda user, candidates, _: {
        name: np.ones(shape if name == head else n, np.float32) for name in ("click", "like")
    }
    outcome = made.pipeline().rank(made.query(ids))
    assert outcome.degraded == ("model_unavailable", "scored_by_counters")
    assert set(answered(outcome)) == set(ids)


@given(
    distinct,
    faults,
    st.sets(st.sampled_from(["filter", "features", "model", "counters", "value", "selector"])),
)
def test_whatever_fails_there_is_an_answer_that_says_so(ids, fault, broken):
    made = world()
    if "filter" in broken:
        made.filters = (Failing("seen", fault), *made.filters[1:])
    if "features" in broken:
        made.hydrator = FailingHydrator(made.hydrator, fault)
    if "model" in broken:
        made.scorers = (Failing("model", fault), *made.scorers[1:])
    if "counters" in broken:
        made.scorers = (*made.scorers[:1], Failing("counters", fault))
    if "value" in broken:
        made.value = Failing("value", fault)
    if "selector" in broken:
        made.selector = Failing("selector", fault)
    outcome = made.pipeline().rank(made.query(ids))

    ending = "late" if isinstance(fault, TimeoutError) else "unavailable"
    assert set(answered(outcome)) == set(ids)
    assert (f"filter_seen_{ending}" in outcome.degraded) == ("filter" in broken)
    assert (f"features_{ending}" in outcome.degraded) == ("features" in broken)
    assert (f"selector_{ending}" in outcome.degraded) == ("selector" in broken)
    scored_without_model = bool(broken & {"features", "model", "value"})
    assert (outcome.scores.model == "") == scored_without_model
    unscored = "features" in broken or "value" in broken or {"model", "counters"} <= broken
    assert ("scored_by_input_order" in outcome.degraded) == unscored
    if unscored:
        assert answered(outcome) == ids


@given(st.lists(st.integers(0, 400), max_size=4), distinct)
def test_a_model_is_never_asked_once_the_deadline_is_over(delays_ms, ids):
    clock = ManualClock()
    made = World(clock=clock)
    slow = [Failing(f"filter{n}", TimeoutError(), clock, delay) for n, delay in enumerate(delays_ms)]
    made.filters = tuple(slow)
    outcome = made.pipeline().rank(made.query(ids))
    assert made.client.calls == (1 if sum(delays_ms) < 500 else 0)
    assert ("model_late" in outcome.degraded) == (sum(delays_ms) >= 500)
    assert len(answered(outcome)) == len(ids)


@given(distinct, st.sampled_from([InferenceError("down"), InferenceTimeout("late")]))
def test_the_last_good_model_answers_for_one_that_does_not(ids, failure):
    made = world()
    made.client.failure = failure
    older = made.scorer_of(FunctionClient({"older": made.model}), "last_good_model", OLDER)
    made.scorers = (made.scorers[0], older, made.scorers[1])
    outcome = made.pipeline().rank(made.query(ids))
    ending = "late" if isinstance(failure, InferenceTimeout) else "unavailable"
    assert outcome.degraded == (f"model_{ending}", "scored_by_last_good_model")
    assert (outcome.scores.model, outcome.scores.version) == ("older", "6")


@given(st.lists(distinct, min_size=1, max_size=3), st.data())
def test_sources_are_asked_only_when_no_candidates_are_named_and_may_fail(shelves, data):
    made = world()
    broken = data.draw(st.sets(st.integers(0, len(shelves) - 1)))
    made.filters = ()
    made.sources = tuple(
        Failing(f"s{n}", ValueError()) if n in broken else _shelf(f"s{n}", ids)
        for n, ids in enumerate(shelves)
    )
    outcome = made.pipeline().rank(made.query(None))
    alive = [ids for n, ids in enumerate(shelves) if n not in broken]
    assert set(answered(outcome)) == {item for ids in alive for item in ids}
    assert set(outcome.degraded) == {f"source_s{n}_unavailable" for n in broken}
    for place, item in enumerate(outcome.batch.item_ids):
        first = next(n for n, ids in enumerate(shelves) if n not in broken and item in ids)
        assert outcome.batch.source_names[outcome.batch.sources[place]] == f"s{first}"


def test_no_candidates_named_is_not_the_same_as_none_at_all():
    made = world()
    made.sources = (_shelf("s", ["i1"]),)
    assert answered(made.pipeline().rank(made.query([]))) == []
    assert answered(made.pipeline().rank(made.query(None))) == ["i1"]


def _shelf(name: str, ids: list[str]) -> Shelf:
    shelf = Shelf(name, lambda _: ids)
    shelf.refresh(NOW_MS)
    return shelf
