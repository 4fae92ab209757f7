"""From messages of a batch topic to runs, bounded in rows."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.schema.batches import EntityBatch, decode_entity_batch
from streams.processors.batch_run import BatchRun, Layout, OffsetBatch, layout_of, make_run
from streams.processors.corrupt_batch import CorruptBatch
from streams.processors.entities import Entities

BatchMessage = tuple[int, bytes]
"""Offset and payload of a message of `batches.<entity>`."""


FEATURES_SKIP = "EDDYLINE_FEATURES_SKIP"
"""The setting that names messages to leave out."""


@dataclass(frozen=True, slots=True)
class BatchReader:
    """Decodes the messages of one topic.

    Parameters
    ----------
    skip : whether an operator decided to leave out (partition, offset); it counts as an empty batch
    run_rows_max : rows of one partition at which a run ends (a single batch may be larger)
    """

    topic: str
    skip: Callable[[int, int], bool]
    run_rows_max: int

    def runs(self, messages: Mapping[int, Sequence[BatchMessage]], entities: Entities) -> Iterator[BatchRun]:
        """The messages of each partition as runs, in order; a run ends where the extra columns change.

        Raises
        ------
        CorruptBatch
            When a message cannot be decoded; before the first run.
        Gap
            When an offset is missing.
        """
        waiting = {
            partition: deque((offset, self._decode(partition, offset, payload)) for offset, payload in part)
            for partition, part in messages.items()
            if part
        }
        while waiting:
            layout = layout_of(next(iter(waiting.values()))[0][1])
            taken = {partition: self._take(queue, layout) for partition, queue in waiting.items()}
            waiting = {partition: queue for partition, queue in waiting.items() if queue}
            yield make_run({partition: part for partition, part in taken.items() if part}, entities)

    def _take(self, queue: deque[OffsetBatch], layout: Layout) -> list[OffsetBatch]:
        taken: list[OffsetBatch] = []
        rows = 0
        while queue and layout_of(queue[0][1]) == layout:
            rows += len(queue[0][1])
            if taken and rows > self.run_rows_max:
                break
            taken.append(queue.popleft())
        return taken

    def _decode(self, partition: int, offset: int, payload: bytes) -> EntityBatch:
        if self.skip(partition, offset):
            return _nothing()
        try:
            return decode_entity_batch(payload)
        except Exception as error:
            raise CorruptBatch(self.topic, partition, offset, error, FEATURES_SKIP) from error


def _nothing() -> EntityBatch:
    indices, integers = np.empty(0, np.int32), np.empty(0, np.int64)
    return EntityBatch([], indices, [], indices, integers, np.empty(0), indices, integers, {})
