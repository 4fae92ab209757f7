"""The loop detectors, `python -m streams.apps.detectors`: `exposures` and `score.panel` into `findings`."""

from collections.abc import Callable, Mapping, Sequence

from faust.types import TP
from prometheus_client import REGISTRY, Gauge

from feature_store.clock import SystemClock
from feature_store.gapless import GaplessProducer
from feature_store.online import online_store
from feature_store.outbound import Sink
from feature_store.schema.topics import FINDINGS
from feature_store.telemetry.logs import configure_logging
from streams.apps.broker_clock import BrokerClock
from streams.apps.detectors_settings import DetectorSettings
from streams.apps.log_bounds import KafkaLogs
from streams.apps.log_worker import LogWorker, Message
from streams.apps.progress import ProgressWatch
from streams.apps.runtime import run_worker
from streams.apps.topic_identities import topic_identities
from streams.feedback.production.arms_watch import ArmsWatch
from streams.feedback.production.checkpoint import LoopStore
from streams.feedback.production.cross_watch import CrossWatch
from streams.feedback.production.deploy_watch import DeployWatch
from streams.feedback.production.epochs import TOPICS, LoopEpochs, take_over
from streams.feedback.production.exploration_watch import ExplorationWatch
from streams.feedback.production.log_cut import LogCut
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.score_watch import ScoreWatch
from streams.feedback.production.watches import Watches
from streams.processors.start import CannotStart, LogBounds

_CLOSE_EVERY_S = 0.25


class DetectorReader:
    """Lays what arrives together, epoch by epoch, and has the detectors judge it.

    One process owns all partitions: an epoch is judged over all items at once.

    Parameters
    ----------
    clock : told the stamps of what is read, but those that are doubted
    """

    def __init__(
        self,
        settings: DetectorSettings,
        store: LoopStore,
        make_watches: Callable[[], Watches],
        sink: Sink,
        clock: BrokerClock,
        metrics: LoopMetrics,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._store = store
        self._make_watches = make_watches
        self._sink = sink
        self._logs = KafkaLogs(settings)
        self._epochs: LoopEpochs | None = None

    def own(self, assigned: frozenset[TP]) -> None:
        """See `Reader.own`."""
        if not assigned:
            return self.let_go()
        topics = topic_identities(self._settings, TOPICS, {FINDINGS: 1})
        expected = sum(topic.partitions for topic in topics.values())
        if len(assigned) != expected:
            raise CannotStart(
                f"{len(assigned)} of {expected} partitions were assigned: is there another detectors process?"
            )
        self._epochs = take_over(
            self._store,
            self._make_watches,
            topics,
            self._bounds(assigned),
            epoch_ms=self._settings.epoch_ms,
            grace_ms=self._settings.grace_ms,
            start_anew=self._settings.detect_start_anew,
        )
        return None

    def positions(self) -> Mapping[TP, int] | None:
        """See `Reader.positions`."""
        if self._epochs is None:
            return None
        return {TP(*place): offset for place, offset in self._epochs.cut.read_offsets().items()}

    def take(self, pending: Mapping[TP, Sequence[Message]]) -> None:
        """See `Reader.take`."""
        if self._epochs is None:
            return
        take_in(pending, self._epochs.cut, self._clock, self._metrics)

    def let_go(self) -> None:
        """See `Reader.let_go`."""
        self._epochs = None

    def close(self, ends: Mapping[TP, int], asked_ms: int) -> None:
        """Close the epochs that are due.

        Parameters
        ----------
        ends : where each log ended at ``asked_ms``, by the broker's time
        """
        if self._epochs is None:
            return
        cut = self._epochs.cut
        quiet_until_ms = asked_ms - int(self._settings.detect_idle_s * 1000)
        reached = cut.read_offsets()
        for tp, end in ends.items():
            if reached.get((tp.topic, tp.partition), -1) >= end:
                cut.quiet((tp.topic, tp.partition), quiet_until_ms)
        self._epochs.close_due(self._sink)

    def _bounds(self, assigned: frozenset[TP]) -> dict[tuple[str, int], LogBounds]:
        found = {
            topic: self._logs.bounds(topic, [tp.partition for tp in assigned if tp.topic == topic])
            for topic in {tp.topic for tp in assigned}
        }
        return {(tp.topic, tp.partition): found[tp.topic][tp.partition] for tp in assigned}


def take_in(
    pending: Mapping[TP, Sequence[Message]], cut: LogCut, clock: BrokerClock, metrics: LoopMetrics
) -> None:
    """Lay messages into the cut; the clock is told their stamps, but for those that are doubted."""
    for tp, messages in pending.items():
        place = (tp.topic, tp.partition)
        for message in messages:
            metrics.misstamped(tp.topic, cut.take(place, message.offset, message.stamp_ms, message.payload))
        if not cut.doubts(place):
            clock.saw(tp, messages[-1].stamp_ms)


def make_reader(settings: DetectorSettings, metrics: LoopMetrics, clock: BrokerClock) -> DetectorReader:
    """Detectors with their state in Redis, that write to Kafka."""
    metrics.silent_after_s.set((4 * settings.epoch_ms + settings.grace_ms) / 1000)
    return DetectorReader(
        settings,
        LoopStore(online_store(settings)),
        lambda: watches_of(settings, metrics),
        GaplessProducer(settings, waiting=lambda: None),
        clock,
        metrics,
    )


def watches_of(settings: DetectorSettings, metrics: LoopMetrics) -> Watches:
    """All detectors, with nothing known."""
    budget, epoch_ms, allowed, models = settings.budget, settings.epoch_ms, settings.allowed, settings.models
    return Watches(
        [
            *(ScoreWatch(epoch_ms, allowed, budget, metrics, model) for model in models or (None,)),
            *([CrossWatch(models, epoch_ms, allowed, budget, metrics)] if len(models) > 1 else []),
            ExplorationWatch(settings.explore_positions, settings.detect_items, budget, metrics),
            ArmsWatch(settings.detect_items, budget, metrics),
            DeployWatch(settings.deploy_calendar, epoch_ms, budget, metrics),
        ],
        metrics,
    )


def main() -> None:
    """Detect until SIGTERM."""
    settings, clock = DetectorSettings(), SystemClock()
    configure_logging(f"detectors-{settings.instance}", settings.log_level)
    broker_clock = BrokerClock(clock)
    reader = make_reader(settings, LoopMetrics(REGISTRY), broker_clock)
    worker = LogWorker("detectors", settings, TOPICS, reader, settings.detect_pending_mb)
    lag = Gauge("eddyline_detectors_lag_offsets", "Messages not yet taken in.", ["topic", "partition"])
    watch = ProgressWatch(reader.positions, lag, clock, stuck_after_s=settings.detect_stuck_after_s)
    tasks = (worker.take_forever, worker.every_with_ends(_CLOSE_EVERY_S, broker_clock, reader.close))
    run_worker(worker.app, settings, clock, watch=watch, tasks=tasks, drain=worker.drain)


if __name__ == "__main__":
    main()
