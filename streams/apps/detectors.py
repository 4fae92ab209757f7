"""The loop detectors, `python -m streams.apps.detectors`: `exposures` and `score.panel` into `findings`."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.clock import Clock, SystemClock
from feature_store.online import online_store
from feature_store.schema.topics import FINDINGS
from feature_store.telemetry.logs import configure_logging
from streams.apps.detectors_settings import DetectorSettings
from streams.apps.inbox import Inbox
from streams.apps.join import StampedMessage
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import build_app, or_die, raw_topic, run_worker
from streams.apps.topic_identities import topic_identities
from streams.feedback.production.arms_watch import ArmsWatch
from streams.feedback.production.checkpoint import LoopStore
from streams.feedback.production.deploy_watch import DeployWatch
from streams.feedback.production.epochs import TOPICS, FindingSink, LoopEpochs, take_over
from streams.feedback.production.exploration_watch import ExplorationWatch
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.score_watch import ScoreWatch
from streams.feedback.production.watches import Watches
from streams.ingest.gapless import GaplessProducer
from streams.processors.start import CannotStart, LogBounds

_MB = 1024 * 1024
_CLOSE_EVERY_S = 0.25
_log = structlog.get_logger()


class DetectorWorker:
    """Takes in what the agents receive, in one thread, so that the event loop goes on receiving meanwhile.

    One process owns all partitions: an epoch is judged over all items at once.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        store: LoopStore,
        make_watches: Callable[[], Watches],
        sink: FindingSink,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._make_watches = make_watches
        self._sink = sink
        self._clock = clock
        self._inbox: Inbox[StampedMessage] = Inbox(settings.detect_pending_mb * _MB)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="detect")
        self._epochs: LoopEpochs | None = None
        self.app = build_app("detectors", settings, TOPICS, self._start_offsets)
        self.app.on_partitions_revoked.connect(self._let_go)
        for topic in TOPICS:
            self._receive(topic)

    def positions(self) -> Mapping[TP, int] | None:
        """Where each partition is; None before the first assignment."""
        if self._epochs is None:
            return None
        return {TP(*place): offset for place, offset in self._epochs.cut.read_offsets().items()}

    async def take_forever(self) -> None:
        """Take in all that is pending, again and again."""
        while True:
            await self._in_thread(self._take, await self._inbox.take())

    async def close_forever(self) -> None:
        """Close, every now and then, the epochs that are due; a log read to its end holds none back."""
        while True:
            began_ms = self._clock.now_ms()
            with contextlib.suppress(KafkaError):
                positions = self.positions()
                ends = await self.app.consumer.highwaters(*positions) if positions else {}
                await self._in_thread(self._close, ends, began_ms)
            await asyncio.sleep(_CLOSE_EVERY_S)

    async def drain(self) -> None:
        """Finish what is under way; what is pending stays in Kafka."""
        self._inbox.clear()
        await self._in_thread(lambda: None)

    def _receive(self, topic: str) -> None:
        @self.app.agent(raw_topic(self.app, topic), name=f"detect {topic}", concurrency=1)
        async def agent(stream: faust.StreamT[bytes]) -> None:
            await or_die(f"receiving {topic}", self._put_all(stream))

    async def _put_all(self, stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            stamped = StampedMessage(message.offset, round(message.timestamp * 1000), message.value)
            await self._inbox.put(message.tp, stamped, len(message.value))

    async def _let_go(self, *_: object, **__: object) -> None:
        """Be done with writing before somebody else may own the partitions."""
        await self.drain()
        self._epochs = None

    async def _start_offsets(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        offsets: Mapping[TP, int] = await or_die("taking over partitions", self._take_over(assigned))
        return offsets

    async def _take_over(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        self._inbox.clear()
        starts = await self.app.consumer.earliest_offsets(*assigned) if assigned else {}
        ends = await self.app.consumer.highwaters(*assigned) if assigned else {}
        logs = {tp: LogBounds(starts[tp], ends[tp]) for tp in assigned}
        await self._in_thread(self._own, logs)
        positions = self.positions() or {}
        _log.info("detectors taken over", partitions=len(positions))
        return positions

    async def _in_thread(self, work: Callable[..., None], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _own(self, logs: Mapping[TP, LogBounds]) -> None:
        if not logs:
            self._epochs = None
            return
        topics = topic_identities(self._settings, TOPICS, {FINDINGS: 1})
        expected = sum(topic.partitions for topic in topics.values())
        if len(logs) != expected:
            raise CannotStart(
                f"{len(logs)} of {expected} partitions were assigned: is there another detectors process?"
            )
        self._epochs = take_over(
            self._store,
            self._make_watches,
            topics,
            {(tp.topic, tp.partition): log for tp, log in logs.items()},
            epoch_ms=self._settings.epoch_ms,
            grace_ms=self._settings.grace_ms,
            start_anew=self._settings.detect_start_anew,
        )

    def _take(self, pending: Mapping[TP, Sequence[StampedMessage]]) -> None:
        if self._epochs is None:
            return
        for tp, messages in pending.items():
            for message in messages:
                place = (tp.topic, tp.partition)
                self._epochs.cut.take(place, message.offset, message.stamp_ms, message.payload)

    def _close(self, ends: Mapping[TP, int], asked_ms: int) -> None:
        if self._epochs is None:
            return
        cut = self._epochs.cut
        quiet_until_ms = asked_ms - int(self._settings.detect_idle_s * 1000)
        reached = cut.read_offsets()
        for tp, end in ends.items():
            if reached.get((tp.topic, tp.partition), -1) >= end:
                cut.quiet((tp.topic, tp.partition), quiet_until_ms)
        self._epochs.close_due(self._sink)


def make_worker(settings: DetectorSettings, metrics: LoopMetrics, clock: Clock) -> DetectorWorker:
    """A worker with its state in Redis, that writes to Kafka."""
    metrics.silent_after_s.set((4 * settings.epoch_ms + settings.grace_ms) / 1000)
    return DetectorWorker(
        settings,
        LoopStore(online_store(settings)),
        lambda: watches_of(settings, metrics),
        GaplessProducer(settings, waiting=lambda: None),
        clock,
    )


def watches_of(settings: DetectorSettings, metrics: LoopMetrics) -> Watches:
    """All detectors, with nothing known."""
    budget = settings.budget
    return Watches(
        [
            ScoreWatch(settings.epoch_ms, settings.allowed, budget, metrics),
            ExplorationWatch(settings.explore_positions, budget, metrics),
            ArmsWatch(settings.detect_items, budget, metrics),
            DeployWatch(settings.deploy_calendar, settings.epoch_ms, budget, metrics),
        ],
        metrics,
    )


def main() -> None:
    """Detect until SIGTERM."""
    settings, clock = DetectorSettings(), SystemClock()
    configure_logging(f"detectors-{settings.instance}", settings.log_level)
    worker = make_worker(settings, LoopMetrics(REGISTRY), clock)
    lag = Gauge("eddyline_detectors_lag_offsets", "Messages not yet taken in.", ["topic", "partition"])
    watch = ProgressWatch(worker.positions, lag, clock, stuck_after_s=settings.detect_stuck_after_s)
    tasks = (worker.take_forever, worker.close_forever)
    run_worker(worker.app, settings, clock, watch=watch, tasks=tasks, drain=worker.drain)


if __name__ == "__main__":
    main()
