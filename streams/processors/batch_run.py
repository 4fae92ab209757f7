"""Consecutive batches of one partition, laid one after the other, so that they are folded in one go."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.batches import EntityBatch, SourceRanges
from streams.processors.entities import Entities, Numbers, merged

Layout = tuple[tuple[str, int], ...]
"""Extra columns of a batch and their widths; batches of one run share it."""


class Gap(RuntimeError):  # noqa: N818  (a state of the log, named for what is found)
    """A batch that should come next is not there: something was lost, or the partition is not ours."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Batches ``first_offset`` … ``last_offset`` of a partition as one.

    Attributes
    ----------
    batch : all rows in log order; its event names are unique over the run, its ids are left out
    entity : (n,) number of each row's entity
    row_offset : (n,) int64, the batch that each row comes from; ascending
    ranges : per batch, the offsets of `events` that it covers
    """

    first_offset: int
    batch: EntityBatch
    entity: Numbers
    row_offset: NDArray[np.int64]
    ranges: tuple[SourceRanges, ...]

    @property
    def last_offset(self) -> int:
        """Offset of the last batch."""
        return self.first_offset + len(self.ranges) - 1


def layout_of(batch: EntityBatch) -> Layout:
    """What must be the same for two batches to share a run."""
    return tuple(
        sorted((name, 0 if column.ndim == 1 else column.shape[1]) for name, column in batch.extra.items())
    )


def make_run(batches: Sequence[tuple[int, EntityBatch]], entities: Entities) -> BatchRun:
    """One run of at least one (offset, batch), all of the same layout; ``entities`` numbers their ids.

    Raises
    ------
    Gap
        When an offset is not its predecessor's plus one.
    """
    offsets = [offset for offset, _ in batches]
    for before, after in itertools.pairwise(offsets):
        if after != before + 1:
            raise Gap(f"batch {after} follows batch {before}")
    parts = [batch for _, batch in batches]
    return BatchRun(
        first_offset=offsets[0],
        batch=parts[0] if len(parts) == 1 else _concatenate(parts),
        entity=np.concatenate([entities.numbers(part.entity_ids)[part.entity_index] for part in parts]),
        row_offset=np.repeat(np.array(offsets, np.int64), [len(batch) for batch in parts]),
        ranges=tuple(batch.ranges for batch in parts),
    )


def _concatenate(parts: Sequence[EntityBatch]) -> EntityBatch:
    event_names, event_index = merged((part.event_names, part.event_index) for part in parts)
    return EntityBatch(
        entity_ids=[],
        entity_index=np.empty(0, np.int32),
        event_names=event_names,
        event_index=event_index,
        event_time_ms=np.concatenate([part.event_time_ms for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        source_partition=np.concatenate([part.source_partition for part in parts]),
        source_offset=np.concatenate([part.source_offset for part in parts]),
        ranges={},
        extra={name: np.concatenate([part.extra[name] for part in parts]) for name in parts[0].extra},
    )
