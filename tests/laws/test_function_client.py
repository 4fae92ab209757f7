"""The client over functions obeys the laws."""

import pytest

from ranker.triton.base import Float32, InferenceClient, InferenceError, Int64, Scores
from ranker.triton.function import FunctionClient
from tests.laws.inference_laws import MODELS, InferenceLaws, infer, tensors


def counters(user: Float32, candidates: Float32, ids: Int64) -> Scores:
    return {"click": (candidates[:, 1] + 1) / (candidates[:, 0] + 8)}


@pytest.fixture(scope="module")
def client() -> InferenceClient:
    return FunctionClient(dict.fromkeys(MODELS, counters))


class TestFunctionClient(InferenceLaws):
    """The laws."""


def test_a_scripted_failure_is_raised_until_it_is_taken_back() -> None:
    client = FunctionClient({"counters": counters})
    client.failure = InferenceError("scripted")
    for _ in range(2):
        with pytest.raises(InferenceError, match="scripted"):
            infer(client, "counters", *tensors(3, 1))
    assert not client.ready("counters", "1")
    client.failure = None
    infer(client, "counters", *tensors(3, 1))
    assert client.calls == 3
