"""How concentrated a log's exposure is beside uniform exposure, and whether that grows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.concentration import ConcentrationGrowth, gini_gap
from streams.feedback.concentration_measures import (
    gini,
    normalised_entropy,
    top_share,
)
from streams.feedback.evidence.alarm_budget import PAGE_FLOOR
from streams.feedback.evidence.uniformity import log_evidence_against_uniform
from streams.feedback.scan.codes import CodedLog

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

EPOCHS = 40
"""Spans of equal time that a log is cut into for its trend."""

_UNIFORM_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Concentration:
    """Of one log's exposure.

    Attributes
    ----------
    gini, entropy, top_tenth : unequal near 1, near 0, near 1
    uniform_gini : (low, high) within which 99 % of uniform logs of the same size are
    log10_e : evidence against uniform exposure, as a power of ten
    """

    rows: int
    items: int
    gini: float
    uniform_gini: tuple[float, float]
    entropy: float
    top_tenth: float
    log10_e: float

    @property
    def concentrated(self) -> bool:
        """Whether the log is not one of uniform exposure: e at or above 1000."""
        return self.log10_e >= math.log10(PAGE_FLOOR)


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth of the Gini coefficient above that of the comparison, thinned to the same size.

    Attributes
    ----------
    against : `uniform` (drawn), or `other` (the other log, live over the same time)
    first_half, second_half : mean difference of the Gini coefficients
    log10_e : evidence for growth
    difference : (epochs,) the differences, oldest first
    """

    against: str
    first_half: float
    second_half: float
    log10_e: float
    difference: Float64

    @property
    def growing(self) -> bool:
        """Whether the growth is more than chance: e at or above 1000."""
        return self.log10_e >= math.log10(PAGE_FLOOR)


def concentration(log: CodedLog, rng: np.random.Generator) -> Concentration:
    """Of all exposures of ``log`` together."""
    counts = log.counts
    uniform = gini(_uniform(len(log.item), log.items, rng, _UNIFORM_DRAWS))
    low, high = np.quantile(uniform, [0.005, 0.995])
    return Concentration(
        rows=len(log.item),
        items=log.items,
        gini=float(gini(counts)),
        uniform_gini=(float(low), float(high)),
        entropy=float(normalised_entropy(counts)),
        top_tenth=float(top_share(counts)),
        log10_e=log_evidence_against_uniform(counts) / math.log(10),
    )


def trend(log: CodedLog, other: CodedLog | None, rng: np.random.Generator, epochs: int = EPOCHS) -> Trend:
    """Growth of the concentration of ``log`` over that of ``other``, or of uniform exposure.

    The time that both logs cover is cut into spans of equal length; in each the larger log is
    thinned to the size of the smaller one.
    """
    logs = [log] if other is None else [log, other]
    bounds = _bounds(logs, epochs)
    mine = _counts_by_epoch(log, bounds)
    compared = _uniform_like(mine, rng) if other is None else _counts_by_epoch(other, bounds)
    difference = np.array([gini_gap(*pair, rng) for pair in zip(mine, compared, strict=True)])
    growth = ConcentrationGrowth(epochs // 2)
    for gap in difference:
        growth.observe(gap)
    return Trend(
        against="uniform" if other is None else "other",
        first_half=float(difference[: epochs // 2].mean()),
        second_half=float(difference[epochs // 2 :].mean()),
        log10_e=float(growth.log_evidence() / math.log(10)),
        difference=difference,
    )


def _uniform(rows: int, items: int, rng: np.random.Generator, draws: int | None = None) -> Int64:
    return rng.multinomial(rows, np.full(items, 1 / items), size=draws)


def _uniform_like(counts: Int64, rng: np.random.Generator) -> Int64:
    """Uniform exposure of as many rows in each epoch."""
    return np.stack([_uniform(int(rows), counts.shape[-1], rng) for rows in counts.sum(axis=-1)])


def _bounds(logs: list[CodedLog], epochs: int) -> Float64:
    first = max(int(each.time_ms[0]) for each in logs)
    last = min(int(each.time_ms[-1]) for each in logs)
    return np.linspace(first, last, epochs + 1)


def _counts_by_epoch(log: CodedLog, bounds: Float64) -> Int64:
    """(epochs, items) exposures within the bounds."""
    epochs = len(bounds) - 1
    epoch = np.searchsorted(bounds, log.time_ms, side="right") - 1
    epoch[log.time_ms == bounds[-1]] = epochs - 1
    inside = (epoch >= 0) & (epoch < epochs)
    cell = epoch[inside] * log.items + log.item[inside]
    return np.bincount(cell, minlength=epochs * log.items).reshape(epochs, log.items)
