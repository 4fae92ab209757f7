"""The laws of an inference client, which every implementation is held to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranker.triton.base import Float32, InferenceClient, InferenceError, Int64, Scores
from triton_models.signature import Signature

SIGNATURE = Signature(
    service="small_v1",
    fingerprint="abc",
    user=("user.a", "user.b"),
    candidate=("item.impression_count_total", "item.click_count_total", "noise"),
    ids=("item", "genre"),
)
RTOL, ATOL = 1e-5, 1e-6
"""Blocks of a matrix product depend on the number of candidates, so the last bits may differ."""

MODELS = ("counters", "reference")


def tensors(n: int, seed: int) -> tuple[Float32, Float32, Int64]:
    """User, candidates and ids of ``n`` candidates."""
    rng = np.random.default_rng(seed)
    candidates = rng.integers(0, 1_000, (n, 3)).astype(np.float32)
    return rng.random((1, 2), np.float32), candidates, rng.integers(0, 2**53, (n, 2))


def infer(client: InferenceClient, model: str, user: Float32, candidates: Float32, ids: Int64) -> Scores:
    """Scores of version 1, without hurry."""
    return client.infer(model, "1", user, candidates, ids, timeout_ms=10_000)


def assert_close(found: Float32, expected: Float32) -> None:
    np.testing.assert_allclose(found, expected, rtol=RTOL, atol=ATOL)


class InferenceLaws:
    """Subclass it with a module-scoped fixture ``client`` with version 1 of both models prepared."""

    @pytest.mark.parametrize("model", MODELS)
    @given(n=st.integers(1, 300), seed=st.integers(0, 2**31))
    @settings(max_examples=15)
    def test_permuting_candidates_permutes_the_scores(
        self, client: InferenceClient, model: str, n: int, seed: int
    ) -> None:
        user, candidates, ids = tensors(n, seed)
        order = np.random.default_rng(seed).permutation(n)
        permuted = infer(client, model, user, candidates[order], ids[order])
        for head, scores in infer(client, model, user, candidates, ids).items():
            assert_close(permuted[head], scores[order])

    @pytest.mark.parametrize("model", MODELS)
    @given(n=st.integers(2, 300), seed=st.integers(0, 2**31))
    @settings(max_examples=15)
    def test_adding_candidates_changes_no_score(
        self, client: InferenceClient, model: str, n: int, seed: int
    ) -> None:
        user, candidates, ids = tensors(n, seed)
        many = infer(client, model, user, candidates, ids)
        for head, scores in infer(client, model, user, candidates[: n // 2], ids[: n // 2]).items():
            assert_close(many[head][: n // 2], scores)

    @pytest.mark.parametrize("model", MODELS)
    def test_every_head_has_a_finite_float32_score_per_candidate(
        self, client: InferenceClient, model: str
    ) -> None:
        for scores in infer(client, model, *tensors(7, 1)).values():
            assert scores.dtype == np.float32
            assert scores.shape == (7,)
            assert np.isfinite(scores).all()

    def test_counters_answer_the_smoothed_click_rate(self, client: InferenceClient) -> None:
        user, candidates, ids = tensors(50, 2)
        expected = (candidates[:, 1] + 1) / (candidates[:, 0] + 8)
        assert_close(infer(client, "counters", user, candidates, ids)["click"], expected)

    def test_what_was_prepared_is_ready_and_can_be_prepared_again(self, client: InferenceClient) -> None:
        client.prepare("counters", "1")
        assert client.ready("counters", "1")

    def test_an_unknown_model_is_an_error_that_names_it(self, client: InferenceClient) -> None:
        assert not client.ready("absent", "1")
        with pytest.raises(InferenceError, match="absent"):
            infer(client, "absent", *tensors(3, 1))
        with pytest.raises(InferenceError, match="absent"):
            client.prepare("absent", "1")
