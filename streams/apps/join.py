"""The exposure join, `python -m streams.apps.join`: `rank.served` and `batches.feedback` into `exposures`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.clock import SystemClock
from feature_store.gapless import GaplessProducer
from feature_store.online import online_store
from feature_store.outbound import Sink
from feature_store.schema.feedback import decode_feedback
from feature_store.schema.served import decode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from feature_store.telemetry.logs import configure_logging
from streams.apps.broker_clock import BrokerClock
from streams.apps.join_settings import JOIN_SKIP, JoinSettings
from streams.apps.log_bounds import KafkaLogs
from streams.apps.log_worker import LogWorker, Message
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import run_worker
from streams.apps.topic_identities import topic_identities
from streams.processors.corrupt_batch import CorruptBatch
from streams.processors.exposure_join import ExposureJoiner
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_partition import JoinPartition, JoinTakeover, write_decisions
from streams.processors.start import CannotStart, LogBounds, TopicIdentity

TOPICS = (FEEDBACK, RANK_SERVED)
_MB = 1024 * 1024
_DECIDE_EVERY_S = 0.25
T = TypeVar("T")


class JoinReader:
    """Joins what arrives of both topics; a partition of one is joined with the same of the other.

    Parameters
    ----------
    clock : is told the stamps of what is read
    """

    def __init__(
        self,
        settings: JoinSettings,
        takeover: JoinTakeover,
        sink: Sink,
        metrics: JoinMetrics,
        clock: BrokerClock,
    ) -> None:
        self._settings = settings
        self._takeover = takeover
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._skipped = {topic: settings.skipped(topic) for topic in TOPICS}
        self._logs = KafkaLogs(settings)
        self._partitions: dict[int, JoinPartition] | None = None

    def own(self, assigned: frozenset[TP]) -> None:
        """See `Reader.own`."""
        self.let_go()
        numbers = _same_numbers(assigned)
        topics = topic_identities(self._settings, TOPICS)
        bounds = {topic: self._logs.bounds(topic, numbers) for topic in TOPICS}

        def log(topic: str, number: int) -> tuple[TopicIdentity, LogBounds]:
            return topics[topic], bounds[topic][number]

        self._partitions = {
            number: self._takeover.take(number, log(FEEDBACK, number), log(RANK_SERVED, number))
            for number in numbers
        }

    def positions(self) -> Mapping[TP, int] | None:
        """See `Reader.positions`."""
        if self._partitions is None:
            return None
        return {
            TP(topic, number): partition.joiner.next_offset(topic)
            for number, partition in self._partitions.items()
            for topic in TOPICS
        }

    def take(self, pending: Mapping[TP, Sequence[Message]]) -> None:
        """See `Reader.take`."""
        for tp, messages in pending.items():
            partition = (self._partitions or {}).get(tp.partition)
            if partition is None:
                continue
            with self._metrics.stage("join"):
                for message in messages:
                    take_message(partition.joiner, tp, message, self._skipped[tp.topic])
            self._clock.saw(tp, messages[-1].stamp_ms)
            self._metrics.read(tp.topic, len(messages))

    def let_go(self) -> None:
        """See `Reader.let_go`."""
        self._partitions = None
        self._metrics.hold_nothing()

    def decide(self, ends: Mapping[TP, int], asked_ms: int) -> None:
        """Write what is due.

        Parameters
        ----------
        ends : where each log ended at ``asked_ms``, by the broker's time
        """
        partitions = self._partitions or {}
        quiet_until_ms = asked_ms - int(self._settings.join_idle_s * 1000)
        for tp, end in ends.items():
            partition = partitions.get(tp.partition)
            if partition and partition.joiner.next_offset(tp.topic) >= end:
                partition.joiner.quiet(tp.topic, quiet_until_ms)
        with self._metrics.stage("write"):
            write_decisions(partitions.values(), self._sink)


def take_message(
    joiner: ExposureJoiner, tp: TP, message: Message, skipped: frozenset[tuple[int, int]]
) -> None:
    """Decode a message and give it to the joiner, unless it is left over from before an assignment.

    Parameters
    ----------
    skipped : (partition, offset) of messages of the topic that an operator decided to leave out

    Raises
    ------
    CorruptBatch
        When it cannot be decoded, and nobody decided to leave it out.
    """
    if message.offset < joiner.next_offset(tp.topic):
        return
    if (tp.partition, message.offset) in skipped:
        joiner.skip(tp.topic, message.offset, message.stamp_ms)
    elif tp.topic == RANK_SERVED:
        joiner.take_served(message.offset, message.stamp_ms, _decoded(decode_served, tp, message))
    else:
        joiner.take_feedback(message.offset, message.stamp_ms, *_decoded(decode_feedback, tp, message))


def _decoded(decode: Callable[[bytes], T], tp: TP, message: Message) -> T:
    try:
        return decode(message.payload)
    except Exception as error:
        raise CorruptBatch(tp.topic, tp.partition, message.offset, error, JOIN_SKIP) from error


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


def make_reader(settings: JoinSettings, metrics: JoinMetrics, clock: BrokerClock) -> JoinReader:
    """A join with its state in Redis, that writes to Kafka."""
    takeover = JoinTakeover(
        online_store(settings),
        settings.window,
        metrics,
        held_bytes_max=settings.join_held_mb * _MB,
        accept_loss=settings.join_accept_loss,
    )
    return JoinReader(settings, takeover, GaplessProducer(settings, waiting=lambda: None), metrics, clock)


def main() -> None:
    """Run the join until SIGTERM."""
    settings, clock = JoinSettings(), SystemClock()
    configure_logging(f"join-{settings.instance}", settings.log_level)
    broker_clock = BrokerClock(clock)
    reader = make_reader(settings, JoinMetrics(REGISTRY, clock), broker_clock)
    worker = LogWorker("join", settings, TOPICS, reader, settings.join_pending_mb)
    lag = Gauge("eddyline_join_lag_offsets", "Messages not yet joined.", ["topic", "partition"])
    watch = ProgressWatch(reader.positions, lag, clock, stuck_after_s=settings.join_stuck_after_s)
    tasks = (worker.take_forever, worker.every_with_ends(_DECIDE_EVERY_S, broker_clock, reader.decide))
    run_worker(worker.app, settings, clock, watch=watch, tasks=tasks, drain=worker.drain)


if __name__ == "__main__":
    main()
