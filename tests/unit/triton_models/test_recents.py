"""What a user did last says something of a candidate, and of no other."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triton_models.export import torchscript
from triton_models.recents import SCALARS, Recents

K, OF, FIRST = 4, 1, 2
KNOWN = torch.tensor([0, 10, 20, 30, 40])
VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
RECENTS = Recents(OF, FIRST, K, KNOWN, VECTORS)

some_ids = st.sampled_from([0, 10, 15, 20, 30, 40, 99])
histories = st.lists(some_ids, min_size=K, max_size=K)


def ids_of(candidates: list[int], recent: list[int]) -> torch.Tensor:
    return torch.tensor([[7, candidate, *recent] for candidate in candidates])


def told(candidates: list[int], recent: list[int]) -> torch.Tensor:
    ids = ids_of(candidates, recent)
    return RECENTS(ids, ids[:1])


def test_a_candidate_among_the_recent_ids_says_how_recent_it_is() -> None:
    assert told([20, 10, 30], [10, 20, 10, 0])[:, 0].tolist() == pytest.approx([1 / 2, 1 + 1 / 3, 0])


def test_likeness_is_a_mean_with_two_of_no_likeness_and_a_highest() -> None:
    assert told([30], [10, 20, 0, 0])[0, 1:].tolist() == pytest.approx([(0.6 + 0.8) / 4, 0.8])
    assert told([10], [40, 40, 40, 40])[0, 1:].tolist() == pytest.approx([-4 / 6, -1])


@given(candidates=st.lists(some_ids, min_size=1, max_size=6))
def test_of_a_user_who_did_nothing_nothing_is_said(candidates: list[int]) -> None:
    assert torch.equal(told(candidates, [0] * K), torch.zeros(len(candidates), SCALARS))


@given(recent=histories)
def test_an_id_that_is_not_known_is_like_nothing_and_can_still_be_among_the_recent_ones(
    recent: list[int],
) -> None:
    found = told([15, 0], recent)
    assert (found[:, 1] == 0).all()
    assert found[0, 0] == pytest.approx(sum(1 / (1 + at) for at, one in enumerate(recent) if one == 15))
    assert found[1, 0] == 0


@given(candidates=st.lists(some_ids, min_size=1, max_size=6), recent=histories, seed=st.integers(0, 99))
def test_permuting_candidates_permutes_what_is_said_of_them(
    candidates: list[int], recent: list[int], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(candidates))
    permuted = told([candidates[at] for at in order], recent)
    assert torch.equal(permuted, told(candidates, recent)[torch.from_numpy(order)])


@given(candidates=st.lists(some_ids, min_size=1, max_size=6), recent=histories)
def test_what_is_said_of_a_candidate_depends_on_no_other(candidates: list[int], recent: list[int]) -> None:
    together = told(candidates, recent)
    for alone, candidate in zip(together, candidates, strict=True):
        torch.testing.assert_close(told([candidate], recent)[0], alone)


@given(
    pairs=st.lists(st.tuples(some_ids, histories), min_size=1, max_size=6),
)
def test_candidates_of_several_users_are_each_compared_with_their_own(
    pairs: list[tuple[int, list[int]]],
) -> None:
    ids = torch.cat([ids_of([candidate], recent) for candidate, recent in pairs])
    expected = torch.cat([told([candidate], recent) for candidate, recent in pairs])
    torch.testing.assert_close(RECENTS(ids, ids), expected)


@given(recent=histories, seed=st.integers(0, 99))
def test_likeness_does_not_depend_on_the_order_of_what_was_done(recent: list[int], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(recent).tolist()
    torch.testing.assert_close(told([10, 30], shuffled)[:, 1:], told([10, 30], recent)[:, 1:])


@settings(max_examples=10)
@given(candidates=st.lists(some_ids, min_size=1, max_size=6), recent=histories)
def test_the_exported_module_says_the_same(candidates: list[int], recent: list[int]) -> None:
    served = torch.jit.load(io.BytesIO(torchscript(RECENTS)))  # type: ignore[no-untyped-call]
    ids = ids_of(candidates, recent)
    assert torch.equal(served(ids, ids[:1]), told(candidates, recent))
