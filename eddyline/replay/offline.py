"""A RankLens log folded in this process: the exposures that a stack would have served, without one.

Ingest, folding and hydration are the stack's own code over an in-memory store; only Kafka, Redis and
the network are left out. Takes tens of seconds where a replay through a stack takes minutes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from prometheus_client import CollectorRegistry

from eddyline.replay.moments import Script
from eddyline.replay.ranklens import RankLensLog
from feature_store.catalog import Catalog
from feature_store.clock import ManualClock
from feature_store.fetcher import RowFetcher
from feature_store.items import ItemTable
from feature_store.online import MemoryOnlineStore
from feature_store.schema.events import Event, ImpressionEvent, InteractionEvent, ItemEvent, encode_event
from feature_store.schema.requests import RankRequest
from feature_store.schema.topics import batch_topic
from feature_store.views import FeatureService
from ranker.hydrators.rows import RowHydrator, item_columns
from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query
from streams.ingest.ingestor import Ingestor
from streams.ingest.records import Run
from streams.ingest.routes import routes_of
from streams.ingest.settings import IngestSettings
from streams.processors.batch_reader import BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.start import LogBounds, TopicIdentity
from streams.processors.takeover import Takeover

OnMoment = Callable[[int, int], None]
"""(rankings done, rankings in all)"""

_PARTITIONS = 1
_CACHE_BYTES = 512 * 1024 * 1024


class OfflineStack:
    """Ingest, feature workers and hydrator of one process, one partition of everything.

    Parameters
    ----------
    catalog, service : what is folded, and what is read of it
    """

    def __init__(self, catalog: Catalog, service: FeatureService) -> None:
        self._offset = 0
        store, table = MemoryOnlineStore(), ItemTable()
        settings = IngestSettings(batch_partitions=_PARTITIONS)
        self._ingestor = Ingestor(settings, routes_of(catalog), table)
        self._ingestor.assign({0: 0}, {0: 0})
        self._folders = _folders(catalog, store)
        self._next: dict[str, int] = defaultdict(int)
        self._items = item_columns(catalog, service, _PARTITIONS)
        table.subscribe(self._items.apply)
        self._hydrator = RowHydrator(catalog, service, self._items, RowFetcher(store), _PARTITIONS)
        self._clock = ManualClock()

    def publish(self, events: Sequence[Event]) -> None:
        """Have the events in the rows, in their order, when this returns."""
        if not events:
            return
        n, first = len(events), self._offset
        self._offset += n
        times = [event.event_time_ms for event in events]
        run = Run(0, list(range(first, first + n)), times, [None] * n, [*map(encode_event, events)])
        for message in self._ingestor.ingest([run]).messages:
            if message.topic in self._folders and message.value is not None:
                offset = self._next[message.topic]
                self._folders[message.topic].fold({0: [(offset, message.value)]})
                self._next[message.topic] = offset + 1

    def features(self, request: RankRequest) -> tuple[CandidateBatch, Features]:
        """The inputs that a model would have been served for a request."""
        ids = list(dict.fromkeys(request.candidates or ()))
        sources = np.zeros(len(ids), np.int32)
        batch = self._items.batch(ids, self._items.rows_of(ids), sources, ("request",))
        query = Query(
            request.request_id,
            request.user_id,
            request.surface,
            ids,
            len(ids),
            request.event_time_ms or 0,
            False,
            Deadline(self._clock, 1e9),
        )
        return batch, self._hydrator.hydrate(query, batch)


def offline_exposures(
    log: RankLensLog, catalog: Catalog, service: FeatureService, on_moment: OnMoment
) -> pa.Table:
    """Exposures of every ranking of ``log``, with the columns that training reads.

    As in a replay, a ranking knows everything of earlier moments and nothing of its own.
    """
    script, stack = Script(log, shift_ms=0), OfflineStack(catalog, service)
    stack.publish(script.items)
    outcomes, parts = _outcomes(script), []
    for moment in script.moments():
        parts += [
            _exposures(request, *stack.features(request), service, outcomes) for request in moment.requests
        ]
        on_moment(len(parts), len(log.rankings))
        stack.publish(moment.events)
    return pa.concat_tables(parts)


def _folders(catalog: Catalog, store: MemoryOnlineStore) -> dict[str, Any]:
    views = {batch_topic(entity): tuple(catalog.views_of(entity)) for entity in catalog.entities}
    takeover = Takeover(
        store,
        views,
        lambda topic: BatchReader(topic, lambda *place: False, 100_000),
        lambda topic, partitions: {partition: LogBounds(0, 0) for partition in partitions},
        FoldMetrics(CollectorRegistry(), ManualClock()),
        cache_bytes=_CACHE_BYTES // len(views),
    )
    return {topic: takeover.take(TopicIdentity(topic, "offline", _PARTITIONS), [0]) for topic in views}


def _outcomes(script: Script) -> dict[tuple[str, str], dict[str, float]]:
    """(request, item) -> action -> value."""
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for event in _events(script):
        if isinstance(event, InteractionEvent) and event.request_id is not None:
            found[event.request_id, event.item_id][event.action] = event.value
    return found


def _events(script: Script) -> Iterator[ItemEvent | ImpressionEvent | InteractionEvent | Event]:
    return (event for moment in script.moments() for event in moment.events)


def _exposures(
    request: RankRequest,
    batch: CandidateBatch,
    features: Features,
    service: FeatureService,
    outcomes: dict[tuple[str, str], dict[str, float]],
) -> pa.Table:
    n = len(batch)
    user = np.repeat(features.user, n, axis=0)
    done = [list(outcomes.get((request.request_id, item), {}).items()) for item in batch.item_ids]
    return pa.table(
        {
            "request_id": pa.array([request.request_id] * n),
            "user_id": pa.array([request.user_id] * n),
            "item_id": pa.array(batch.item_ids),
            "position_seen": pa.array(np.arange(n), pa.int32()),
            "outcomes": pa.array(done, pa.map_(pa.string(), pa.float64())),
            "fingerprint": pa.array([service.fingerprint] * n).dictionary_encode(),
            "finalize_time_ms": pa.array([request.event_time_ms or 0] * n, pa.int64()),
            "features": _lists(np.concatenate((user, features.candidates), axis=1), pa.float32()),
            "ids": _lists(features.ids, pa.int64()),
        }
    )


def _lists(matrix: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1), kind), matrix.shape[1])
