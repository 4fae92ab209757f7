"""Features: one float column each, declared as data."""

from dataclasses import dataclass

from feature_store.aggregators import Aggregator


@dataclass(frozen=True)
class Rate:
    """Smoothed ratio of two features of the same view, computed when read: (a + prior_a) / (b + prior_b)."""

    numerator: str
    denominator: str
    prior_numerator: float = 1.0
    prior_denominator: float = 8.0


@dataclass(frozen=True)
class Feature:
    """One float column.

    Parameters
    ----------
    source : what it is made of: an aggregator over events, or a rate of two other features
    default : read where there is no value (no row, or NaN)
    """

    name: str
    source: Aggregator | Rate
    default: float = 0.0
    unit: str = ""
    description: str = ""
    owner: str = ""
