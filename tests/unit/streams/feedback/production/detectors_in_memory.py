"""The detectors over logs in memory, put together as their process does it, killed where a test says so."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry

from feature_store.online.memory import MemoryOnlineStore
from feature_store.outbound import Outbound
from feature_store.schema.batches import write_record_batch
from feature_store.schema.exposures import decode_exposures
from feature_store.schema.findings import Finding, decode_record
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from streams.apps.detectors import watches_of
from streams.apps.detectors_settings import DetectorSettings
from streams.feedback.production.checkpoint import LoopStore
from streams.feedback.production.epochs import LoopEpochs, take_over
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.watches import Watches
from streams.processors.start import LogBounds, TopicIdentity

GRACE_MS = 15_000
SETTINGS = {
    "detect_grace_s": GRACE_MS / 1000,
    "detect_gain_lags": 0,
    "explore_positions": 5,
    "deploy_slots": 8,
    "deploy_step_s": 3.0,
}


class Killed(Exception):  # noqa: N818  (a state of the world)
    """The process ends here."""


@dataclass
class Deadly:
    """Counts what is done, and kills at a given count."""

    at: int | None = None
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.at:
            raise Killed


class DeadlyStore(MemoryOnlineStore):
    """A store whose owner may die before or after any write."""

    deadly = Deadly()

    def put_rows(self, *args, **kwargs):
        self.deadly.step()
        super().put_rows(*args, **kwargs)
        self.deadly.step()


@dataclass
class Logs:
    """Topics in memory."""

    partitions: int
    messages: dict[tuple[str, int], list[tuple[int, bytes]]] = field(default_factory=dict)
    deadly: Deadly = field(default_factory=Deadly)

    def __post_init__(self) -> None:
        for topic in (EXPOSURES, SCORE_PANEL):
            for partition in range(self.partitions):
                self.messages[topic, partition] = []
        self.messages[FINDINGS, 0] = []
        self.now_ms = 0

    def append(self, topic: str, partition: int, stamp_ms: int, payload: bytes) -> None:
        self.messages[topic, partition].append((stamp_ms, payload))

    def produce(self, message: Outbound) -> None:
        self.deadly.step()
        self.append(message.topic, 0, self.now_ms, message.value)

    def flush(self) -> None:
        self.deadly.step()

    @property
    def bounds(self):
        return {place: LogBounds(0, len(log)) for place, log in self.messages.items()}

    @property
    def findings(self) -> list[Finding]:
        records = [decode_record(payload) for _, payload in self.messages[FINDINGS, 0]]
        return [record for record in records if isinstance(record, Finding)]


def topics(partitions: int) -> dict[str, TopicIdentity]:
    counts = {EXPOSURES: partitions, SCORE_PANEL: partitions, FINDINGS: 1}
    return {name: TopicIdentity(name, f"id-{name}", count) for name, count in counts.items()}


class Detectors:
    """One life of the process.

    Parameters
    ----------
    start_anew : whatever is stored
    told : settings of it, instead of those above
    """

    def __init__(
        self,
        logs: Logs,
        store: MemoryOnlineStore,
        epoch_ms: int,
        *,
        start_anew: bool = False,
        **told: object,
    ) -> None:
        self.registry = CollectorRegistry()
        self.watches: Watches | None = None
        self._logs = logs
        self._settings = DetectorSettings(nudge_epoch_s=epoch_ms / 1000, **(SETTINGS | told))
        self.epochs: LoopEpochs = take_over(
            LoopStore(store),
            self._made,
            topics(logs.partitions),
            logs.bounds,
            epoch_ms=epoch_ms,
            grace_ms=self._settings.grace_ms,
            start_anew=start_anew,
        )

    def _made(self) -> Watches:
        self.watches = watches_of(self._settings, LoopMetrics(self.registry))
        return self.watches

    def read(self, until_ms: int) -> None:
        """Take in all that was appended by ``until_ms``, then close what is due."""
        cut = self.epochs.cut
        for place, log in self._logs.messages.items():
            for offset, (stamp_ms, payload) in enumerate(log):
                if cut.read_offsets()[place] <= offset and stamp_ms <= until_ms:
                    cut.take(place, offset, stamp_ms, payload)
            cut.quiet(place, until_ms)
        self._logs.now_ms = until_ms
        while self.epochs.close_due(self._logs):
            pass

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def logs_of(world, keep=lambda topic, partition, stamp_ms, payload: True) -> Logs:
    """The messages of a world, or those that ``keep`` lets through."""
    logs = Logs(world.partitions)
    for message in world.messages():
        if keep(*message):
            logs.append(*message)
    return logs


def rewritten(world, changed):
    """The logs of a world with its exposures ``changed``; None: there are none."""
    logs = Logs(world.partitions)
    for topic, partition, stamp_ms, payload in world.messages():
        if topic == EXPOSURES:
            rows = changed(decode_exposures(payload))
            if rows is None:
                continue
            payload = write_record_batch(rows)
        logs.append(topic, partition, stamp_ms, payload)
    return logs


def never_exposed(rows):
    return None


def nulled(name):
    def changed(rows):
        at = rows.schema.get_field_index(name)
        return rows.set_column(at, rows.schema.field(at), pa.nulls(len(rows), rows.schema.field(at).type))

    return changed


def an_hour_ahead(rows):
    at = rows.schema.get_field_index("served_time_ms")
    return rows.set_column(at, "served_time_ms", pc.add(rows.column(at), 3_600_000))


UNCOUNTABLE = {
    "never exposed": never_exposed,
    "no propensity": nulled("propensity"),
    "no version": nulled("model_version"),
    "an hour ahead": an_hour_ahead,
}
"""What leaves no exposure of a log that could be counted, to be given to `rewritten`."""


def end_ms(world) -> int:
    """When the last epoch of a world is closed."""
    return (world.first_epoch + world.epochs) * world.epoch_ms + GRACE_MS


def lives(world, deadly: Deadly, stride: int, **told: object) -> tuple[Detectors, Logs]:
    """Read ``stride`` epochs at a time; when killed, start again from the checkpoint."""
    logs, store = logs_of(world), DeadlyStore()
    logs.deadly = store.deadly = deadly
    now_ms = world.first_epoch * world.epoch_ms
    detectors = Detectors(logs, store, world.epoch_ms, **told)
    while now_ms < end_ms(world):
        now_ms = min(now_ms + stride * world.epoch_ms, end_ms(world))
        try:
            detectors.read(now_ms)
        except Killed:
            detectors = Detectors(logs, store, world.epoch_ms, **told)
            detectors.read(now_ms)
    return detectors, logs


def detected(world, logs=None, **settings):
    """Detectors that have read a world to its end, or ``logs`` instead, and the logs."""
    logs = logs or logs_of(world)
    detectors = Detectors(logs, DeadlyStore(), world.epoch_ms, **settings)
    detectors.read(end_ms(world))
    return detectors, logs


def bits(detectors):
    """All that they know, as it is stored."""
    header, arrays = detectors.watches.state()
    return header, {name: array.tobytes() for name, array in arrays.items()}
