"""Rows of state to columns: the features of one kind by one operation, however many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators import Age, Aggregator, Count, DecayedSum, Total
from feature_store.aggregators.decayed_sum import finalize_decayed
from feature_store.aggregators.last_value import finalize_ages
from feature_store.features import Feature, Rate

Float64 = NDArray[np.float64]

ROW_OFFSET, LAST_EVENT_TIME, HEADER_WIDTH = 0, 1, 2
"""Slots of every row: the batch it was last folded with, and its newest event's time in ms."""


class Finalizer:
    """Finalizes the features of a view together.

    Parameters
    ----------
    features : in the order of the columns
    places : where the state of each aggregated feature lies in a row
    """

    def __init__(self, features: Sequence[Feature], places: Mapping[str, slice]) -> None:
        self._defaults = np.array([feature.default for feature in features])
        self._plain = _Block.of(features, places, Count, Total)
        self._ages = _Block.of(features, places, Age)
        self._never = self._defaults[self._ages.columns]
        self._decayed = _Block.of(features, places, DecayedSum)
        self._half_lives_ms = _half_lives_ms(features)
        self._others = _others(features, places)
        self._rates = _Rates.of(features)

    def finalize(self, rows: Float64, now_ms: int) -> Float64:
        """(n, len(features)) values of (n, width) rows as of ``now_ms``, defaults in place of NaN."""
        values = np.empty((len(rows), len(self._defaults)))
        values[:, self._plain.columns] = self._plain.read(rows)
        values[:, self._ages.columns] = finalize_ages(self._ages.read(rows), now_ms, self._never)
        values[:, self._decayed.columns] = self._finalize_decayed(rows, now_ms)
        for column, aggregator, place in self._others:
            values[:, column] = aggregator.finalize(rows[:, place], now_ms)
        values[:, self._rates.columns] = self._rates.read(values)
        absent = np.isnan(values)
        return np.where(absent, self._defaults, values) if absent.any() else values

    def _finalize_decayed(self, rows: Float64, now_ms: int) -> Float64:
        as_of_ms = np.maximum(now_ms, rows[:, LAST_EVENT_TIME, None])
        sums, landmarks = self._decayed.read(rows), self._decayed.read(rows, 1)
        return finalize_decayed(sums, landmarks, self._half_lives_ms, as_of_ms)


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns that one operation finalizes, and where the state of each begins in a row."""

    columns: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, features: Sequence[Feature], places: Mapping[str, slice], *kinds: type) -> "_Block":
        """The features that are of one of these kinds."""
        columns = [column for column, feature in enumerate(features) if isinstance(feature.source, kinds)]
        starts = [places[features[column].name].start for column in columns]
        return cls(np.array(columns, np.intp), np.array(starts, np.intp))

    def read(self, rows: Float64, slot: int = 0) -> Float64:
        """(n, len(columns)) one slot of each feature's state."""
        return rows[:, self.starts + slot]


@dataclass(frozen=True, slots=True)
class _Rates:
    """Columns that are ratios of two others."""

    columns: NDArray[np.intp]
    numerators: NDArray[np.intp]
    denominators: NDArray[np.intp]
    prior_numerators: Float64
    prior_denominators: Float64

    @classmethod
    def of(cls, features: Sequence[Feature]) -> "_Rates":
        at = {feature.name: column for column, feature in enumerate(features)}
        rates = [(at[f.name], f.source) for f in features if isinstance(f.source, Rate)]
        return cls(
            np.array([column for column, _ in rates], np.intp),
            np.array([at[rate.numerator] for _, rate in rates], np.intp),
            np.array([at[rate.denominator] for _, rate in rates], np.intp),
            np.array([rate.prior_numerator for _, rate in rates]),
            np.array([rate.prior_denominator for _, rate in rates]),
        )

    def read(self, values: Float64) -> Float64:
        """(n, len(columns)) ratios of the columns that are finalized already."""
        numerators = values[:, self.numerators] + self.prior_numerators
        ratios: Float64 = numerators / (values[:, self.denominators] + self.prior_denominators)
        return ratios


def _half_lives_ms(features: Sequence[Feature]) -> Float64:
    sources = [feature.source for feature in features]
    return np.array([float(source.half_life_ms) for source in sources if isinstance(source, DecayedSum)])


def _others(features: Sequence[Feature], places: Mapping[str, slice]) -> list[tuple[int, Aggregator, slice]]:
    """Column, aggregator and state of the features that are finalized one by one."""
    together = Count | Total | Age | DecayedSum
    return [
        (column, feature.source, places[feature.name])
        for column, feature in enumerate(features)
        if not isinstance(feature.source, Rate | together)
    ]
