"""Answers say so where counters stand in for the model that should have given them."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from ranker.pipeline.arms import NO_ARMS, Arms
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelMetadata, RegistryUnavailable
from ranker.registry.registry import ModelRegistry
from ranker.registry.watcher import ChampionWatcher
from ranker.service.metrics import RankerMetrics
from ranker.service.settings import RankerSettings
from ranker.service.wiring import make_scorers
from ranker.triton.function import FunctionClient
from tests.unit.ranker.world import SERVICE, World, per_candidate_model

COUNTERS = ModelMetadata(
    name="counters",
    service=SERVICE.name,
    fingerprint=SERVICE.fingerprint,
    user_columns=(),
    candidate_columns=(),
    id_columns=(),
    heads=("click", "like"),
)
HELD_OUT = Arms(holdout=True)


class Deployment:
    """A ranker with a holdout, whose champion and frozen model are yet to come."""

    def __init__(self, home: Path) -> None:
        self.world = World()
        self.aliases = MemoryAliases()
        self.registry = ModelRegistry(ModelFolders(home / "models"), self.aliases, ManualClock())
        self.registry.register(COUNTERS, {})
        client = FunctionClient({"counters": per_candidate_model, "learned": per_candidate_model})
        self.champion = ChampionWatcher(self.registry, client, SERVICE.fingerprint)
        self.frozen = ChampionWatcher(self.registry, client, SERVICE.fingerprint, pinned="learned/1")
        scorers = make_scorers(
            RankerSettings(), SERVICE, client, self.champion, self.frozen, self.world.clock
        )
        self._pipeline = self.world.pipeline_of(scorers)

    def learn(self) -> ModelMetadata:
        return self.registry.register(msgspec.structs.replace(COUNTERS, name="learned"), {})

    def degraded(self, arms: Arms = NO_ARMS) -> tuple[str, ...]:
        """What the next answer says, after a look at what should serve."""
        self.champion.refresh()
        self.frozen.refresh()
        return self._pipeline.rank(replace(self.world.query(["i1"]), arms=arms)).degraded


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_a_fresh_installation_is_not_degraded_by_its_counters(deployment):
    assert deployment.degraded() == ()


def test_a_champion_that_was_never_served_is_missed(deployment):
    deployment.aliases.failure = RegistryUnavailable("connection refused")
    assert deployment.degraded() == ("champion_not_served",)
    deployment.aliases.failure = None
    assert deployment.degraded() == ()


def test_users_of_the_holdout_miss_the_frozen_model_and_others_do_not(deployment):
    assert deployment.degraded(HELD_OUT) == ("holdout_model_not_served",)
    assert deployment.degraded() == ()
    deployment.learn()
    assert deployment.degraded(HELD_OUT) == ()


def test_a_gauge_shows_while_a_model_cannot_be_followed(deployment):
    shown = CollectorRegistry()
    RankerMetrics((), shown).watch_model("holdout", lambda: deployment.frozen.problem)
    problem = lambda: shown.get_sample_value("eddyline_ranker_model_problem", {"role": "holdout"})  # noqa: E731
    deployment.degraded()
    assert problem() == 1.0
    deployment.learn()
    deployment.degraded()
    assert problem() == 0.0


def test_gauges_show_the_age_of_what_serves_and_how_old_it_may_get():
    shown, age_s = CollectorRegistry(), [7.0]
    RankerMetrics((), shown).watch_age("champion", lambda: age_s[0], 3_600.0)
    value = lambda name: shown.get_sample_value(f"eddyline_ranker_model_{name}_seconds", {"role": "champion"})  # noqa: E731
    assert (value("age"), value("age_limit")) == (7.0, 3_600.0)
    age_s[0] = 8.0
    assert value("age") == 8.0
