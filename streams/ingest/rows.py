"""Accepted events of one step as columns, in log order of each source partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.events import (
    Attributes,
    ImpressionEvent,
    ItemEvent,
    ItemRemovedEvent,
    UserEvent,
)
from streams.ingest.accepted import OWNERS, EventKind
from streams.ingest.item_columns import ItemColumns
from streams.ingest.registry import Registry
from streams.ingest.sieve import Sifted

_INTERACTION = "interaction/"
_NAMES: dict[type, str] = {
    kind: kind.name for kind in (ItemEvent, ItemRemovedEvent, UserEvent, ImpressionEvent)
}


@dataclass(frozen=True, slots=True)
class EventRows:
    """Columns of n events; 0 is the code of *none*.

    Attributes
    ----------
    event_names, event : names and (n,) int32 codes of them
    user : (n,) codes of users
    item : (n,) rows of `ItemColumns`
    event_time_ms, value, source_partition, source_offset : (n,), as in a batch
    own_attributes : row and attributes of the events that carry attributes themselves
    feedback : (m,) rows that are impressions and interactions
    request_id, position, propensity : (n,), as in a feedback batch
    """

    event_names: list[str]
    event: NDArray[np.int32]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    event_time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    source_partition: NDArray[np.int32]
    source_offset: NDArray[np.int64]
    own_attributes: list[tuple[int, Attributes]]
    feedback: NDArray[np.int64]
    request_id: list[str | None]
    position: list[int | None]
    propensity: list[float | None]

    def __len__(self) -> int:
        return len(self.event_time_ms)


def event_rows(sifted: Sequence[Sifted], users: Registry, items: ItemColumns) -> EventRows:
    """The accepted events of several runs as columns; ``items`` lends rows to items it does not know."""
    parts = [part.accepted for part in sifted]
    lengths = list(map(len, parts))
    kinds, event = _coded(list(chain.from_iterable(part.kinds for part in parts)))
    is_feedback = np.array([kind not in OWNERS for kind in kinds], bool)
    return EventRows(
        event_names=[_INTERACTION + kind if isinstance(kind, str) else _NAMES[kind] for kind in kinds],
        event=event,
        user=users.codes(list(chain.from_iterable(part.user_id for part in parts))),
        item=items.rows(list(chain.from_iterable(part.item_id for part in parts))),
        event_time_ms=np.concatenate([np.array(part.event_time_ms, np.int64) for part in parts]),
        value=np.concatenate([np.array(part.value, np.float64) for part in parts]),
        source_partition=np.repeat(np.array([part.run.partition for part in sifted], np.int32), lengths),
        source_offset=np.concatenate([np.array(part.offsets, np.int64) for part in parts]),
        own_attributes=[
            (first + row, attributes)
            for first, part in zip(accumulate(lengths, initial=0), parts, strict=False)
            for row, attributes in part.own_attributes
        ],
        feedback=np.flatnonzero(is_feedback[event]),
        request_id=list(chain.from_iterable(part.request_id for part in parts)),
        position=list(chain.from_iterable(part.position for part in parts)),
        propensity=list(chain.from_iterable(part.propensity for part in parts)),
    )


def _coded(kinds: list[EventKind]) -> tuple[list[EventKind], NDArray[np.int32]]:
    """The kinds that occur, each once, and the code of each event's."""
    code = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    return list(code), np.fromiter(map(code.__getitem__, kinds), np.int32, len(kinds))
