"""The table: what is simple, what serves now, and what was learned, on requests later than training."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ranker.training.errors import TrainingError
from ranker.training.metrics import ndcg
from ranker.training.rows import Rows
from triton_models.counters import CLICKS, IMPRESSIONS
from triton_models.signature import Signature

Scorer = Callable[[Rows], NDArray[np.floating[Any]]]
"""Scores (n,) to sort by."""


class Result(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes
    ----------
    ranker : what was measured
    ndcg_at_10 : mean over the test requests with a click
    standard_error : of that mean
    """

    ranker: str
    ndcg_at_10: float
    standard_error: float


class Evaluation(msgspec.Struct, frozen=True):
    """All rows, on how many requests.

    Attributes
    ----------
    requests, clicked_requests : of the test part; only the second kind can be measured
    """

    requests: int
    clicked_requests: int
    results: tuple[Result, ...]

    def __getitem__(self, ranker: str) -> Result:
        return next(result for result in self.results if result.ranker == ranker)


def evaluate(test: Rows, scorers: dict[str, Scorer]) -> Evaluation:
    """Measure each scorer on the same requests."""
    measured = {name: ndcg(score(test), test) for name, score in scorers.items()}
    results = tuple(
        Result(name, float(values.mean()), float(values.std() / np.sqrt(len(values))))
        for name, values in measured.items()
    )
    return Evaluation(test.requests, len(next(iter(measured.values()))), results)


def simple_scorers(signature: Signature, seed: int) -> dict[str, Scorer]:
    """What every model has to beat; all read the served rows only."""
    impressions = dense_position(signature, IMPRESSIONS)
    clicks = dense_position(signature, CLICKS)
    return {
        "random": lambda rows: np.random.default_rng(seed).random(len(rows)),
        "displayed order": lambda rows: -rows.position.astype(np.float64),
        "popularity": lambda rows: rows.dense[:, clicks],
        "item CTR": lambda rows: (rows.dense[:, clicks] + 1) / (rows.dense[:, impressions] + 8),
    }


def dense_position(signature: Signature, column: str) -> int:
    """Where a candidate column lies among the dense ones.

    Raises
    ------
    TrainingError
        The feature service does not have it.
    """
    if column not in signature.candidate:
        raise TrainingError(f"feature service {signature.service} has no candidate column {column!r}")
    return len(signature.user) + signature.candidate.index(column)
