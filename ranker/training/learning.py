"""Learn from exposures, and measure what came out. Knows no registry and nothing that serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from ranker.training.boosted import boosted_trees
from ranker.training.evaluation import (
    BOOSTED,
    NEW_MODEL,
    Evaluation,
    Incumbent,
    Scorer,
    evaluate,
    simple_scorers,
)
from ranker.training.fit import Fitted, OnEpoch, Parameters, fit
from ranker.training.gate import Evidence
from ranker.training.predict import dense_columns, predict
from ranker.training.rows import Float32, rows_of
from ranker.training.slices import slices
from ranker.training.split import Split, split
from triton_models.signature import Signature


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn from, and what to do with the model.

    Attributes
    ----------
    fraction : share of the requests, in time order, to learn from; the rest is the test part
    until_time_ms : instead of ``fraction``: learn from requests up to this moment
    promote : whether a model that passes the gate replaces the champion
    genres : hash of a genre -> its name, for the table
    label_window_ms : exposures younger than this are left out; None: none is, as the join has waited for all
    """

    parameters: Parameters = field(default_factory=Parameters)
    fraction: float = 0.8
    until_time_ms: int | None = None
    promote: bool = True
    genres: Mapping[int, str] = field(default_factory=dict)
    label_window_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """A net, and how it ranks the test part beside others.

    Attributes
    ----------
    predicted : head -> (n,) its probabilities on the test part
    champion : what it was measured beside
    """

    parts: Split
    fitted: Fitted
    evaluation: Evaluation
    predicted: Mapping[str, Float32]
    champion: Incumbent | None

    @property
    def evidence(self) -> Evidence:
        """For the gate."""
        return Evidence(self.parts.test, self.predicted, self.evaluation, self.champion)


def learn(
    exposures: pa.Table,
    signature: Signature,
    plan: Plan,
    on_epoch: OnEpoch,
    champion: Incumbent | None = None,
) -> Learned:
    """Train on the earlier requests, stop on later ones, measure on the latest.

    Parameters
    ----------
    champion : what to measure it beside

    Raises
    ------
    TrainingError
        The exposures do not allow it.
    """
    user = len(signature.user)
    parts = split(rows_of(exposures, signature), fraction=plan.fraction, until_time_ms=plan.until_time_ms)
    fitted = fit(parts.train, parts.validation, user, plan.parameters, on_epoch)
    predicted = predict(fitted.net, parts.test, user)
    scorers = _others(parts, signature, plan.parameters, fitted, champion)
    scorers[NEW_MODEL] = lambda rows: predicted["click"]
    evaluation = evaluate(parts.test, scorers, slices(parts.test, signature, plan.genres))
    return Learned(parts, fitted, evaluation, predicted, champion)


def _others(
    parts: Split,
    signature: Signature,
    parameters: Parameters,
    fitted: Fitted,
    champion: Incumbent | None,
) -> dict[str, Scorer]:
    boosted = boosted_trees(
        parts.train,
        parts.validation,
        lambda rows: dense_columns(fitted.net.columns, rows, len(signature.user)).numpy(),
        seed=parameters.seed,
        threads=parameters.threads,
    )
    others = champion.scorers if champion else {}
    return {**simple_scorers(signature, parameters.seed), BOOSTED: boosted, **others}
