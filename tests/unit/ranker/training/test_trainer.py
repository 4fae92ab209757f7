"""The trainer teaches the champion what is new, and what goes wrong costs nobody an answer."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.exposure_log import ExposureRead
from feature_store.schema.exposures import LATE
from ranker.registry.aliases import MemoryAliases
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.hold import Hold, HoldUnknown
from ranker.registry.models import ModelId, ModelMetadata, RegistryUnavailable
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


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


class World:
    """A registry with a learned champion, and a trainer that follows it."""

    def __init__(self, home: Path, signature: Signature, gate_file: Path, every_s: float = 0) -> None:
        self.home, self.gate_file = home, gate_file
        bootstrap(folders := ModelFolders(home / "models"), signature, ManualClock())
        self.aliases, self.clock = MemoryAliases(), ManualClock(NOW_MS)
        registry = ModelRegistry(folders, self.aliases, self.clock)
        inference = EmbeddedClient(home / "models", signature.fingerprint)
        self.held: Hold | None = None
        self.unreadable_findings: list[bool] = []
        data = TrainingData(home / "data")
        self.publisher = Publisher(registry, inference, signature, data, self._hold)
        self.metrics = CollectorRegistry()
        settings = TrainerSettings(
            home=home, trainer_min_requests=60, trainer_every_s=every_s, trainer_gate=gate_file
        )
        self.trainer = Trainer(self.publisher, settings, TrainerMetrics(self.metrics, self.clock), self.clock)

    def _hold(self) -> Hold | None:
        if self.unreadable_findings and self.unreadable_findings.pop(0):
            raise HoldUnknown("findings cannot be read")
        return self.held

    def learn_champion(self, exposures: pa.Table, end: int = 0) -> None:
        """From all that lies before offset ``end`` of the log."""
        plan, gate, offsets = Plan(Parameters(epochs=4)), load_gate(self.gate_file), {0: (0, end)}
        trained = train(exposures, self.publisher, plan, quiet, NOW_MS, gate=gate, offsets=offsets)
        assert trained.promoted, trained.reason

    def adopt(self, other: "World") -> None:
        """Have the champion that another world learned."""
        shutil.copytree(other.home, self.home, dirs_exist_ok=True)
        for change in reversed(other.aliases.history()):
            self.aliases.compare_and_set(change)
        champion = ModelId.parse(self.champion())
        self.publisher.inference.prepare(champion.name, champion.version)

    def learned_from(self, model: ModelMetadata) -> pa.Table:
        assert model.lineage is not None
        return self.publisher.training_data.get(model.lineage.training_data)

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
    return synthetic_exposures(signature, requests=150, seed=4)


Taught = Callable[[int], World]


@pytest.fixture(scope="module")
def taught(
    tmp_path_factory: pytest.TempPathFactory, signature: Signature, update_gate_file: Path, before: pa.Table
) -> Taught:
    """A world whose champion has learned from what lies before an offset of the log; never changed."""

    @cache
    def world_until(end: int) -> World:
        made = World(tmp_path_factory.mktemp("champion"), signature, update_gate_file)
        made.learn_champion(before, end)
        return made

    return world_until


def read_of(signature: Signature, requests: int, seed: int, first: int = 0) -> ExposureRead:
    """Rankings later than those of a smaller seed."""
    exposures = synthetic_exposures(signature, requests=requests, seed=seed)
    names = [f"{seed}-{request}" for request in exposures["request_id"].to_pylist()]
    later = {"request_id": pa.array(names), "finalize_time_ms": at(exposures, seed)}
    for name, column in later.items():
        exposures = exposures.set_column(exposures.column_names.index(name), name, column)
    return read_at(exposures, first)


def read_at(exposures: pa.Table, first: int) -> ExposureRead:
    """As read from offset ``first`` on, a message for each ranking."""
    ranking = exposures["request_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    placed = exposures.append_column("log_partition", pa.array(np.zeros(len(ranking)), pa.int32()))
    placed = placed.append_column("log_offset", pa.array(first + ranking, pa.int64()))
    return ExposureRead(placed, {0: (first, first + len(np.unique(ranking)))})


def late_clicks(read: ExposureRead, rankings: int, first: int) -> ExposureRead:
    """A click each, on the first item that had none, after the exposures of the first rankings had closed."""
    exposures = read.exposures.drop_columns(["log_partition", "log_offset"])
    exposures = exposures.filter(pc.equal(exposures["revision"], 0))
    names = exposures["request_id"].to_pylist()
    late = exposures.take([names.index(name) for name in list(dict.fromkeys(names))[:rankings]])
    revised = {
        "outcomes": pa.array([[("click", 1.0)]] * len(late), pa.map_(pa.string(), pa.float64())),
        "status": pa.array([LATE] * len(late)).dictionary_encode(),
        "revision": pa.array([1] * len(late), pa.int32()),
    }
    for name, column in revised.items():
        late = late.set_column(late.column_names.index(name), name, column)
    return read_at(late, first)


def both(left: ExposureRead, right: ExposureRead) -> ExposureRead:
    (first, _), (_, end) = left.offsets[0], right.offsets[0]
    exposures = pa.concat_tables([left.exposures, right.exposures]).unify_dictionaries()
    return ExposureRead(exposures, {0: (first, end)})


def at(exposures: pa.Table, seed: int) -> pa.ChunkedArray:
    return pc.add(exposures["finalize_time_ms"], (seed - 1) * 86_400_000)


def test_an_update_goes_on_from_the_champion_and_replaces_it(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    updated = world.trainer.take(read_of(signature, 80, seed=2))
    assert updated is not None and updated.lineage is not None
    assert world.champion() == str(updated.id) == "timeline_ranker/2"
    assert updated.lineage.parent == "timeline_ranker/1"
    assert updated.lineage.offsets == {0: (0, 80)}
    table = updated.evaluation
    assert (table["requests"], updated.data["test"]["requests"]) == (16, 16)
    assert [result["ranker"] for result in table["results"]][-2:] == [
        "champion, timeline_ranker/1",
        "new model",
    ]
    assert 0.0 < table["results"][-1]["ndcg_at_10"] <= 1.0
    assert world.value("eddyline_trainer_updates_total", outcome="promoted") == 1
    assert 0.0 < (world.value("eddyline_trainer_ndcg_at_10") or 0.0) <= 1.0
    assert 0.0 < (world.value("eddyline_trainer_log_loss") or 0.0) < 1.0


def test_an_update_can_be_made_again_bit_for_bit(world: World, taught: Taught, signature: Signature) -> None:
    world.adopt(taught(0))
    world.trainer.take(read_of(signature, 80, seed=2))
    second = world.trainer.take(read_of(signature, 80, seed=3, first=80))
    assert second is not None
    rebuild(world.publisher.registry, world.publisher.training_data, second)
    assert [str(model.id) for model in world.publisher.registry.ancestry("timeline_ranker")] == [
        "timeline_ranker/3",
        "timeline_ranker/2",
        "timeline_ranker/1",
    ]


def test_too_little_that_is_new_waits_for_more(world: World, taught: Taught, signature: Signature) -> None:
    world.adopt(taught(0))
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


def test_what_contradicts_itself_is_counted_and_is_nothing_new(world: World, signature: Signature) -> None:
    read = read_of(signature, 80, seed=2)
    before_seen = pc.subtract(read.exposures["impression_time_ms"], 1)
    early = read.exposures.append_column("outcome_time_ms", before_seen)
    assert world.trainer.take(ExposureRead(early, read.offsets)) is None
    reason = "acted on before they were seen, by the clocks of clients"
    assert world.value("eddyline_trainer_left_out_total", reason=reason) == len(early)
    assert world.trainer.next_offsets == {0: 80}


def test_what_others_taught_the_champion_meanwhile_is_not_new(
    world: World, before: pa.Table, signature: Signature
) -> None:
    early = read_of(signature, 50, seed=2)
    assert world.trainer.take(early) is None
    world.learn_champion(pa.concat_tables([before, early.exposures], promote_options="default"), end=50)
    assert world.trainer.take(read_of(signature, 50, seed=3, first=50)) is None
    assert world.champion() == "timeline_ranker/1"
    assert world.trainer.take(read_of(signature, 10, seed=4, first=100)) is not None


def test_the_age_of_the_champion_grows_until_the_next_one(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    world.clock.advance(50_000)
    world.trainer.take(read_of(signature, 80, seed=2))
    world.clock.advance(7_000)
    assert world.value("eddyline_trainer_model_age_seconds") == 7.0


def test_a_registry_that_is_down_stops_updates_and_nothing_else(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
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
    tmp_path: Path, taught: Taught, signature: Signature, update_gate_file: Path
) -> None:
    world = World(tmp_path, signature, update_gate_file, every_s=10)
    world.adopt(taught(0))
    assert world.trainer.take(read_of(signature, 80, seed=2)) is not None
    world.clock.advance(9_000)
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is None
    world.clock.advance(1_000)
    assert world.trainer.take(read_of(signature, 1, seed=4, first=160)) is not None


def test_while_a_loop_is_open_nothing_is_learned_and_nothing_promoted(
    world: World, before: pa.Table, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    world.held = Hold("held by the open finding loop-1", NOW_MS)
    assert world.trainer.take(read_of(signature, 80, seed=2)) is None
    assert world.value("eddyline_trainer_updates_total", outcome="held") == 1
    assert world.value("eddyline_trainer_held") == 1
    gate = load_gate(world.gate_file)
    trained = train(before, world.publisher, Plan(Parameters(epochs=4)), quiet, NOW_MS, gate=gate)
    assert not trained.promoted and trained.reason == world.held.reason
    assert world.champion() == "timeline_ranker/1"
    world.held = None
    assert world.trainer.take(read_of(signature, 80, seed=3, first=80)) is not None
    assert world.value("eddyline_trainer_held") == 0


def test_what_the_champion_learned_from_is_no_test_and_nothing_new(
    world: World, before: pa.Table, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(150))
    assert world.trainer.take(read_at(before, 0)) is None
    assert world.value("eddyline_trainer_ndcg_at_10") == 0.0
    assert world.value("eddyline_trainer_not_new_total", reason="known") == len(before)
    updated = world.trainer.take(read_of(signature, 80, seed=2, first=150))
    assert updated is not None and updated.data["train"]["requests"] == 64 + 150


def test_what_examined_an_update_is_learned_by_the_next_one(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    first = world.trainer.take(read_of(signature, 80, seed=2))
    second = world.trainer.take(read_of(signature, 80, seed=3, first=80))
    assert first is not None and second is not None
    assert first.data["train"]["requests"] == 64
    assert second.data["train"]["requests"] == 64 + int(0.8 * (16 + 80))


def test_after_a_rollback_it_waits_for_people(world: World, taught: Taught, signature: Signature) -> None:
    world.adopt(taught(0))
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
    world: World, before: pa.Table, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    world.clock.advance(90_000)
    world.trainer.take(ExposureRead(before.slice(0, 0), {0: (0, 0)}))
    assert world.value("eddyline_trainer_model_age_seconds") == 90.0


def clicks_of(exposures: pa.Table) -> dict[tuple[str, str], bool]:
    """Whether each item of each ranking was clicked; no item is there twice."""
    keys = list(zip(exposures["request_id"].to_pylist(), exposures["item_id"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys))
    return dict(zip(keys, map(bool, exposures["outcomes"].to_pylist()), strict=True))


def test_a_late_outcome_of_a_ranking_that_waits_replaces_what_was_read_before(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    first = read_of(signature, 40, seed=2)
    late = late_clicks(first, 10, first=40)
    assert world.trainer.take(first) is None
    updated = world.trainer.take(both(late, read_of(signature, 40, seed=3, first=50)))
    assert updated is not None
    learned = clicks_of(world.learned_from(updated))
    assert all(learned[key] for key in clicks_of(late.exposures))


def test_late_outcomes_of_taught_rankings_are_no_new_ones_and_are_learned_with_them(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    first = read_of(signature, 100, seed=2)
    assert world.trainer.take(first) is not None
    measured = world.value("eddyline_trainer_ndcg_at_10")
    late = late_clicks(first, 70, first=100)
    assert world.trainer.take(late) is None
    assert world.value("eddyline_trainer_ndcg_at_10") == measured
    assert world.value("eddyline_trainer_not_new_total", reason="revised") == 70
    updated = world.trainer.take(read_of(signature, 80, seed=3, first=170))
    assert updated is not None
    learned = clicks_of(world.learned_from(updated))
    assert all(learned[key] for key in clicks_of(late.exposures))


def test_a_ranking_asked_for_ahead_of_time_hides_none_that_come_after(
    world: World, before: pa.Table, signature: Signature
) -> None:
    ahead = pc.if_else(pc.equal(before["request_id"], "r149"), 366 * 86_400_000, 0)
    place, asked = before.column_names.index("finalize_time_ms"), before["finalize_time_ms"]
    before = before.set_column(place, "finalize_time_ms", pc.add(asked, ahead))
    world.learn_champion(before, end=150)
    assert world.trainer.take(read_at(before, 0)) is None
    assert world.trainer.take(read_of(signature, 80, seed=2, first=150)) is not None


def test_in_a_log_that_was_made_anew_nothing_is_known(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(150))
    assert world.trainer.take(read_of(signature, 80, seed=2)) is not None


def test_findings_that_cannot_be_read_lose_no_ranking_and_leave_no_version(
    world: World, taught: Taught, signature: Signature
) -> None:
    world.adopt(taught(0))
    world.unreadable_findings = [False, True]
    with pytest.raises(HoldUnknown):
        world.trainer.take(read_of(signature, 80, seed=2))
    assert world.champion() == "timeline_ranker/1"
    assert world.publisher.registry.folders.versions("timeline_ranker") == ("1",)
    updated = world.trainer.take(read_of(signature, 20, seed=3, first=80))
    assert updated is not None and updated.data["train"]["requests"] == 80


def test_a_champion_that_does_not_load_is_not_measured_and_can_be_gone_on_from(
    world: World, taught: Taught, signature: Signature, tmp_path: Path
) -> None:
    world.adopt(taught(0))
    spoiled = tmp_path / "models/timeline_ranker/1/model.pt"
    spoiled.write_bytes(spoiled.read_bytes()[:1000])
    assert world.trainer.take(read_of(signature, 80, seed=2)) is not None
    assert world.champion() == "timeline_ranker/2"
    assert np.isnan(world.value("eddyline_trainer_ndcg_at_10") or 0.0)
    checks = world.publisher.registry.folders.checks(ModelId("timeline_ranker", "2")) or ()
    assert any("not measured: model timeline_ranker/1 is damaged" in check.figures for check in checks)
