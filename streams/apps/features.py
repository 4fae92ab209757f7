"""The feature worker, `python -m streams.apps.features`: folds `batches.<entity>` into rows of the views."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.catalog import ViewSet, load_folded
from feature_store.clock import SystemClock
from feature_store.online import online_store
from feature_store.schema.topics import batch_topic
from feature_store.telemetry.logs import configure_logging
from feature_store.views import FeatureView
from streams.apps.features_settings import FeaturesSettings
from streams.apps.log_bounds import KafkaLogs
from streams.apps.log_worker import LogWorker, Message
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import run_worker
from streams.apps.topic_identities import topic_identities
from streams.processors.batch_reader import BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.takeover import Takeover

_MB = 1024 * 1024
T = TypeVar("T")


class FeatureReader:
    """Folds each topic in a thread of its own: while Redis writes for one, the next is computed."""

    def __init__(self, settings: FeaturesSettings, topics: Sequence[str], takeover: Takeover) -> None:
        self._settings = settings
        self._topics = topics
        self._takeover = takeover
        self._threads = ThreadPoolExecutor(len(topics), thread_name_prefix="fold")
        self._folders: dict[str, PartitionFolder] | None = None

    def own(self, assigned: frozenset[TP]) -> None:
        """See `Reader.own`."""
        topics = topic_identities(self._settings, self._topics)
        owned = _by_topic(dict.fromkeys(sorted(assigned)))
        self._folders = {name: self._takeover.take(topics[name], [*parts]) for name, parts in owned.items()}

    def positions(self) -> Mapping[TP, int] | None:
        """See `Reader.positions`."""
        if self._folders is None:
            return None
        return {
            TP(topic, partition): offset
            for topic, folder in self._folders.items()
            for partition, offset in folder.next_offsets().items()
        }

    def take(self, pending: Mapping[TP, Sequence[Message]]) -> None:
        """See `Reader.take`."""
        folders = self._folders or {}
        batches = {tp: [(each.offset, each.payload) for each in messages] for tp, messages in pending.items()}
        folding = [
            self._threads.submit(folders[topic].fold, of_topic)
            for topic, of_topic in _by_topic(batches).items()
            if topic in folders
        ]
        wait(folding)
        for folded in folding:
            folded.result()

    def let_go(self) -> None:
        """See `Reader.let_go`."""
        self._folders = None

    def confirm(self) -> None:
        """Find out, in quiet times too, that Redis lost writes or that somebody else owns a partition."""
        for folder in (self._folders or {}).values():
            folder.confirm()


def _by_topic(of: Mapping[TP, T]) -> dict[str, dict[int, T]]:
    """Topic -> partition -> what there is of it."""
    topics: dict[str, dict[int, T]] = {}
    for tp, value in of.items():
        topics.setdefault(tp.topic, {})[tp.partition] = value
    return topics


def make_reader(
    settings: FeaturesSettings, by_topic: Mapping[str, tuple[FeatureView, ...]], metrics: FoldMetrics
) -> FeatureReader:
    """A fold of the views of each topic, with rows in Redis."""

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
    return FeatureReader(settings, tuple(by_topic), takeover)


def run(views: ViewSet) -> None:
    """Fold ``views`` until SIGTERM."""
    settings, clock = FeaturesSettings(), SystemClock()
    configure_logging(f"features-{settings.instance}", settings.log_level)
    by_topic = {batch_topic(entity): views.views_of(entity) for entity in views.entities}
    reader = make_reader(settings, by_topic, FoldMetrics(REGISTRY, clock))
    worker = LogWorker("features", settings, tuple(by_topic), reader, settings.features_pending_mb)
    lag = Gauge("eddyline_features_lag_offsets", "Batches not yet folded.", ["topic", "partition"])
    watch = ProgressWatch(reader.positions, lag, clock, stuck_after_s=settings.features_stuck_after_s)
    run_worker(
        worker.app,
        settings,
        clock,
        watch=watch,
        tasks=(worker.take_forever, worker.every(settings.features_confirm_every_s, reader.confirm)),
        drain=worker.drain,
    )


if __name__ == "__main__":
    run(load_folded())
