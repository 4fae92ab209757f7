"""The feature worker, `python -m streams.apps.features`: folds `batches.<entity>` into rows of the views."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import faust
import structlog
from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.catalog import ViewSet, load_folded
from feature_store.clock import SystemClock
from feature_store.online import online_store
from feature_store.schema.topics import batch_topic
from feature_store.telemetry.logs import configure_logging
from streams.apps.features_settings import FeaturesSettings
from streams.apps.inbox import Inbox, Message
from streams.apps.log_bounds import KafkaLogs
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import build_app, or_die, raw_topic, run_worker
from streams.apps.topic_identities import topic_identities
from streams.processors.batch_reader import BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.takeover import Takeover

_log = structlog.get_logger()
_MB = 1024 * 1024
T = TypeVar("T")


class FeatureWorker:
    """Folds what the agents receive, in threads, so that the event loop goes on receiving meanwhile."""

    def __init__(self, settings: FeaturesSettings, topics: Sequence[str], takeover: Takeover) -> None:
        self._settings = settings
        self._topics = topics
        self._takeover = takeover
        self._inbox: Inbox[Message] = Inbox(settings.features_pending_mb * _MB)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._topic_threads = ThreadPoolExecutor(len(topics), thread_name_prefix="fold-topic")
        self._folders: dict[str, PartitionFolder] | None = None
        self.app = build_app("features", settings, topics, self._start_offsets)
        self.app.on_partitions_revoked.connect(self._let_go)
        for topic in topics:
            self._receive(topic)

    def positions(self) -> Mapping[TP, int] | None:
        """Where each partition is; None before the first assignment."""
        if self._folders is None:
            return None
        return {
            TP(topic, partition): offset
            for topic, folder in self._folders.items()
            for partition, offset in folder.next_offsets().items()
        }

    async def fold_forever(self) -> None:
        """Fold all that is pending, again and again: at load many batches are written as one."""
        loop = asyncio.get_running_loop()
        while True:
            pending = await self._inbox.take()
            await loop.run_in_executor(self._thread, self._fold, pending)

    async def confirm_forever(self) -> None:
        """Find out, in quiet times too, that Redis lost writes or that somebody else owns a partition."""
        while True:
            await asyncio.sleep(self._settings.features_confirm_every_s)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._confirm)

    async def drain(self) -> None:
        """Finish the fold under way; what is pending stays in Kafka."""
        self._inbox.clear()
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)

    def _receive(self, topic: str) -> None:
        @self.app.agent(raw_topic(self.app, topic), name=f"fold {topic}", concurrency=1)
        async def agent(stream: faust.StreamT[bytes]) -> None:
            await or_die(f"receiving {topic}", self._put_all(stream))

    async def _put_all(self, stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            await self._inbox.put(message.tp, (message.offset, message.value), len(message.value))

    async def _let_go(self, *_: object, **__: object) -> None:
        """Be done with writing before somebody else may own the partitions."""
        await self.drain()
        self._folders = None

    async def _start_offsets(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        positions: Mapping[TP, int] = await or_die("taking over partitions", self._take_over(assigned))
        return positions

    async def _take_over(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        self._inbox.clear()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._own, assigned)
        positions = self.positions() or {}
        _log.info(
            "partitions taken over",
            positions={f"{tp.topic}[{tp.partition}]": at for tp, at in positions.items()},
        )
        return positions

    def _own(self, assigned: frozenset[TP]) -> None:
        topics = topic_identities(self._settings, self._topics)
        owned = _by_topic(dict.fromkeys(sorted(assigned)))
        self._folders = {name: self._takeover.take(topics[name], [*parts]) for name, parts in owned.items()}

    def _confirm(self) -> None:
        for folder in (self._folders or {}).values():
            folder.confirm()

    def _fold(self, pending: Mapping[TP, Sequence[Message]]) -> None:
        """Fold each topic in a thread of its own: while Redis writes for one, the next is computed."""
        folders = self._folders or {}
        folding = [
            self._topic_threads.submit(folders[topic].fold, messages)
            for topic, messages in _by_topic(pending).items()
            if topic in folders
        ]
        wait(folding)
        for folded in folding:
            folded.result()


def _by_topic(of: Mapping[TP, T]) -> dict[str, dict[int, T]]:
    """Topic -> partition -> what there is of it."""
    topics: dict[str, dict[int, T]] = {}
    for tp, value in of.items():
        topics.setdefault(tp.topic, {})[tp.partition] = value
    return topics


def make_worker(settings: FeaturesSettings, views: ViewSet, metrics: FoldMetrics) -> FeatureWorker:
    """A worker for all of ``views``, with rows in Redis."""
    by_topic = {batch_topic(entity): views.views_of(entity) for entity in views.entities}

    def reader(topic: str) -> BatchReader:
        skipped = settings.skipped(topic)
        return BatchReader(topic, lambda *place: place in skipped, settings.features_run_rows)

    takeover = Takeover(
        online_store(settings),
        by_topic,
        reader,
        KafkaLogs(settings).bounds,
        metrics,
        cache_bytes=settings.features_cache_mb * _MB // len(by_topic),
        accept_incomplete=settings.features_accept_incomplete,
    )
    return FeatureWorker(settings, tuple(by_topic), takeover)


def run(views: ViewSet) -> None:
    """Fold ``views`` until SIGTERM."""
    settings, clock = FeaturesSettings(), SystemClock()
    configure_logging(f"features-{settings.instance}", settings.log_level)
    worker = make_worker(settings, views, FoldMetrics(REGISTRY, clock))
    lag = Gauge("eddyline_features_lag_offsets", "Batches not yet folded.", ["topic", "partition"])
    watch = ProgressWatch(worker.positions, lag, clock, stuck_after_s=settings.features_stuck_after_s)
    run_worker(
        worker.app,
        settings,
        clock,
        watch=watch,
        tasks=(worker.fold_forever, worker.confirm_forever),
        drain=worker.drain,
    )


if __name__ == "__main__":
    run(load_folded())
