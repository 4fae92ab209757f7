"""Batches laid one after the other, from several partitions of a topic, so that they are folded in one go."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.batches import EntityBatch, SourceRanges
from streams.processors.entities import Entities, Numbers, merged

OffsetBatch = tuple[int, EntityBatch]
"""A batch and its offset."""

Layout = tuple[tuple[str, int], ...]
"""Extra columns of a batch and their widths; batches of one run share it."""


class Gap(RuntimeError):  # noqa: N818  (a state of the log, named for what is found)
    """A batch that should come next is not there: something was lost, or the partition is not ours."""


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive batches of one partition within a run.

    Attributes
    ----------
    ranges : per batch, the offsets of `events` that it covers
    rows : where its rows are in the run
    """

    partition: int
    first_offset: int
    ranges: tuple[SourceRanges, ...]
    rows: slice

    @property
    def last_offset(self) -> int:
        """Offset of the last batch."""
        return self.first_offset + len(self.ranges) - 1


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Batches of some partitions of one topic as one.

    Attributes
    ----------
    batch : the rows of each section in log order; event names are unique, ids are left out
    entity : (n,) number of each row's entity
    partition, row_offset : (n,) int64, the batch that each row comes from
    sections : one per partition
    """

    batch: EntityBatch
    entity: Numbers
    partition: NDArray[np.int64]
    row_offset: NDArray[np.int64]
    sections: tuple[Section, ...]


def layout_of(batch: EntityBatch) -> Layout:
    """What must be the same for two batches to share a run."""
    return tuple(
        sorted((name, 0 if column.ndim == 1 else column.shape[1]) for name, column in batch.extra.items())
    )


def make_run(batches: Mapping[int, Sequence[OffsetBatch]], entities: Entities) -> BatchRun:
    """One run of at least one batch, all of the same layout; ``entities`` numbers their ids.

    Raises
    ------
    Gap
        When an offset of a partition is not its predecessor's plus one.
    """
    sections, start = [], 0
    for partition, part in batches.items():
        sections.append(_section(partition, part, start))
        start = sections[-1].rows.stop
    flat = [(partition, offset, batch) for partition, part in batches.items() for offset, batch in part]
    lengths = [len(batch) for _, _, batch in flat]
    return BatchRun(
        batch=_concatenate([batch for _, _, batch in flat]),
        entity=np.concatenate(
            [entities.numbers(batch.entity_ids)[batch.entity_index] for _, _, batch in flat]
        ),
        partition=np.repeat(np.array([partition for partition, _, _ in flat], np.int64), lengths),
        row_offset=np.repeat(np.array([offset for _, offset, _ in flat], np.int64), lengths),
        sections=tuple(sections),
    )


def _section(partition: int, part: Sequence[OffsetBatch], start: int) -> Section:
    for (before, _), (after, _) in itertools.pairwise(part):
        if after != before + 1:
            raise Gap(f"partition {partition}: batch {after} follows batch {before}")
    stop = start + sum(len(batch) for _, batch in part)
    return Section(partition, part[0][0], tuple(batch.ranges for _, batch in part), slice(start, stop))


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
