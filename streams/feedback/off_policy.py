"""Off-policy values with intervals: what another policy would have earned, read from a log with propensities.

IPS (Horvitz and Thompson 1952), SNIPS (Swaminathan and Joachims, NeurIPS 2015) and the doubly robust
estimator (Dudík, Langford and Li, ICML 2011). Variances are of the estimators' influence values, summed
within clusters (Liang and Zeger 1986), so that several rows of one user count as one observation.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]

MIN_EFFECTIVE_SAMPLE = 1000.0
"""Below this effective sample size a value is refused: its interval could not be trusted."""


class ValueRefused(ValueError):  # noqa: N818  (a state of the data, named for what is said)
    """The log cannot carry the estimate; the message says why."""


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """An estimate of the mean reward per row.

    Attributes
    ----------
    estimator : ``mean``, ``ips``, ``snips`` or ``dr``
    value, low, high : reward per row, and its interval at ``confidence``
    standard_error : of the value, clusters taken as the units
    effective_sample_size : (Σw)² / Σw², rows
    """

    estimator: str
    value: float
    low: float
    high: float
    confidence: float
    standard_error: float
    effective_sample_size: float


def effective_sample_size(weight: Float64) -> float:
    """(Σw)² / Σw² of the importance weights (n,), rows (Kish 1965); 0 where all weights are 0."""
    squares = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def mean_reward(reward: Float64, cluster: Index, *, confidence: float = 0.99) -> PolicyValue:
    """The logging policy's own value; arguments and errors as in :func:`ips`."""
    ones = np.ones(len(reward))
    return _value("mean", reward, ones, reward, cluster, confidence)


def ips(reward: Float64, weight: Float64, cluster: Index, *, confidence: float = 0.99) -> PolicyValue:
    """Inverse propensity score: mean of w·r.

    Parameters
    ----------
    reward : (n,)
    weight : (n,) probability under the target policy over that under the logging policy
    cluster : (n,) unit that was randomised, by number (a user); rows of one are not independent
    confidence : of the two-sided interval

    Raises
    ------
    ValueRefused
        The effective sample size is below :data:`MIN_EFFECTIVE_SAMPLE`, all rewards are equal, or
        there is only one cluster.
    """
    return _value("ips", reward, weight, weight * reward, cluster, confidence)


def snips(reward: Float64, weight: Float64, cluster: Index, *, confidence: float = 0.99) -> PolicyValue:
    """Self-normalised IPS: Σw·r / Σw; arguments and errors as in :func:`ips`.

    Its interval is by the delta method: influence values v + w·(r − v)/mean(w).
    """
    _refuse_thin(weight)
    value = float((weight * reward).sum() / weight.sum())
    influence = value + weight * (reward - value) / weight.mean()
    return _value("snips", reward, weight, influence, cluster, confidence)


def doubly_robust(
    reward: Float64,
    weight: Float64,
    predicted: Float64,
    expected: Float64,
    cluster: Index,
    *,
    confidence: float = 0.99,
) -> PolicyValue:
    """Mean of q_target + w·(r − q_shown); the other arguments and errors as in :func:`ips`.

    Parameters
    ----------
    predicted : (n,) reward predicted for what was shown, by a model that did not see the row
    expected : (n,) the same prediction averaged over the target policy
    """
    return _value("dr", reward, weight, expected + weight * (reward - predicted), cluster, confidence)


def difference(left: PolicyValue, right: PolicyValue) -> tuple[float, float, float]:
    """``left - right`` of two independent logs: estimate, lower and upper bound at left's confidence."""
    gap = left.value - right.value
    margin = _quantile(left.confidence) * float(np.hypot(left.standard_error, right.standard_error))
    return gap, gap - margin, gap + margin


def _value(
    estimator: str, reward: Float64, weight: Float64, influence: Float64, cluster: Index, confidence: float
) -> PolicyValue:
    _refuse_thin(weight)
    if np.ptp(reward) == 0:
        raise ValueRefused(f"all {len(reward)} rewards are {reward[0]:g}: they say nothing about the spread")
    value = float(influence.mean())
    error = _clustered_error(influence - value, cluster)
    margin = _quantile(confidence) * error
    ess = effective_sample_size(weight)
    return PolicyValue(estimator, value, value - margin, value + margin, confidence, error, ess)


def _refuse_thin(weight: Float64) -> None:
    found = effective_sample_size(weight)
    if found < MIN_EFFECTIVE_SAMPLE:
        raise ValueRefused(
            f"effective sample size {found:.0f} of {len(weight)} rows is below {MIN_EFFECTIVE_SAMPLE:.0f}"
        )


def _clustered_error(residual: Float64, cluster: Index) -> float:
    """Standard error of a mean whose rows are independent between clusters only."""
    sums = np.bincount(cluster, weights=residual)
    clusters = len(np.unique(cluster))
    if clusters < 2:
        raise ValueRefused("all rows are of one cluster: nothing is independent of anything")
    return float(np.sqrt(clusters / (clusters - 1) * np.square(sums).sum()) / len(residual))


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
