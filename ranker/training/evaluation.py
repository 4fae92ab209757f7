"""The table: what is simple, what serves now, and what was learned, on requests later than training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ranker.training.bootstrap import interval_of
from ranker.training.errors import TrainingError
from ranker.training.metrics import ndcg
from ranker.training.rows import Rows
from triton_models.counters import CLICKS, IMPRESSIONS
from triton_models.signature import Signature

Scorer = Callable[[Rows], NDArray[np.floating[Any]]]
"""Scores (n,) to sort by."""


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The champion, to compare a new model with.

    Attributes
    ----------
    name : of its row in the table
    score : None where it cannot be asked
    unmeasured : why it cannot
    """

    name: str
    score: Scorer | None = None
    unmeasured: str | None = None

    @property
    def scorers(self) -> dict[str, Scorer]:
        """Its row."""
        return {self.name: self.score} if self.score else {}


NEW_MODEL = "new model"
BOOSTED = "LightGBM"
COUNTED = "item CTR"


class Result(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes
    ----------
    ranker : what was measured
    ndcg_at_10 : mean over the test requests with a click
    low, high : 95 % bootstrap interval of that mean
    behind, behind_low, behind_high : how much better the new model is on the same requests, paired, with
        its interval
    """

    ranker: str
    ndcg_at_10: float
    low: float
    high: float
    behind: float
    behind_low: float
    behind_high: float


class Slice(msgspec.Struct, frozen=True):
    """Some of the rows, on how many requests.

    Attributes
    ----------
    name : what they have in common
    requests, clicked_requests : only the second kind can be measured
    """

    name: str
    requests: int
    clicked_requests: int
    results: tuple[Result, ...]

    def __getitem__(self, ranker: str) -> Result:
        return next(result for result in self.results if result.ranker == ranker)

    def find(self, ranker: str) -> Result | None:
        """The ranker's row, None where it was not measured."""
        return next((result for result in self.results if result.ranker == ranker), None)


class Evaluation(Slice, frozen=True):
    """All rows, and the slices.

    Attributes
    ----------
    slices : parts of the rows; rankings there are of the slice's items only
    """

    slices: tuple[Slice, ...] = ()


def evaluate(
    test: Rows, scorers: Mapping[str, Scorer], parts: Mapping[str, NDArray[np.bool_]] | None = None
) -> Evaluation:
    """Measure each scorer on the same requests, :data:`NEW_MODEL` among them.

    Parameters
    ----------
    parts : slice -> (n,) its rows
    """
    scores = {name: score(test) for name, score in scorers.items()}
    whole = _slice("all", test, scores)
    slices = tuple(
        _slice(name, test.where(mask), {ranker: score[mask] for ranker, score in scores.items()})
        for name, mask in (parts or {}).items()
    )
    return Evaluation(whole.name, whole.requests, whole.clicked_requests, whole.results, slices)


def _slice(name: str, rows: Rows, scores: Mapping[str, NDArray[np.floating[Any]]]) -> Slice:
    measured = {ranker: ndcg(score, rows) for ranker, score in scores.items()}
    new = measured[NEW_MODEL]
    results = tuple(_result(ranker, values, new - values) for ranker, values in measured.items())
    return Slice(name, rows.requests, len(new), results)


def _result(ranker: str, values: NDArray[np.float64], ahead: NDArray[np.float64]) -> Result:
    own, difference = interval_of(values), interval_of(ahead)
    return Result(ranker, _mean(values), *own, _mean(ahead), *difference)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def simple_scorers(signature: Signature, seed: int) -> dict[str, Scorer]:
    """What every model has to beat; all read the served rows only."""
    impressions = dense_position(signature, IMPRESSIONS)
    clicks = dense_position(signature, CLICKS)
    popularity = _popularity(signature, clicks)
    return {
        "random": lambda rows: np.random.default_rng(seed).random(len(rows)),
        "displayed order": lambda rows: -rows.position.astype(np.float64),
        "popularity": lambda rows: rows.dense[:, popularity],
        COUNTED: lambda rows: (rows.dense[:, clicks] + 1) / (rows.dense[:, impressions] + 8),
    }


def _popularity(signature: Signature, clicks: int) -> int:
    """Popularity as the items' source gives it; where it does not, the number of clicks."""
    given = "attribute.popularity"
    return dense_position(signature, given) if given in signature.candidate else clicks


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
