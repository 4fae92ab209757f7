"""Features as declared data, the rows that hold their state, and the columns that a model reads."""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators import Aggregator, Events
from feature_store.features import Feature, Rate
from feature_store.finalizer import HEADER_WIDTH, LAST_EVENT_TIME, ROW_OFFSET, Finalizer
from feature_store.schema.batches import EntityBatch

__all__ = [
    "HEADER_WIDTH",
    "LAST_EVENT_TIME",
    "ROW_OFFSET",
    "Feature",
    "FeatureService",
    "FeatureView",
    "Float64",
    "IdColumn",
    "ItemAttribute",
    "MissingColumn",
    "Rate",
    "Recents",
    "ServiceDefinition",
    "column_ref",
]

Float64 = NDArray[np.float64]


class MissingColumn(KeyError):  # noqa: N818  (reads as what it is)
    """A batch has not the column that a view reads; the message says what to do."""


@dataclass(frozen=True, eq=False)
class FeatureView:
    """The features of one entity that share a row.

    A row is (width,) float64: two header slots, then each aggregator's state in order of declaration.

    Attributes
    ----------
    allowed_gain : long-run gain that loops through the view may have: counting clicks *is* a loop. None:
        nobody has decided
    """

    name: str
    entity: str
    features: tuple[Feature, ...]
    ttl_s: int | None = None
    owner: str = ""
    allowed_gain: float | None = None

    @cached_property
    def fingerprint(self) -> str:
        """12 hex characters of everything that changes what a row means."""
        definition = (self.name, self.entity, [(f.name, repr(f.source), f.default) for f in self.features])
        return hashlib.blake2b(repr(definition).encode(), digest_size=6).hexdigest()

    @cached_property
    def layout(self) -> Hashable:
        """What a row means; views of equal layouts can be finalized together, whatever their entity."""
        return tuple((f.name, f.source, f.default) for f in self.features)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Extra batch columns that the view reads, each once."""
        return tuple(dict.fromkeys(column for a, _ in self._states for column in a.inputs))

    @cached_property
    def event_names(self) -> frozenset[str]:
        """Events that feed the view."""
        return frozenset(name for aggregator, _ in self._states for name in aggregator.events)

    @cached_property
    def width(self) -> int:
        """float64 slots of a row."""
        return HEADER_WIDTH + sum(aggregator.width for aggregator in self._aggregators)

    def state_of(self, feature: str) -> slice:
        """Where a feature's state lies in a row.

        Raises
        ------
        KeyError
            When no aggregated feature has this name.
        """
        return self._slices[feature]

    def feature(self, name: str) -> Feature:
        """The feature of this name; KeyError if there is none."""
        return {feature.name: feature for feature in self.features}[name]

    def blank_rows(self, n: int) -> Float64:
        """(n, width) rows of entities that nothing happened to."""
        return np.repeat(self._blank[None, :], n, axis=0)

    def fold(
        self,
        rows: Float64,
        index: NDArray[np.intp],
        batch: EntityBatch,
        keep: NDArray[np.bool_] | None = None,
    ) -> None:
        """Fold events into ``rows`` (n, width), in place and in log order.

        Parameters
        ----------
        index : (m,) row of each kept event
        keep : (len(batch),) which events to fold; None: all
        """
        mine = _events(batch, index, keep, self.inputs).named(self.event_names)
        np.maximum.at(rows[:, LAST_EVENT_TIME], mine.index, mine.event_time_ms.astype(np.float64))
        for names, members in self._by_events.items():
            chosen = mine.named(names)
            if len(chosen):
                for aggregator, place in members:
                    aggregator.update(rows[:, place], chosen)

    def finalize(self, rows: Float64, now_ms: int) -> Float64:
        """(n, len(columns)) float64 values as of ``now_ms``, defaults in place of NaN.

        Decayed sums of a row whose newest event is later than ``now_ms`` are as of that event.
        """
        return self._finalizer.finalize(rows, now_ms)

    def finalizer(self, chosen: Sequence[str]) -> Finalizer:
        """What makes the values of ``chosen`` features alone, in their order; KeyError: there is no such."""
        return Finalizer(self.features, self._slices, chosen)

    @cached_property
    def _aggregators(self) -> list[Aggregator]:
        return [feature.source for feature in self.features if not isinstance(feature.source, Rate)]

    @cached_property
    def _slices(self) -> dict[str, slice]:
        slices, start = {}, HEADER_WIDTH
        for feature in self.features:
            if not isinstance(feature.source, Rate):
                slices[feature.name] = slice(start, start + feature.source.width)
                start += feature.source.width
        return slices

    @cached_property
    def _states(self) -> list[tuple[Aggregator, slice]]:
        return list(zip(self._aggregators, self._slices.values(), strict=True))

    @cached_property
    def _by_events(self) -> dict[tuple[str, ...], list[tuple[Aggregator, slice]]]:
        """Aggregators by the events they fold, so that events are selected once."""
        groups: dict[tuple[str, ...], list[tuple[Aggregator, slice]]] = {}
        for aggregator, place in self._states:
            groups.setdefault(aggregator.events, []).append((aggregator, place))
        return groups

    @cached_property
    def _blank(self) -> Float64:
        return np.concatenate(
            [np.array([-1.0, -1.0]), *(aggregator.blank() for aggregator in self._aggregators)]
        )

    @cached_property
    def _finalizer(self) -> Finalizer:
        return Finalizer(self.features, self._slices)


def _events(
    batch: EntityBatch, index: NDArray[np.intp], keep: NDArray[np.bool_] | None, inputs: Iterable[str]
) -> Events:
    chosen = slice(None) if keep is None else keep
    return Events(
        index,
        batch.event_names,
        batch.event_index[chosen],
        batch.event_time_ms[chosen],
        batch.value[chosen],
        {column: _extra(batch, column)[chosen] for column in inputs},
    )


def _extra(batch: EntityBatch, column: str) -> Float64:
    if column not in batch.extra:
        raise MissingColumn(
            f"the batch has no column {column!r}: it was written before a view declared that. Back-fill the "
            "view from the first batch that has it: eddyline features backfill VIEW --from PARTITION:OFFSET"
        )
    return batch.extra[column]


@dataclass(frozen=True)
class IdColumn:
    """One int64 column of hashed ids.

    ``source`` is ``user_id``, ``item_id``, ``creator_id`` or ``attribute:<name>[<n>]``, the n-th value
    of an item's attribute; 0 where there is none.
    """

    name: str
    source: str


@dataclass(frozen=True)
class Recents:
    """Id columns that hold what the user did last, the newest first: ``<name>[0]``, ``<name>[1]``, …

    Attributes
    ----------
    source : ``<view>.<feature>``, a feature of the user that keeps recent ids
    of : the id column that has the same kind of ids
    alike : id columns by which two of these ids are alike: those of an item's creator, genres, tags
    """

    name: str
    source: str
    of: str
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemAttribute:
    """A number among an item's attributes, as a column; ``default`` where it is absent."""

    name: str
    default: float = 0.0
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class ServiceDefinition:
    """A service before its references are checked; see :class:`FeatureService`."""

    name: str
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: tuple[IdColumn, ...]
    recents: tuple[Recents, ...] = ()


@dataclass(frozen=True)
class FeatureService:
    """The ordered columns that a model reads.

    Attributes
    ----------
    user : ``<view>.<feature>`` of the request's user
    candidate : ``<view>.<feature>``, or ``attribute.<name>`` of the item
    ids : hashed ids of the user and of the candidate
    fingerprint : 12 hex characters of the ordered columns and what each of them means
    recents : hashed ids of what the user did last, with how many columns each has; they follow ``ids``
    """

    name: str
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: tuple[IdColumn, ...]
    fingerprint: str
    recents: tuple[tuple[Recents, int], ...] = ()

    @cached_property
    def id_columns(self) -> tuple[str, ...]:
        """Names of all id columns, in order."""
        return (*(column.name for column in self.ids), *(name for name, _ in self.recent_places))

    @cached_property
    def recent_places(self) -> tuple[tuple[str, str], ...]:
        """Name and source, ``<view>.<feature>``, of each column of ``recents``, in order."""
        return tuple((f"{each.name}[{place}]", each.source) for each, k in self.recents for place in range(k))


def column_ref(reference: str) -> tuple[str, str]:
    """``("user|creator", "ctr_1d")`` of ``user|creator.ctr_1d``."""
    view, _, column = reference.rpartition(".")
    return view, column
