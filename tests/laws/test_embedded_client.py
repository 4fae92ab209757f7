"""Models in process obey the laws, and refuse what was made for other features."""

from pathlib import Path

import pytest

from feature_store.clock import ManualClock
from ranker.registry.bootstrap import bootstrap
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from ranker.triton.base import InferenceClient, InferenceError
from ranker.triton.embedded import EmbeddedClient
from tests.laws.inference_laws import MODELS, SIGNATURE, InferenceLaws, infer, tensors
from triton_models.model import VERSIONS_LOADED


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


def test_of_too_many_versions_the_one_not_asked_for_longest_goes(models: Path) -> None:
    folders = ModelFolders(models)
    built_in = folders.metadata(ModelId("counters", "1"))
    files = {"model.pt": (folders.path(built_in.id) / "model.pt").read_bytes()}
    first, second, *others = [folders.add(built_in, files).version for _ in range(VERSIONS_LOADED + 1)]
    client = EmbeddedClient(models, SIGNATURE.fingerprint)
    for version in (first, second, *others[:-1]):
        client.prepare("counters", version)
    client.infer("counters", first, *tensors(3, 1), timeout_ms=10_000)
    client.prepare("counters", others[-1])
    ready = [client.ready("counters", version) for version in (first, second, *others)]
    assert ready == [True, False] + [True] * (VERSIONS_LOADED - 1)


def test_a_version_that_was_set_aside_can_be_asked_again(models: Path) -> None:
    folders = ModelFolders(models)
    built_in = folders.metadata(ModelId("counters", "1"))
    files = {"model.pt": (folders.path(built_in.id) / "model.pt").read_bytes()}
    folders.retire(aside := folders.add(built_in, files).id)
    client = EmbeddedClient(models, SIGNATURE.fingerprint)
    client.prepare("counters", aside.version)
    assert client.ready("counters", aside.version)
