"""What uniform exposure, or another log's, would have earned, and whether two logs differ in reward."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.off_policy import (
    PolicyValue,
    ValueRefused,
    difference,
    doubly_robust,
    ips,
    mean_reward,
    snips,
)
from streams.feedback.scan.codes import CodedLog
from streams.feedback.scan.reward_model import cross_fitted
from streams.feedback.scan.target_policy import displayed_policy, uniform_policy

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ValueLine:
    """One estimate, or why there is none.

    Attributes
    ----------
    policy : whose value
    estimator : how it was estimated
    value : None where it was refused
    refused : why; empty where there is a value
    """

    policy: str
    estimator: str
    value: PolicyValue | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class RewardDifference:
    """Mean reward of the log less that of the other; a claim only where the interval excludes 0."""

    value: float
    low: float
    high: float

    @property
    def claimed(self) -> bool:
        """Whether the data carry a difference."""
        return self.low > 0 or self.high < 0


def value_lines(log: CodedLog, other: CodedLog | None, confidence: float) -> list[ValueLine]:
    """The log's own value, that of uniform exposure and that of the other log's exposure."""
    lines = [_line("as logged", "mean", lambda: mean_reward(log.reward, log.cluster, confidence=confidence))]
    lines += _target_lines(log, "uniform", uniform_policy(log.positions, log.items), confidence)
    if other is not None:
        displayed = displayed_policy(other.position, other.item, other.positions, other.items)
        lines += _target_lines(log, "as the other log displays", displayed, confidence)
    return lines


def reward_difference(log: CodedLog, other: CodedLog, confidence: float) -> RewardDifference | str:
    """Of the logs' own values; a text says why there is none."""
    try:
        values = [mean_reward(each.reward, each.cluster, confidence=confidence) for each in (log, other)]
    except ValueRefused as refused:
        return str(refused)
    return RewardDifference(*difference(*values))


def _target_lines(log: CodedLog, name: str, target: Float64, confidence: float) -> list[ValueLine]:
    if log.propensity is None:
        return [ValueLine(name, "ips, snips, dr", None, "blind: the log has no propensities")]
    reward, cluster = log.reward, log.cluster
    weight = target[log.position, log.item] / log.propensity
    predicted, expected = cross_fitted(log, target)
    estimators: dict[str, Callable[[], PolicyValue]] = {
        "ips": lambda: ips(reward, weight, cluster, confidence=confidence),
        "snips": lambda: snips(reward, weight, cluster, confidence=confidence),
        "dr": lambda: doubly_robust(reward, weight, predicted, expected, cluster, confidence=confidence),
    }
    return [_line(name, estimator, estimate) for estimator, estimate in estimators.items()]


def _line(policy: str, estimator: str, estimate: Callable[[], PolicyValue]) -> ValueLine:
    try:
        return ValueLine(policy, estimator, estimate())
    except ValueRefused as refused:
        return ValueLine(policy, estimator, None, str(refused))
