"""Items of which the same is said are alike; of unknown ones nothing is known."""

import torch

from ranker.training.likeness import WIDTH, item_vectors

ITEMS = torch.tensor([50, 20, 30, 40, 10, 60, 50])
WORDS = torch.tensor([[1, 9], [3, 4], [3, 4], [4, 5], [5, 6], [0, 7], [5, 6]])
"""A row each; of item 50 something else is said later."""


def likeness(first: int, second: int) -> float:
    known, vectors = item_vectors(ITEMS, WORDS)
    at = {item: place for place, item in enumerate(known.tolist())}
    return float(vectors[at[first]] @ vectors[at[second]])


def test_ids_are_ascending_and_none_is_the_zero_vector() -> None:
    known, vectors = item_vectors(
        torch.cat((ITEMS, torch.zeros(1, dtype=torch.int64))), WORDS[[*range(7), 0]]
    )
    assert known.tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert vectors.shape == (7, WIDTH) and not vectors[0].any()


def test_items_of_which_the_same_is_said_are_alike_and_others_less() -> None:
    assert likeness(20, 30) > 0.999
    assert 0.05 < likeness(20, 40) < 0.95
    assert abs(likeness(20, 10)) < 1e-3


def test_what_was_said_last_of_an_item_counts() -> None:
    assert likeness(50, 10) > 0.999


def test_an_item_of_which_nothing_is_said_that_is_said_of_another_is_like_none() -> None:
    assert likeness(60, 60) == 0.0


def test_the_place_of_a_word_means_nothing() -> None:
    _, vectors = item_vectors(ITEMS, WORDS)
    turned = item_vectors(ITEMS, WORDS.flip(1))[1]
    torch.testing.assert_close(vectors @ vectors.T, turned @ turned.T, atol=1e-5, rtol=1e-5)


def test_the_same_rows_give_the_same_bits() -> None:
    assert torch.equal(item_vectors(ITEMS, WORDS)[1], item_vectors(ITEMS, WORDS)[1])


def test_without_words_nothing_is_alike() -> None:
    known, vectors = item_vectors(ITEMS, WORDS[:, :0])
    assert len(known) == len(vectors) and not vectors.any()
