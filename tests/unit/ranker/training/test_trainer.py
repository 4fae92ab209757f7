"""The trainer teaches the champion what is new, and what goes wrong costs nobody an answer."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.exposure_log import ExposureRead
from ranker.registry.aliases import MemoryAliases
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import RegistryUnavailable
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.training.fit import Parameters
from ranker.training.gate import load_gate
from ranker.training.learning import Plan
from ranker.training.publish import Publisher
from ranker.training.rebuild import rebuild
from ranker.training.replay import ReplayBuffer
from ranker.training.run import train
from ranker.training.settings import TrainerSettings
from ranker.training.synthetic import synthetic_exposures
from ranker.training.trainer import Trainer
from ranker.training.trainer_metrics import TrainerMetrics
from ranker.triton.embedded import EmbeddedClient
from triton_models.signature import Signature

NOW_MS = 1_700_000_000_000


class World:
    """A registry with a learned champion, and a trainer that follows it."""

    def __init__(self, home: Path, signature: Signature, gate_file: Path, every_s: float = 0) -> None:
        self.gate_file = gate_file
        bootstrap(folders := ModelFolders(home / "models"), signature, ManualClock())
        self.aliases, self.clock = MemoryAliases(), ManualClock(NOW_MS)
        registry = ModelRegistry(folders, self.aliases, self.clock)
        inference = EmbeddedClient(home / "models", signature.fingerprint)
        self.held: str | None = None
        data = TrainingData(home / "data")
        self.publisher = Publisher(registry, inference, signature, data, lambda: self.held)
        self.metrics = CollectorRegistry()
        settings = TrainerSettings(
            home=home, trainer_min_requests=60, trainer_every_s=every_s, trainer_gate=gate_file
        )
        self.trainer = Trainer(self.publisher, settings, TrainerMetrics(self.metrics, self.clock), self.clock)

    def learn_champion(self, exposures: pa.Table) -> None:
        plan, gate = Plan(Parameters(epochs=4)), load_gate(self.gate_file)
        trained = train(exposures, self.publisher, plan, lambda *_: None, NOW_MS, gate=gate)
        assert trained.promoted, trained.reason

    def champion(self) -> str:
        found = self.publisher.registry.resolve("champion")
        assert found is not None
        return str(found.id)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.get_sample_value(name, labels)


@pytest.fixture
def world(tmp_path: Path, signature: Signature, update_gate_file: Path) -> World:
    return World(tmp_path, signature, update_gate_file)


@pytest.fixture(scope="module")
def before(signature: Signature) -> pa.Table:
    return synthetic_exposures(signature, requests=150, seed=1)


def read_of(signature: Signature, requests: int, seed: int, first: int = 0) -> ExposureRead:
    """Rankings later than those of a smaller seed."""
    exposures = synthetic_exposures(signature, requests=requests, seed=seed)
    names = [f"{seed}-{request}" for request in exposures["request_id"].to_pylist()]
    later = {"request_id": pa.array(names), "finalize_time_ms": at(exposures, seed)}
    for name, column in later.items():
        exposures = exposures.set_column(exposures.column_names.index(name), name, column)
    return ExposureRead(exposures, {0: (first, first + requests)})


def at(exposures: pa.Table, seed: int) -> pa.ChunkedArray:
    return pc.add(exposures["finalize_time_ms"], (seed - 1) * 86_400_000)


def test_an_update_goes_on_from_the_champion_and_replaces_it(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    updated = world.trainer.take(read_of(signature, 80, seed=2))
    assert updated is not None and updated.lineage is not None
    assert world.champion() == str(updated.id) == "timeline_ranker/2"
    assert updated.lineage.parent == "timeline_ranker/1"
    assert updated.lineage.offsets == {0: (0, 80)}
    assert world.value("eddyline_trainer_updates_total", outcome="promoted") == 1
    assert 0.0 < (world.value("eddyline_trainer_ndcg_at_10") or 0.0) <= 1.0
    assert 0.0 < (world.value("eddyline_trainer_log_loss") or 0.0) < 1.0


def test_an_update_can_be_made_again_bit_for_bit(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    world.trainer.take(read_of(signature, 80, seed=2))
    second = world.trainer.take(read_of(signature, 80, seed=3, first=80))
    assert second is not None
    rebuild(world.publisher.registry, world.publisher.training_data, second)
    assert [str(model.id) for model in world.publisher.registry.ancestry("timeline_ranker")] == [
        "timeline_ranker/3",
        "timeline_ranker/2",
        "timeline_ranker/1",
    ]


def test_too_little_that_is_new_waits_for_more(world: World, before: pa.Table, signature: Signature) -> None:
    world.learn_champion(before)
    assert world.trainer.take(read_of(signature, 40, seed=2)) is None
    assert world.champion() == "timeline_ranker/1"
    assert world.trainer.take(read_of(signature, 40, seed=3, first=40)) is not None
    assert world.trainer.next_offsets == {0: 80}


def test_without_a_learned_champion_it_only_remembers(world: World, signature: Signature) -> None:
    assert world.trainer.take(read_of(signature, 80, seed=2)) is None
    assert world.champion() == "counters/1"
    assert world.value("eddyline_trainer_updates_total", outcome="no_learned_champion") == 1
    age = world.value("eddyline_trainer_model_age_seconds")
    assert age is not None and np.isnan(age)


def test_what_others_taught_the_champion_meanwhile_is_not_new(
    world: World, before: pa.Table, signature: Signature
) -> None:
    early = read_of(signature, 50, seed=2)
    assert world.trainer.take(early) is None
    world.learn_champion(pa.concat_tables([before, early.exposures]))
    assert world.trainer.take(read_of(signature, 50, seed=3, first=50)) is None
    assert world.champion() == "timeline_ranker/1"
    assert world.trainer.take(read_of(signature, 10, seed=4, first=100)) is not None


def test_the_age_of_the_champion_grows_until_the_next_one(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    world.clock.advance(50_000)
    world.trainer.take(read_of(signature, 80, seed=2))
    world.clock.advance(7_000)
    assert world.value("eddyline_trainer_model_age_seconds") == 7.0


def test_a_registry_that_is_down_stops_updates_and_nothing_else(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    world.aliases.failure = RegistryUnavailable("gone")
    assert world.trainer.take(read_of(signature, 80, seed=2)) is None
    assert world.value("eddyline_trainer_updates_total", outcome="failed") == 1
    world.aliases.failure = None
    assert world.champion() == "timeline_ranker/1"
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is not None


def test_replay_keeps_the_newest_rankings_and_draws_whole_ones(signature: Signature) -> None:
    buffer, rng = ReplayBuffer(50), np.random.default_rng(0)
    assert buffer.sample(10, rng) is None
    for seed in (2, 3):
        buffer.add(read_of(signature, 40, seed).exposures)
    sample = buffer.sample(200, rng)
    assert sample is not None
    kept = sample["request_id"].unique().to_pylist()
    assert len(kept) == 50
    assert sum(name.startswith("3-") for name in kept) == 40
    few = buffer.sample(5, rng)
    assert few is not None and len(few) == 5 * 12


def test_versions_are_no_closer_together_than_asked(
    tmp_path: Path, before: pa.Table, signature: Signature, update_gate_file: Path
) -> None:
    world = World(tmp_path, signature, update_gate_file, every_s=10)
    world.learn_champion(before)
    assert world.trainer.take(read_of(signature, 80, seed=2)) is not None
    world.clock.advance(9_000)
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is None
    world.clock.advance(1_000)
    assert world.trainer.take(read_of(signature, 1, seed=4, first=160)) is not None


def test_while_a_loop_is_open_nothing_is_learned_and_nothing_promoted(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    world.held = "held by the open finding loop-1"
    assert world.trainer.take(read_of(signature, 80, seed=2)) is None
    assert world.value("eddyline_trainer_updates_total", outcome="held") == 1
    gate = load_gate(world.gate_file)
    trained = train(before, world.publisher, Plan(Parameters(epochs=1)), lambda *_: None, NOW_MS, gate=gate)
    assert not trained.promoted
    assert world.champion() == "timeline_ranker/1"
    world.held = None
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is not None


def test_what_the_champion_learned_from_is_no_test_and_nothing_new(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    assert world.trainer.take(ExposureRead(before, {0: (0, 150)})) is None
    assert world.value("eddyline_trainer_ndcg_at_10") == 0.0
    updated = world.trainer.take(read_of(signature, 80, seed=2, first=150))
    assert updated is not None and updated.data["train"]["requests"] == 64 + 150


def test_what_examined_an_update_is_learned_by_the_next_one(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    first = world.trainer.take(read_of(signature, 80, seed=2))
    second = world.trainer.take(read_of(signature, 80, seed=3, first=80))
    assert first is not None and second is not None
    assert first.data["train"]["requests"] == 64
    assert second.data["train"]["requests"] == 64 + int(0.8 * (16 + 80))


def test_after_a_rollback_it_waits_for_people(world: World, before: pa.Table, signature: Signature) -> None:
    world.learn_champion(before)
    world.clock.advance(1_000)
    assert world.trainer.take(read_of(signature, 80, seed=2)) is not None
    registry = world.publisher.registry
    back = registry.roll_back(reason="complaints")
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is None
    assert world.value("eddyline_trainer_updates_total", outcome="held") == 1
    assert world.champion() == str(back) == "timeline_ranker/1"
    registry.promote(back, expected=back, reason="go on from here")
    after = world.trainer.take(read_of(signature, 80, seed=4, first=160))
    assert after is not None and after.lineage is not None and after.lineage.parent == "timeline_ranker/1"
    assert str(registry.aliases()["rollback"]) == "timeline_ranker/1"


def test_the_champion_grows_old_also_where_nothing_is_new(
    world: World, before: pa.Table, signature: Signature
) -> None:
    world.learn_champion(before)
    world.clock.advance(90_000)
    world.trainer.take(ExposureRead(before.slice(0, 0), {0: (0, 0)}))
    assert world.value("eddyline_trainer_model_age_seconds") == 90.0
