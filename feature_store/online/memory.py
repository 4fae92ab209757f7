"""The online store in memory, for tests and for trying things out."""

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager

from feature_store.online.base import (
    Ask,
    Checkpoint,
    Claim,
    RolledBack,
    RowKey,
    RowsFound,
    RowsOf,
    Run,
    StaleOwner,
    TimeLeft,
    asking_at_once,
    unhurried,
)

_Place = tuple[str, int]


class MemoryOnlineStore:
    """An :class:`OnlineStore` in dictionaries. Rows do not expire. ``deepcopy`` it to roll it back."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str, str], bytes] = {}
        self._checkpoints: dict[_Place, Checkpoint] = {}
        self._fences: dict[_Place, tuple[int, int]] = {}

    def multi_get(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        return [self._rows.get((key.partition, key.view, key.entity_id)) for key in keys]

    def read(self, wanted: Sequence[RowsOf]) -> RowsFound:
        return [self._read(rows) for rows in wanted]

    def asking(self, left_ms: TimeLeft = unhurried) -> AbstractContextManager[Ask]:
        return asking_at_once(self.read, left_ms)

    def claim(self, view: str, partition: int) -> Claim:
        epoch = secrets.randbits(53)
        self._fences[view, partition] = (epoch, 0)
        return Claim(epoch, self._checkpoints.get((view, partition)))

    def put_rows(
        self,
        view: str,
        partition: int,
        epoch: int,
        sequence: int,
        rows: Sequence[tuple[str, bytes]],
        ttl_s: int | None = None,
    ) -> None:
        if self._advance(view, partition, epoch, sequence):
            self._rows.update({(partition, view, entity_id): row for entity_id, row in rows})

    def put_checkpoint(
        self, view: str, partition: int, epoch: int, sequence: int, checkpoint: Checkpoint
    ) -> None:
        if self._advance(view, partition, epoch, sequence):
            self._checkpoints[view, partition] = checkpoint

    def put_runs(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._put(run)

    def _put(self, run: Run) -> None:
        sequence = run.first_sequence
        for chunk in run.chunks:
            self.put_rows(run.view, run.partition, run.epoch, sequence, chunk, run.ttl_s)
            sequence += 1
        self.put_checkpoint(run.view, run.partition, run.epoch, sequence, run.checkpoint)

    def load_checkpoints(self, view: str, partitions: Sequence[int]) -> list[Checkpoint | None]:
        return [self._checkpoints.get((view, partition)) for partition in partitions]

    def _read(self, wanted: RowsOf) -> list[bytes | None]:
        n = len(wanted.entity_ids)
        partitions = [wanted.partitions] * n if isinstance(wanted.partitions, int) else wanted.partitions
        return [
            self._rows.get((partition, wanted.view, entity_id))
            for partition, entity_id in zip(partitions, wanted.entity_ids, strict=True)
        ]

    def _advance(self, view: str, partition: int, epoch: int, sequence: int) -> bool:
        """Whether the write is new; False where it was applied before."""
        owner, last = self._fences.get((view, partition), (None, 0))
        if owner != epoch:
            raise StaleOwner(f"{view} partition {partition}: epoch {epoch} is not the owner any more")
        if last == sequence:
            return False
        if last != sequence - 1:
            raise RolledBack(f"{view} partition {partition}: write {sequence} comes after {last}")
        self._fences[view, partition] = (epoch, sequence)
        return True
