"""A version can be made again, bit for bit, or it is said why not."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from feature_store.clock import ManualClock
from ranker.registry.aliases import MemoryAliases
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.training.fit import Parameters
from ranker.training.gate import Gate
from ranker.training.learning import Plan
from ranker.training.provenance import weights_digest
from ranker.training.publish import Publisher
from ranker.training.rebuild import rebuild
from ranker.training.run import train
from ranker.training.synthetic import synthetic_exposures
from ranker.training.weights import load_weights
from ranker.triton.embedded import EmbeddedClient
from triton_models.signature import Signature

NOW_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory, signature: Signature) -> Publisher:
    home = tmp_path_factory.mktemp("home")
    folders = ModelFolders(home / "models")
    bootstrap(folders, signature, ManualClock())
    registry = ModelRegistry(folders, MemoryAliases(), ManualClock())
    inference = EmbeddedClient(home / "models", signature.fingerprint)
    return Publisher(registry, inference, signature, TrainingData(home / "training-data"))


@pytest.fixture(scope="module")
def model(publisher: Publisher, signature: Signature, gate: Gate) -> ModelMetadata:
    exposures: pa.Table = synthetic_exposures(signature, requests=100, seed=3)
    plan = Plan(Parameters(epochs=2))
    return train(exposures, publisher, plan, lambda *_: None, NOW_MS, gate=gate).model


def test_a_version_is_made_again_bit_for_bit(publisher: Publisher, model: ModelMetadata) -> None:
    again = rebuild(publisher.registry, publisher.training_data, model)
    kept = load_weights(publisher.registry.folders.path(model.id))
    assert weights_digest(again.net.state_dict()) == weights_digest(kept)


def changed(model: ModelMetadata, **changes: object) -> ModelMetadata:
    assert model.lineage is not None
    return msgspec.structs.replace(model, lineage=msgspec.structs.replace(model.lineage, **changes))


def test_another_machine_is_refused_with_what_differs(publisher: Publisher, model: ModelMetadata) -> None:
    assert model.lineage is not None
    other = msgspec.structs.replace(model.lineage.environment, cpu="Z80")
    with pytest.raises(RegistryError, match="cpu was Z80 and is "):
        rebuild(publisher.registry, publisher.training_data, changed(model, environment=other))


def test_weights_that_come_out_otherwise_are_refused(publisher: Publisher, model: ModelMetadata) -> None:
    with pytest.raises(RegistryError, match="comes out with weights"):
        rebuild(publisher.registry, publisher.training_data, changed(model, weights="0" * 64))


def test_a_model_that_was_not_learned_cannot_be_built(publisher: Publisher) -> None:
    with pytest.raises(RegistryError, match="was not learned"):
        rebuild(publisher.registry, publisher.training_data, publisher.registry.find("counters"))


def test_data_that_is_gone_or_changed_is_refused(
    publisher: Publisher, model: ModelMetadata, tmp_path: Path, signature: Signature
) -> None:
    with pytest.raises(RegistryError, match="is not in"):
        rebuild(publisher.registry, TrainingData(tmp_path), model)
    data = TrainingData(tmp_path)
    digest = data.put(synthetic_exposures(signature, requests=5))
    path = tmp_path / f"{digest}.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(RegistryError, match="has changed"):
        data.get(digest)


def test_a_damaged_weights_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    with pytest.raises(RegistryError, match=r"weights\.pt"):
        load_weights(tmp_path)
