"""Real Triton: the laws, versions that come and go without a failed request, refusals with their reason."""

from contextlib import closing

import httpx
import msgspec
import numpy as np
import psutil
import pytest

from feature_store.settings import Settings
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId, ModelMetadata
from ranker.triton.base import InferenceClient, InferenceError, InferenceTimeout
from ranker.triton.client import TritonClient, open_triton
from ranker.triton.embedded import EmbeddedClient
from tests.integration.conftest import Triton
from tests.integration.ranker.traffic import requests_to
from tests.laws.inference_laws import MODELS, SIGNATURE, InferenceLaws, assert_close, infer, tensors
from triton_models.server import server_files

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(served: TritonClient) -> InferenceClient:
    return served


class TestTritonClient(InferenceLaws):
    """The laws."""


def test_triton_answers_what_the_same_version_answers_in_process(
    served: TritonClient, triton: Triton
) -> None:
    embedded = EmbeddedClient(triton.models, SIGNATURE.fingerprint)
    inputs = tensors(200, 5)
    for model in MODELS:
        embedded.prepare(model, "1")
        answered, expected = infer(served, model, *inputs), infer(embedded, model, *inputs)
        assert answered.keys() == expected.keys()
        for head, scores in expected.items():
            assert_close(answered[head], scores)


def test_versions_come_and_go_in_one_process_without_a_failed_request(
    served: TritonClient, triton: Triton, folders: ModelFolders
) -> None:
    served.prepare("counters", "1")
    process = stubs_of(triton, "counters")
    second = copy_of(folders, ModelId("counters", "1"))
    with requests_to(served, "counters") as answered:
        served.prepare("counters", second.version)
        inputs = tensors(9, 1)
        assert_close(
            served.infer("counters", second.version, *inputs, timeout_ms=10_000)["click"],
            infer(served, "counters", *inputs)["click"],
        )
        with pytest.raises(InferenceError, match="no version 99"):
            served.prepare("counters", "99")
        folders.retire(second.id)
        assert served.ready("counters", second.version)
    assert answered.errors == []
    assert answered.count > 0
    assert stubs_of(triton, "counters") == process
    assert len(process) == 1


def test_another_head_starts_the_server_anew_beside_the_one_that_answers(
    served: TritonClient, triton: Triton, folders: ModelFolders
) -> None:
    process = stubs_of(triton, "counters")
    files = server_files("counters", SIGNATURE, ("click", "like"))
    with requests_to(served, "counters") as answered:
        folders.write_server("counters", files)
        served.prepare("counters", "1")
    assert answered.errors == []
    assert answered.count > 0
    assert stubs_of(triton, "counters") - process


def test_who_names_no_version_gets_the_newest(served: TritonClient, triton: Triton) -> None:
    named = dict(zip(("user", "candidates", "ids"), tensors(2, 1), strict=True))
    kinds = {"user": "FP32", "candidates": "FP32", "ids": "INT64"}
    inputs = [
        {"name": name, "shape": tensor.shape, "datatype": kinds[name], "data": tensor.flatten().tolist()}
        for name, tensor in named.items()
    ]
    answer = httpx.post(f"{triton.http}/v2/models/counters/infer", json={"inputs": inputs}).json()
    found = np.array(answer["outputs"][0]["data"], np.float32)
    assert_close(found, infer(served, "counters", *named.values())["click"])


def test_a_version_for_other_features_is_refused_with_both_fingerprints(
    served: TritonClient, folders: ModelFolders
) -> None:
    foreign = copy_of(folders, ModelId("counters", "1"), fingerprint="def")
    with pytest.raises(InferenceError, match=r"def[\s\S]*abc"):
        served.prepare("counters", foreign.version)
    assert served.ready("counters", "1")
    folders.retire(foreign.id)


def test_inputs_of_another_width_are_an_error_that_names_the_input(served: TritonClient) -> None:
    user, candidates, ids = tensors(5, 1)
    with pytest.raises(InferenceError, match="candidates"):
        infer(served, "counters", user, candidates[:, :2].copy(), ids)


def test_an_answer_later_than_allowed_is_a_timeout(served: TritonClient) -> None:
    with pytest.raises(InferenceTimeout, match=r"reference/1 gave no answer within 0\.001 ms"):
        served.infer(
            "reference", "1", *tensors(100_000, 1), timeout_ms=0.001
        )  # more than a socket takes at once


def test_a_server_out_of_reach_is_an_error_and_not_ready() -> None:
    nowhere = Settings(triton_grpc="127.0.0.1:1", triton_http="127.0.0.1:1")
    with closing(open_triton(nowhere)) as client:
        assert not client.ready("counters", "1")
        with pytest.raises(InferenceError, match=r"counters/1.*out of reach.*refused"):
            infer(client, "counters", *tensors(1, 1))


def stubs_of(triton: Triton, model: str) -> set[int]:
    """The processes in which Triton runs a model."""
    folder = str(triton.models.parent / "model-servers" / model / "1")
    commands = {
        process.pid: " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    }
    return {
        pid for pid, command in commands.items() if "python_backend_stub" in command and folder in command
    }


def copy_of(folders: ModelFolders, model: ModelId, **changes: str) -> ModelMetadata:
    """A new version with the files of ``model``, and metadata changed."""
    metadata = msgspec.structs.replace(folders.metadata(model), **changes)
    return folders.add(metadata, {"model.pt": (folders.path(model) / "model.pt").read_bytes()})
