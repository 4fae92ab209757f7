"""Real Triton: the laws, versions that come and go without a failed request, refusals with their reason."""

from contextlib import closing
from pathlib import Path

import msgspec
import psutil
import pytest

from feature_store.settings import Settings
from ranker.registry.folders import ModelFolders
from ranker.registry.models import Check, ModelId, ModelMetadata
from ranker.triton.base import InferenceClient, InferenceError, InferenceTimeout
from ranker.triton.client import TritonClient, open_triton
from ranker.triton.embedded import EmbeddedClient
from ranker.triton.repository import TritonRepository
from tests.integration.conftest import Triton
from tests.integration.ranker.traffic import requests_to
from tests.laws.inference_laws import MODELS, SIGNATURE, InferenceLaws, assert_close, infer, tensors

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(served: TritonClient) -> InferenceClient:
    return served


class TestTritonClient(InferenceLaws):
    """The laws."""


def test_triton_answers_what_the_same_version_answers_in_process(
    served: TritonClient, triton: Triton
) -> None:
    embedded = EmbeddedClient(Path(triton.model_repository), SIGNATURE.fingerprint)
    inputs = tensors(200, 5)
    for model in MODELS:
        embedded.prepare(model, "1")
        answered, expected = infer(served, model, *inputs), infer(embedded, model, *inputs)
        assert answered.keys() == expected.keys()
        for head, scores in expected.items():
            assert_close(answered[head], scores)


def test_versions_come_and_go_without_a_failed_request(
    served: TritonClient, repository: TritonRepository, folders: ModelFolders
) -> None:
    second = copy_of(folders, ModelId("counters", "1"))
    with requests_to(served, "counters") as answered:
        served.prepare("counters", second.version)
        assert repository.versions("counters") == ("1", second.version)
        assert_close(
            served.infer("counters", second.version, *tensors(9, 1), timeout_ms=10_000)["click"],
            infer(served, "counters", *tensors(9, 1))["click"],
        )
        folders.retire(second.id)
        served.release("counters", second.version)
        assert repository.versions("counters") == ("1",)
    assert answered.errors == []
    assert answered.count > 0


def test_what_the_gate_finds_makes_triton_start_nothing_anew(
    served: TritonClient, triton: Triton, repository: TritonRepository, folders: ModelFolders
) -> None:
    model = Path(triton.model_repository) / "counters"
    before = stubs_of(model)
    folders.write_checks(ModelId("counters", "1"), [Check("figures", True, "seen")])
    repository.reload("counters")
    assert stubs_of(model) == before != set()
    assert repository.versions("counters") == ("1",)


def test_a_version_for_other_features_is_refused_with_both_fingerprints(
    served: TritonClient, repository: TritonRepository, folders: ModelFolders
) -> None:
    foreign = copy_of(folders, ModelId("counters", "1"), fingerprint="def")
    with pytest.raises(InferenceError, match=r"def[\s\S]*abc"):
        served.prepare("counters", foreign.version)
    assert repository.versions("counters") == ("1",)
    folders.retire(foreign.id)
    repository.reload("counters")


def test_inputs_of_another_width_are_an_error_that_names_the_input(served: TritonClient) -> None:
    user, candidates, ids = tensors(5, 1)
    with pytest.raises(InferenceError, match="candidates"):
        infer(served, "counters", user, candidates[:, :2].copy(), ids)


def test_an_answer_later_than_allowed_is_a_timeout(served: TritonClient) -> None:
    with pytest.raises(InferenceTimeout, match=r"reference/1 gave no answer within 0\.001 ms"):
        served.infer("reference", "1", *tensors(300, 1), timeout_ms=0.001)


def test_a_server_out_of_reach_is_an_error_and_not_ready() -> None:
    nowhere = Settings(triton_grpc="127.0.0.1:1", triton_http="127.0.0.1:1")
    with closing(open_triton(nowhere)) as client:
        assert not client.ready("counters", "1")
        with pytest.raises(InferenceError, match=r"counters/1.*out of reach.*refused"):
            infer(client, "counters", *tensors(1, 1))


def stubs_of(model: Path) -> set[int]:
    """The processes in which Triton runs the versions in a model's folder."""
    commands = {
        process.pid: " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    }
    return {
        pid
        for pid, command in commands.items()
        if "python_backend_stub" in command and f"{model}/" in command
    }


def copy_of(folders: ModelFolders, model: ModelId, **changes: str) -> ModelMetadata:
    """A new version with the files of ``model``, and metadata changed."""
    metadata = msgspec.structs.replace(folders.metadata(model), **changes)
    names = ("model.pt", "model.py")
    return folders.add(metadata, {name: (folders.path(model) / name).read_bytes() for name in names})
