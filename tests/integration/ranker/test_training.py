"""A training against real Triton and Redis: the new model serves, and no request fails meanwhile."""

from pathlib import Path

import msgspec
import pytest
from redis import Redis

from feature_store.clock import ManualClock
from ranker.registry.aliases import RedisAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.registry.watcher import ChampionWatcher
from ranker.training.fit import Parameters
from ranker.training.gate import Gate, load_gate
from ranker.training.learning import Plan
from ranker.training.publish import Publisher
from ranker.training.run import train
from ranker.training.synthetic import synthetic_exposures
from ranker.triton.client import TritonClient
from tests.integration.ranker.traffic import requests_to
from tests.laws.inference_laws import SIGNATURE, infer, tensors

pytestmark = pytest.mark.integration


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


def patient_gate() -> Gate:
    """The shipped gate; a test machine may be as slow as it likes."""
    gate = load_gate()
    return msgspec.structs.replace(gate, latency=msgspec.structs.replace(gate.latency, max_median_ms=1e9))


def test_a_trained_model_takes_over_without_a_failed_request(
    served: TritonClient, folders: ModelFolders, redis_url: str, tmp_path: Path
) -> None:
    exposures = synthetic_exposures(SIGNATURE, requests=150, seed=1)
    plan = Plan(Parameters(epochs=4, learning_rate=5e-3))
    with Redis.from_url(redis_url) as redis, requests_to(served, "counters") as answered:
        redis.flushdb()
        registry = ModelRegistry(folders, RedisAliases(redis), ManualClock())
        watcher = ChampionWatcher(registry, served, SIGNATURE.fingerprint)
        watcher.refresh()
        assert watcher.current.name == "counters"
        publisher = Publisher(registry, served, SIGNATURE, TrainingData(tmp_path))
        trained = train(exposures, publisher, plan, quiet, 1_700_000_000_000, gate=patient_gate())
        watcher.refresh()
    assert trained.promoted
    assert (watcher.current.name, watcher.current.version) == ("timeline_ranker", "1")
    assert registry.aliased() == {ModelId("timeline_ranker", "1"), ModelId("counters", "1")}
    assert answered.errors == []
    assert answered.count > 0
    assert infer(served, "timeline_ranker", *tensors(30, 1))["click"].shape == (30,)
