"""The net learns what there is to learn, the same way each time, and serves without positions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ranker.training.evaluation import simple_scorers
from ranker.training.fit import Parameters, fit
from ranker.training.loss import listwise_loss
from ranker.training.metrics import ndcg
from ranker.training.predict import predict
from ranker.training.rows import Rows
from ranker.training.split import split
from triton_models.signature import Signature
from triton_models.timeline_ranker import Normalise

QUICK = Parameters(epochs=4, learning_rate=5e-3)


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


def test_it_beats_the_counters_where_there_is_more_to_know(rows: Rows, signature: Signature) -> None:
    parts = split(rows)
    fitted = fit(parts.train, parts.validation, 2, QUICK, quiet)
    learned = ndcg(predict(fitted.net, parts.test, 2)["click"], parts.test).mean()
    counted = ndcg(simple_scorers(signature, 0)["item CTR"](parts.test), parts.test).mean()
    assert learned > counted + 0.05


def test_the_same_rows_and_seed_give_the_same_weights(rows: Rows) -> None:
    first, again = (fit(rows, None, 2, QUICK, quiet).net.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_another_seed_gives_other_weights(rows: Rows) -> None:
    first = fit(rows, None, 2, QUICK, quiet).net.state_dict()
    other = fit(rows, None, 2, replace(QUICK, seed=2), quiet).net.state_dict()
    assert not torch.equal(first["heads.weight"], other["heads.weight"])


def test_training_leaves_the_global_random_state_alone(rows: Rows) -> None:
    before = torch.random.get_rng_state()
    fit(rows, None, 2, replace(QUICK, epochs=1), quiet)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_stops_when_the_validation_part_gets_no_better(rows: Rows) -> None:
    values: list[float] = []
    parts = split(rows)
    fitted = fit(
        parts.train,
        parts.validation,
        2,
        replace(QUICK, epochs=30, patience=2, learning_rate=2e-2),
        lambda epoch, epochs, value: values.append(value or 0.0),
    )
    assert fitted.epochs == int(np.argmax(values)) + 1
    assert len(values) == min(30, fitted.epochs + 2)


def test_heads_are_probabilities_on_average(rows: Rows) -> None:
    parts = split(rows)
    fitted = fit(parts.train, None, 2, QUICK, quiet)
    predicted = predict(fitted.net, parts.train, 2)["click"]
    assert ((predicted > 0) & (predicted < 1)).all()
    assert predicted.mean() == pytest.approx(parts.train.labels["click"].mean(), abs=0.03)


def test_the_listwise_loss_equals_the_softmax_of_each_request_and_member() -> None:
    logits = torch.tensor([2.0, -1.0, 0.5, 300.0, -300.0])
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
    request = torch.tensor([0, 0, 0, 1, 1])
    first = -torch.log_softmax(logits[:3], 0)[[0, 2]].mean()
    second = -torch.log_softmax(logits[3:], 0)[1]
    both = torch.stack((logits, torch.zeros(5)))
    even = (torch.log(torch.tensor(3.0)) + torch.log(torch.tensor(2.0))) / 2
    expected = ((first + second) / 2 + even) / 2
    assert listwise_loss(both, labels, request, torch.ones(5)).item() == pytest.approx(expected.item())


def test_a_request_without_clicks_has_no_listwise_loss() -> None:
    zero = torch.zeros(4)
    assert listwise_loss(torch.randn(2, 4), zero, torch.tensor([0, 0, 1, 1]), zero + 1).item() == 0.0


def test_values_that_are_no_numbers_become_average_ones() -> None:
    normalise = Normalise(torch.tensor([False, True]), torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0]))
    strange = torch.tensor([[torch.nan, torch.inf], [-torch.inf, torch.nan]])
    assert normalise(strange).tolist() == [[0.0, 4.0], [-4.0, 0.0]]


def clicks_of_what_was_clicked_before(rows: Rows) -> Rows:
    """Every other request shows, somewhere, the item that its user clicked last, which is clicked again."""
    ids, click, (_, first, _, _) = rows.ids.copy(), np.zeros_like(rows.labels["click"]), rows.recents[0]
    rng = np.random.default_rng(3)
    for start, end in zip(rows.starts[:-1:2], rows.starts[1::2], strict=True):
        at = rng.integers(start, end)
        ids[at, rows.recents[0].of], click[at] = ids[at, first], 1.0
    return replace(rows, ids=ids, labels={"click": click})


def test_it_learns_that_people_click_what_they_clicked_before(rows: Rows) -> None:
    parts = split(clicks_of_what_was_clicked_before(rows))
    fitted = fit(parts.train, parts.validation, 2, QUICK, quiet)
    assert ndcg(predict(fitted.net, parts.test, 2)["click"], parts.test).mean() > 0.95
    nothing = parts.test.ids.copy()
    nothing[:, 2:] = 0
    forgotten = replace(parts.test, ids=nothing)
    assert ndcg(predict(fitted.net, forgotten, 2)["click"], parts.test).mean() < 0.7


def test_an_update_knows_the_items_that_the_net_it_goes_on_from_knew(rows: Rows) -> None:
    quick = replace(QUICK, epochs=1)
    start = fit(rows.between(0, 200), None, 2, quick, quiet).net.state_dict()
    later = fit(rows.between(200, 260), None, 2, quick, quiet, start=start).net.state_dict()
    for name in ("columns.recents.0.known", "columns.recents.0.vectors"):
        assert torch.equal(later[name], start[name])
    assert not torch.equal(later["heads.weight"], start["heads.weight"])
