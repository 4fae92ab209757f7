"""The exposure join, `python -m streams.apps.join`: `rank.served` and `batches.feedback` into `exposures`."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.clock import Clock, SystemClock
from feature_store.online import online_store
from feature_store.schema.feedback import decode_feedback
from feature_store.schema.served import decode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from feature_store.telemetry.logs import configure_logging
from streams.apps.inbox import Inbox
from streams.apps.join_settings import JoinSettings
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import build_app, or_die, raw_topic, run_worker
from streams.apps.topic_identities import topic_identities
from streams.ingest.gapless import GaplessProducer
from streams.processors.exposure_join import ExposureJoiner
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_partition import ExposureSink, JoinPartition, JoinTakeover, write_decisions
from streams.processors.start import CannotStart, LogBounds, TopicIdentity

TOPICS = (FEEDBACK, RANK_SERVED)
_MB = 1024 * 1024
_DECIDE_EVERY_S = 0.25
_log = structlog.get_logger()


class StampedMessage(NamedTuple):
    """A message with its Kafka timestamp."""

    offset: int
    stamp_ms: int
    payload: bytes


class JoinWorker:
    """Joins what the agents receive, in one thread, so that the event loop goes on receiving meanwhile."""

    def __init__(
        self,
        settings: JoinSettings,
        takeover: JoinTakeover,
        sink: ExposureSink,
        metrics: JoinMetrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._takeover = takeover
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._inbox: Inbox[StampedMessage] = Inbox(settings.join_pending_mb * _MB)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="join")
        self._partitions: dict[int, JoinPartition] | None = None
        self.app = build_app("join", settings, TOPICS, self._start_offsets)
        self.app.on_partitions_revoked.connect(self._let_go)
        for topic in TOPICS:
            self._receive(topic)

    def positions(self) -> Mapping[TP, int] | None:
        """Where each partition of both topics is; None before the first assignment."""
        if self._partitions is None:
            return None
        return {
            TP(topic, number): partition.joiner.next_offset(topic)
            for number, partition in self._partitions.items()
            for topic in TOPICS
        }

    async def join_forever(self) -> None:
        """Take in all that is pending, again and again."""
        while True:
            pending = await self._inbox.take()
            await self._in_thread(self._join, pending)

    async def decide_forever(self) -> None:
        """Write, every now and then, what is due; a log read to its end does not hold it back."""
        while True:
            began_ms = self._clock.now_ms()
            with contextlib.suppress(KafkaError):
                positions = self.positions()
                ends = await self.app.consumer.highwaters(*positions) if positions else {}
                await self._in_thread(self._decide, ends, began_ms)
            await asyncio.sleep(_DECIDE_EVERY_S)

    async def drain(self) -> None:
        """Finish what is under way; what is pending stays in Kafka."""
        self._inbox.clear()
        await self._in_thread(lambda: None)

    def _receive(self, topic: str) -> None:
        @self.app.agent(raw_topic(self.app, topic), name=f"join {topic}", concurrency=1)
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
        self._partitions = None

    async def _start_offsets(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        offsets: Mapping[TP, int] = await or_die("taking over partitions", self._take_over(assigned))
        return offsets

    async def _take_over(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        self._inbox.clear()
        numbers = _same_numbers(assigned)
        starts = await self.app.consumer.earliest_offsets(*assigned) if assigned else {}
        ends = await self.app.consumer.highwaters(*assigned) if assigned else {}
        bounds = {tp: LogBounds(starts[tp], ends[tp]) for tp in assigned}
        await self._in_thread(self._own, numbers, bounds)
        positions = self.positions() or {}
        _log.info(
            "partitions taken over",
            positions={f"{tp.topic}[{tp.partition}]": at for tp, at in positions.items()},
        )
        return positions

    async def _in_thread(self, work: Callable[..., None], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _own(self, numbers: Sequence[int], bounds: Mapping[TP, LogBounds]) -> None:
        topics = topic_identities(self._settings, TOPICS)

        def log(name: str, number: int) -> tuple[TopicIdentity, LogBounds]:
            return topics[name], bounds[TP(name, number)]

        self._partitions = {
            number: self._takeover.take(number, log(FEEDBACK, number), log(RANK_SERVED, number))
            for number in numbers
        }

    def _join(self, pending: Mapping[TP, Sequence[StampedMessage]]) -> None:
        for tp, messages in pending.items():
            partition = (self._partitions or {}).get(tp.partition)
            if partition is None:
                continue
            with self._metrics.stage("join"):
                for message in messages:
                    take_message(partition.joiner, tp.topic, message)
            self._metrics.read(tp.topic, len(messages))

    def _decide(self, ends: Mapping[TP, int], asked_ms: int) -> None:
        partitions = self._partitions or {}
        quiet_until_ms = asked_ms - int(self._settings.join_idle_s * 1000)
        for tp, end in ends.items():
            partition = partitions.get(tp.partition)
            if partition and partition.joiner.next_offset(tp.topic) >= end:
                partition.joiner.quiet(tp.topic, quiet_until_ms)
        with self._metrics.stage("write"):
            write_decisions(partitions.values(), self._sink)


def take_message(joiner: ExposureJoiner, topic: str, message: StampedMessage) -> None:
    """Decode a message and give it to the joiner, unless it is left over from before an assignment."""
    if message.offset < joiner.next_offset(topic):
        return
    if topic == RANK_SERVED:
        joiner.take_served(message.offset, message.stamp_ms, decode_served(message.payload))
    else:
        rows, ranges = decode_feedback(message.payload)
        joiner.take_feedback(message.offset, message.stamp_ms, rows, ranges)


def _same_numbers(assigned: frozenset[TP]) -> list[int]:
    """The partitions assigned, which must be the same of both topics.

    Raises
    ------
    CannotStart
        When they are not.
    """
    numbers = {topic: {tp.partition for tp in assigned if tp.topic == topic} for topic in TOPICS}
    if numbers[FEEDBACK] != numbers[RANK_SERVED]:
        raise CannotStart(f"the topics of the join are not assigned alike: {numbers}")
    return sorted(numbers[FEEDBACK])


def make_worker(settings: JoinSettings, metrics: JoinMetrics, clock: Clock) -> JoinWorker:
    """A worker with its state in Redis, that writes to Kafka."""
    takeover = JoinTakeover(
        online_store(settings),
        settings.window,
        metrics,
        held_bytes_max=settings.join_held_mb * _MB,
        accept_loss=settings.join_accept_loss,
    )
    sink = GaplessProducer(settings, waiting=lambda: None)
    return JoinWorker(settings, takeover, sink, metrics, clock)


def main() -> None:
    """Run the join until SIGTERM."""
    settings, clock = JoinSettings(), SystemClock()
    configure_logging(f"join-{settings.instance}", settings.log_level)
    worker = make_worker(settings, JoinMetrics(REGISTRY, clock), clock)
    lag = Gauge("eddyline_join_lag_offsets", "Messages not yet joined.", ["topic", "partition"])
    watch = ProgressWatch(worker.positions, lag, clock, stuck_after_s=settings.join_stuck_after_s)
    tasks = (worker.join_forever, worker.decide_forever)
    run_worker(worker.app, settings, clock, watch=watch, tasks=tasks, drain=worker.drain)


if __name__ == "__main__":
    main()
