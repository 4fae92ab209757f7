"""Which arms a request gets."""

import pytest

from feature_store.clock import ManualClock
from feature_store.online.switches import MemorySwitches, Switch
from feature_store.schema.requests import Assignment
from ranker.experiments.budget import CostBudget
from ranker.experiments.draw import EXPERIMENTS, Experiments
from ranker.experiments.settings import ExperimentSettings
from ranker.experiments.switches import SwitchWatcher
from ranker.pipeline.arms import NO_ARMS

ALL = ExperimentSettings(
    nudge_delta=0.1,
    nudge_salt="n",
    nudge_epoch_s=10,
    explore_share=0.5,
    explore_salt="e",
    holdout_share=0.2,
    holdout_salt="h",
    holdout_model="timeline_ranker/1",
    deploy_slots=16,
    deploy_salt="d",
)
NOW_MS = 1_700_000_005_000
DEPLOY = Assignment("d/1/3", 1 / 16)


def drawn(settings=ALL, off=frozenset(), surface="home", user="u", request="r"):
    return Experiments(settings, lambda: off, {NOW_MS: DEPLOY}.get).arms(request, user, surface, NOW_MS)


def users(held_out):
    return next(user for n in range(1_000) if drawn(user=(user := f"u{n}")).holdout is held_out)


def test_nothing_is_drawn_unless_the_settings_ask_for_it():
    assert drawn(ExperimentSettings()) is NO_ARMS


def test_replay_is_left_alone():
    assert drawn(surface="replay") is NO_ARMS


def test_a_user_of_the_holdout_is_neither_nudged_nor_explored_on():
    arms = drawn(user=users(held_out=True))
    assert arms.nudge_epoch is None
    assert arms.exploration is None
    assert arms.assignments["holdout"].variant == "holdout"
    assert arms.assignments["holdout"].propensity == 0.2


def test_everybody_else_has_every_arm_with_its_probability():
    arms = drawn(user=users(held_out=False))
    assert arms.nudge_epoch == NOW_MS // 10_000
    assert arms.assignments["nudges"].variant.endswith(f"/{NOW_MS // 10_000}")
    assert arms.assignments["holdout"].propensity == pytest.approx(0.8)
    assert arms.assignments["deploys"] == DEPLOY
    explored = arms.assignments["exploration"]
    assert explored.propensity == pytest.approx(0.5 if explored.variant == "none" else 0.5 / 20)


def test_a_request_that_comes_again_draws_the_same():
    assert drawn(request="r7") == drawn(request="r7")


def test_shares_of_users_and_requests_are_as_set():
    """Five standard deviations; salts are fixed, so it cannot flake."""
    held = [drawn(user=f"u{n}").holdout for n in range(4_000)]
    assert abs(sum(held) - 800) < 5 * (4_000 * 0.2 * 0.8) ** 0.5
    user = users(held_out=False)
    explored = [drawn(user=user, request=f"r{n}").exploration.slot is not None for n in range(4_000)]
    assert abs(sum(explored) - 2_000) < 5 * (4_000 * 0.5 * 0.5) ** 0.5


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_has_a_switch_of_its_own(name):
    arms = drawn(off=frozenset({name}), user=users(held_out=False))
    assert name not in arms.assignments
    assert set(arms.assignments) == set(EXPERIMENTS) - {name}


def test_a_switch_thrown_works_within_a_second_and_an_unreadable_one_is_off():
    store, clock = MemorySwitches(), ManualClock()
    watcher = SwitchWatcher(store, clock)
    assert watcher.off() == frozenset(EXPERIMENTS)
    watcher.refresh()
    assert watcher.off() == frozenset()
    store.switch_off("nudges", Switch("on-call says so", 0))
    watcher.refresh()
    assert watcher.off() == {"nudges"}
    store.switch_on("nudges")
    watcher.refresh()
    clock.advance(1_000)
    assert watcher.off() == frozenset(EXPERIMENTS)


def test_a_store_that_fails_changes_nothing_until_it_is_too_old():
    class Broken(MemorySwitches):
        broken = False

        def read(self):
            if self.broken:
                raise ConnectionError("no route")
            return super().read()

    store, clock = Broken(), ManualClock()
    watcher = SwitchWatcher(store, clock)
    watcher.refresh()
    store.broken = True
    clock.advance(500)
    watcher.refresh()
    assert watcher.off() == frozenset()
    clock.advance(500)
    watcher.refresh()
    assert watcher.off() == frozenset(EXPERIMENTS)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"nudge_delta": 0.1}, "EDDYLINE_NUDGE_SALT"),
        ({"explore_share": 0.1}, "EDDYLINE_EXPLORE_SALT"),
        ({"holdout_share": 0.1, "holdout_salt": "h"}, "EDDYLINE_HOLDOUT_MODEL"),
        ({"deploy_slots": 16}, "EDDYLINE_DEPLOY_SALT"),
        ({"deploy_slots": 12, "deploy_salt": "d"}, "multiple of 8"),
        ({"nudge_delta": 0.1, "nudge_salt": "x", "explore_share": 0.1, "explore_salt": "x"}, "must differ"),
    ],
)
def test_experiments_without_salts_of_their_own_are_refused(wrong, named):
    with pytest.raises(ValueError, match=named):
        ExperimentSettings(**wrong)


def test_an_experiment_that_costs_too_much_is_stopped_with_its_reason():
    store, shown = MemorySwitches(), []
    budget = CostBudget(store, 0.005, ManualClock(), lambda name, share: shown.append((name, share)))
    for answers in range(1, 100):
        budget.spent("nudges", 0.006, answers)
        budget.spent("exploration", 0.001, answers)
    assert store.read() == {}
    budget.spent("nudges", 0.006, 100)
    assert "more than 0.50%" in store.read()["nudges"].reason
    assert list(store.read()) == ["nudges"]
    assert shown[-1] == ("nudges", 0.006)
