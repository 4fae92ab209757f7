"""Feature workers in miniature: the same takeover and folding, over a store that fails when told to."""

import copy
import random
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from feature_store.catalog import load_catalog
from feature_store.clock import ManualClock
from feature_store.online import (
    Checkpoint,
    Claim,
    MemoryOnlineStore,
    OnlineStore,
    RolledBack,
    RowKey,
    RowsOf,
    Run,
    StaleOwner,
)
from feature_store.schema.batches import decode_entity_batch
from feature_store.views import FeatureView
from streams.processors.batch_reader import BatchMessage, BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.start import LogBounds, TopicIdentity
from streams.processors.takeover import Takeover
from tests.simulation.fold_log import Log

ENTITY, TOPIC = "user", TopicIdentity("batches.user", "id-1", 4)
VIEWS: tuple[FeatureView, ...] = tuple(load_catalog().views_of(ENTITY))


class Crash(Exception):  # noqa: N818  (reads as what it is)
    """The process dies here."""


class FailingStore:
    """Passes everything on to a store that tests can roll back; dies at chosen writes.

    Parameters
    ----------
    crash_at : write number -> whether it still reaches the store before the crash
    roll_back_at : write number -> how many writes the store loses just before it
    """

    def __init__(
        self, inner: MemoryOnlineStore, crash_at: dict[int, bool], roll_back_at: dict[int, int]
    ) -> None:
        self._inner = inner
        self._crash_at = crash_at
        self._roll_back_at = roll_back_at
        self._history = [copy.deepcopy(inner)]
        self.writes = 0

    def multi_get(self, keys: Sequence[RowKey]) -> list[bytes | None]:
        return self._inner.multi_get(keys)

    def claim(self, view: str, partition: int) -> Claim:
        return self._inner.claim(view, partition)

    def read(self, wanted: Sequence[RowsOf]) -> list[list[bytes | None]]:
        return self._inner.read(wanted)

    def put_runs(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._put(run)

    def _put(self, run: Run) -> None:
        for sequence, chunk in enumerate(run.chunks, run.first_sequence):
            self.put_rows(run.view, run.partition, run.epoch, sequence, chunk, run.ttl_s)
        last = run.first_sequence + len(run.chunks)
        self.put_checkpoint(run.view, run.partition, run.epoch, last, run.checkpoint)

    def put_rows(self, *args: object, **kwargs: object) -> None:
        self._write("put_rows", *args, **kwargs)

    def put_checkpoint(self, *args: object, **kwargs: object) -> None:
        self._write("put_checkpoint", *args, **kwargs)

    def load_checkpoints(self, view: str, partitions: Sequence[int]) -> list[Checkpoint | None]:
        return self._inner.load_checkpoints(view, partitions)

    def _write(self, name: str, *args: object, **kwargs: object) -> None:
        self.writes += 1
        if lost := self._roll_back_at.get(self.writes, 0):
            del self._history[max(1, len(self._history) - lost) :]
            self._inner = copy.deepcopy(self._history[-1])
        applied = self._crash_at.get(self.writes)
        if applied is not False:
            getattr(self._inner, name)(*args, **kwargs)
            if self._roll_back_at:
                self._history.append(copy.deepcopy(self._inner))
        if applied is not None:
            raise Crash


def take_over(
    store: OnlineStore, log: Log, *, run_rows_max: int, cache_bytes: int = 10**7
) -> PartitionFolder:
    """A new owner of the partitions of ``log``, standing at their checkpoints."""
    takeover = Takeover(
        store,
        {TOPIC.name: VIEWS},
        lambda topic: BatchReader(topic, lambda partition, offset: False, run_rows_max),
        lambda topic, partitions: {partition: LogBounds(0, len(log[partition])) for partition in partitions},
        FoldMetrics(CollectorRegistry(), ManualClock()),
        cache_bytes=cache_bytes,
    )
    return takeover.take(TOPIC, tuple(log))


def messages(log: Log, spans: dict[int, tuple[int, int]]) -> dict[int, list[BatchMessage]]:
    """The messages of each partition from the first offset to before the second."""
    return {
        partition: [(offset, log[partition][offset]) for offset in range(*span)]
        for partition, span in spans.items()
    }


def fold_on(folder: PartitionFolder, log: Log, rng: random.Random, batches_max: int) -> None:
    """Fold to the end of the log, random numbers of batches of each partition at a time."""
    while True:
        starts = {at: start for at, start in folder.next_offsets().items() if start < len(log[at])}
        if not starts:
            return
        spans = {
            at: (start, min(len(log[at]), start + rng.randint(0, batches_max)))
            for at, start in starts.items()
        }
        folder.fold(messages(log, spans))


def fold_through(store: OnlineStore, log: Log, seed: int) -> int:
    """Worker after worker until the log is folded; how many it took."""
    rng, workers = random.Random(seed), 0
    while True:
        workers += 1
        try:
            folder = take_over(
                store, log, run_rows_max=rng.choice([1, 20, 1000]), cache_bytes=rng.choice([1, 10**7])
            )
            fold_on(folder, log, rng, rng.choice([1, 3, 10]))
        except (Crash, StaleOwner, RolledBack):
            continue
        return workers


def stored_rows(store: OnlineStore, log: Log) -> dict[tuple[str, str], bytes | None]:
    """Every row that the log can have touched, by view and id."""
    keys = [
        RowKey(partition, view.fingerprint, entity_id)
        for view in VIEWS
        for partition, part in log.items()
        for entity_id in sorted({i for payload in part for i in decode_entity_batch(payload).entity_ids})
    ]
    return {(key.view, key.entity_id): row for key, row in zip(keys, store.multi_get(keys), strict=True)}
