"""From messages of one partition to runs of batches, bounded in rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.schema.batches import EntityBatch, decode_entity_batch
from streams.processors.batch_run import BatchRun, layout_of, make_run
from streams.processors.entities import Entities

BatchMessage = tuple[int, bytes]
"""Offset and payload of a message of `batches.<entity>`."""


class CorruptBatch(RuntimeError):  # noqa: N818  (a state of the log, named for what is found)
    """A message is not a batch. Ingest never writes one, so nobody may guess: people have to decide."""


@dataclass(frozen=True, slots=True)
class BatchReader:
    """Decodes the messages of one partition.

    Parameters
    ----------
    entities : numbers the ids
    skip : offsets that an operator decided to leave out; they count as empty batches
    run_rows_max : rows at which a run ends (a single batch may be larger)
    """

    topic: str
    partition: int
    entities: Entities
    skip: frozenset[int]
    run_rows_max: int

    def runs(self, messages: Sequence[BatchMessage]) -> Iterator[BatchRun]:
        """The messages as runs, in order; a run ends where the extra columns change.

        Raises
        ------
        CorruptBatch
            When a message cannot be decoded.
        Gap
            When an offset is missing.
        """
        pending: list[tuple[int, EntityBatch]] = []
        rows = 0
        for offset, payload in messages:
            batch = self._decode(offset, payload)
            if pending and (rows + len(batch) > self.run_rows_max or not _fits(pending[-1][1], batch)):
                yield make_run(pending, self.entities)
                pending, rows = [], 0
            pending.append((offset, batch))
            rows += len(batch)
        if pending:
            yield make_run(pending, self.entities)

    def _decode(self, offset: int, payload: bytes) -> EntityBatch:
        if offset in self.skip:
            return _nothing()
        try:
            return decode_entity_batch(payload)
        except Exception as error:
            place = f"{self.topic}:{self.partition}:{offset}"
            raise CorruptBatch(
                f"message {place} is not a batch ({error}). Ingest writes none such: find out who did. "
                f"To go on without it, and without the events in it, set EDDYLINE_FEATURES_SKIP={place}"
            ) from error


def _fits(before: EntityBatch, after: EntityBatch) -> bool:
    return layout_of(before) == layout_of(after)


def _nothing() -> EntityBatch:
    indices, integers = np.empty(0, np.int32), np.empty(0, np.int64)
    return EntityBatch([], indices, [], indices, integers, np.empty(0), indices, integers, {})
