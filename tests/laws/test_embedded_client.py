"""Models in process obey the laws, and refuse what was made for other features."""

from pathlib import Path

import pytest

from feature_store.clock import ManualClock
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from ranker.triton.base import InferenceClient, InferenceError
from ranker.triton.embedded import VERSIONS_KEPT, EmbeddedClient
from tests.laws.inference_laws import MODELS, SIGNATURE, InferenceLaws, infer, tensors


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("home") / "models"
    bootstrap(ModelFolders(models), SIGNATURE, ManualClock())
    return models


@pytest.fixture(scope="module")
def client(models: Path) -> InferenceClient:
    client = EmbeddedClient(models, SIGNATURE.fingerprint)
    for model in MODELS:
        client.prepare(model, "1")
    return client


class TestEmbeddedClient(InferenceLaws):
    """The laws."""


def test_a_version_for_other_features_is_refused_with_both_fingerprints(models: Path) -> None:
    with pytest.raises(InferenceError, match=r"abc.*def"):
        EmbeddedClient(models, "def").prepare("counters", "1")


def test_inputs_of_another_width_are_an_error(client: InferenceClient) -> None:
    user, candidates, ids = tensors(5, 1)
    with pytest.raises(InferenceError, match="reference/1"):
        infer(client, "reference", user, candidates[:, :2].copy(), ids)


def test_only_the_newest_versions_stay_loaded(models: Path) -> None:
    folders = ModelFolders(models)
    built_in = folders.metadata(ModelId("counters", "1"))
    files = {name: (folders.path(built_in.id) / name).read_bytes() for name in ("model.pt", "model.py")}
    added = [folders.add(built_in, files).version for _ in range(VERSIONS_KEPT)]
    client = EmbeddedClient(models, SIGNATURE.fingerprint)
    for version in ("1", *added):
        client.prepare("counters", version)
    assert not client.ready("counters", "1")
    assert all(client.ready("counters", version) for version in added)
    client.release("counters", added[0])
    assert not client.ready("counters", added[0])
