"""Rows of state to columns: the features of one kind by one operation, however many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators import Age, Count, DecayedSum, Total
from feature_store.aggregators.decayed_sum import finalize_decayed
from feature_store.aggregators.last_value import finalize_ages
from feature_store.features import Feature, Rate

Float64 = NDArray[np.float64]

ROW_OFFSET, LAST_EVENT_TIME, HEADER_WIDTH = 0, 1, 2
"""Slots of every row: the batch it was last folded with, and its newest event's time in ms."""


class Finalizer:
    """Finalizes features of a view together.

    All state that they read is copied out of the rows once, kind by kind, and becomes their values in place.

    Parameters
    ----------
    features : of the view
    places : where the state of each aggregated feature lies in a row
    chosen : names of those that are wanted, in the order of the columns; None: all

    Raises
    ------
    KeyError
        There is no such feature.
    """

    def __init__(
        self, features: Sequence[Feature], places: Mapping[str, slice], chosen: Sequence[str] | None = None
    ) -> None:
        by_name = {feature.name: feature for feature in features}
        names = list(by_name) if chosen is None else chosen
        plain, ages, decayed, others, rates = _by_kind(_with_operands(by_name, names))
        ordered = [*plain, *ages, *decayed, *others, *rates]
        at = {feature.name: column for column, feature in enumerate(ordered)}
        self._order = np.array([at[name] for name in names], np.intp)
        self._width = len(ordered)
        self._ages = _run(len(plain), ages)
        self._decayed = _run(self._ages.stop, decayed)
        self._landmarks = _run(self._width, decayed)
        self._rates = _Rates.of(rates, at)
        slots = [places[feature.name].start for feature in (*plain, *ages, *decayed)]
        unread = [ROW_OFFSET] * (len(others) + len(rates))
        self._slots = np.array([*slots, *unread, *(places[feature.name].start + 1 for feature in decayed)])
        self._others = [
            (at[feature.name], feature.source, places[feature.name])
            for feature in others
            if not isinstance(feature.source, Rate)
        ]
        self._never = np.array([feature.default for feature in ages])
        self._half_lives_ms = _half_lives_ms(decayed)
        self._defaults = np.array([by_name[name].default for name in names])

    def finalize(self, rows: Float64, now_ms: int) -> Float64:
        """(n, len(chosen)) values of (n, width) rows as of ``now_ms``, defaults in place of NaN."""
        values = rows[:, self._slots]  # numpy lays this out column by column
        values[:, self._ages] = finalize_ages(values[:, self._ages], now_ms, self._never)
        values[:, self._decayed] = finalize_decayed(
            values[:, self._decayed],
            values[:, self._landmarks],
            self._half_lives_ms,
            np.maximum(now_ms, rows[:, LAST_EVENT_TIME, None]),
        )
        for column, aggregator, place in self._others:
            values[:, column] = aggregator.finalize(rows[:, place], now_ms)
        values[:, self._rates.columns] = self._rates.read(values)
        finalized = values[:, self._order]
        absent = np.isnan(finalized)
        return np.where(absent, self._defaults, finalized) if absent.any() else finalized


@dataclass(frozen=True, slots=True)
class _Rates:
    """Columns that are ratios of two others."""

    columns: slice
    numerators: NDArray[np.intp]
    denominators: NDArray[np.intp]
    prior_numerators: Float64
    prior_denominators: Float64

    @classmethod
    def of(cls, features: Sequence[Feature], at: Mapping[str, int]) -> "_Rates":
        rates = [feature.source for feature in features if isinstance(feature.source, Rate)]
        return cls(
            _run(len(at) - len(rates), rates),
            np.array([at[rate.numerator] for rate in rates], np.intp),
            np.array([at[rate.denominator] for rate in rates], np.intp),
            np.array([rate.prior_numerator for rate in rates]),
            np.array([rate.prior_denominator for rate in rates]),
        )

    def read(self, values: Float64) -> Float64:
        """(n, len(rates)) ratios of the columns that are finalized already."""
        numerators = values[:, self.numerators] + self.prior_numerators
        ratios: Float64 = numerators / (values[:, self.denominators] + self.prior_denominators)
        return ratios


def _with_operands(by_name: Mapping[str, Feature], names: Sequence[str]) -> list[Feature]:
    """The named features, and what the rates among them are ratios of."""
    sources = [by_name[name].source for name in names]
    operands = [
        operand
        for rate in sources
        if isinstance(rate, Rate)
        for operand in (rate.numerator, rate.denominator)
    ]
    return [by_name[name] for name in dict.fromkeys((*names, *operands))]


def _by_kind(features: Sequence[Feature]) -> list[list[Feature]]:
    """Counts and totals, ages, decayed sums, what is finalized one by one, rates."""
    kinds: list[list[Feature]] = [[], [], [], [], []]
    for feature in features:
        kinds[_kind(feature)].append(feature)
    return kinds


def _kind(feature: Feature) -> int:
    for kind, types in enumerate((Count | Total, Age, DecayedSum)):
        if isinstance(feature.source, types):
            return kind
    return 4 if isinstance(feature.source, Rate) else 3


def _run(start: int, features: Sequence[object]) -> slice:
    return slice(start, start + len(features))


def _half_lives_ms(features: Sequence[Feature]) -> Float64:
    sources = [feature.source for feature in features]
    return np.array([float(source.half_life_ms) for source in sources if isinstance(source, DecayedSum)])
