"""Summaries of events, one idea a file: state, update, merge, finalize."""

from feature_store.aggregators.base import Aggregator, Events
from feature_store.aggregators.count import Count
from feature_store.aggregators.decayed_sum import DecayedSum
from feature_store.aggregators.id_set import IdSet
from feature_store.aggregators.last_value import Age, LastValue
from feature_store.aggregators.multi_attribute import MultiAttribute
from feature_store.aggregators.pane_window import PaneWindow
from feature_store.aggregators.recent_ids import RecentIds
from feature_store.aggregators.total import Total

__all__ = [
    "Age",
    "Aggregator",
    "Count",
    "DecayedSum",
    "Events",
    "IdSet",
    "LastValue",
    "MultiAttribute",
    "PaneWindow",
    "RecentIds",
    "Total",
]
