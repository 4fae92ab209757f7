"""The loop of an ingest worker: poll, hold back, ingest, produce; now and then flush and commit."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import structlog

from feature_store.clock import Clock
from feature_store.gapless import GaplessProducer
from feature_store.items import ItemsFollower, ItemTable
from feature_store.outbound import Headers, Outbound
from feature_store.schema.topics import FEEDBACK, batch_topic
from feature_store.telemetry.health import Heartbeat
from streams.ingest.arrivals import ItemArrivals
from streams.ingest.holdback import Holdback
from streams.ingest.ingestor import Ingestor, forwarded, shown_items
from streams.ingest.metrics import IngestMetrics
from streams.ingest.origin import headers_of_events
from streams.ingest.records import Run
from streams.ingest.routes import EntityRoute
from streams.ingest.settings import IngestSettings
from streams.ingest.source import EventSource, Starts

_ITEMS_WAIT_S = 0.5
_GATHER_STEPS = 3
"""Every step costs the broker and all workers behind it several times what it costs here, however few its
events: one event after the other would keep two cores busy at a hundred events/s.
"""

log = structlog.get_logger()


class IngestWorker:
    """Ingests the partitions that the group gives to this process, until :meth:`stop`.

    Offsets are committed only after a flush of everything that was made of the records before them.
    Any exception ends the process: the next one goes on from the last commit.

    Parameters
    ----------
    settings : of this worker
    routes : the entities to make batches for
    clock : paces commits and the hold-back
    metrics : counts
    """

    def __init__(
        self, settings: IngestSettings, routes: Sequence[EntityRoute], clock: Clock, metrics: IngestMetrics
    ) -> None:
        self.heartbeat = Heartbeat(clock)
        self._settings = settings
        self._topics = [FEEDBACK, *(batch_topic(route.entity) for route in routes)]
        self._headers: Headers = []
        self._clock = clock
        self._metrics = metrics
        self._gather_ns_max = settings.ingest_gather_ms_max * 1_000_000
        self._next_step_ns = 0
        self._commit_interval_ns = settings.ingest_commit_interval_ms * 1_000_000
        table = ItemTable()
        self._follower = ItemsFollower(settings, table)
        self._ingestor = Ingestor(settings, routes, table)
        self._holdback = Holdback(
            settings.ingest_max_held_events,
            settings.ingest_max_held_mb * 1_000_000,
            settings.ingest_max_hold_ms,
            clock,
        )
        self._arrivals = ItemArrivals(table, settings.ingest_item_wait_ms, clock, waiting=self._beat)
        self._producer = GaplessProducer(settings, waiting=self.heartbeat.beat)
        self._source = EventSource(
            settings, on_assigned=self._assigned, on_revoked=self._revoked, on_lost=metrics.lost.inc
        )
        self._stopping = threading.Event()
        self._has_assignment = False
        self._partitions = settings.events_partitions
        self._shares_events = False
        self._committed: dict[int, int] = {}
        self._committed_ns = 0

    def stop(self) -> None:
        """End :meth:`run` after the poll in hand."""
        self._stopping.set()

    def problem(self) -> str | None:
        """None when ready, else why not."""
        return self._follower.problem() or (None if self._has_assignment else "no partitions assigned yet")

    def run(self) -> None:
        """Ingest until :meth:`stop`, then flush, commit and leave.

        Raises
        ------
        Exception
            Whatever makes it doubtful that the batches are whole; nothing more is committed then.
        """
        self._headers = headers_of_events(self._settings, self._topics)
        self._follower.start()
        self._load_items()
        self._source.subscribe()
        while not self._stopping.is_set():
            self._turn()
        self._flush_and_commit()
        self._source.close()
        self._follower.close()
        log.info("drained", committed=self._committed)

    def _beat(self) -> None:
        self.heartbeat.beat()
        self._producer.poll()
        self._follower.raise_failure()

    def _load_items(self) -> None:
        while not self._stopping.is_set() and not self._follower.wait_caught_up(_ITEMS_WAIT_S):
            self.heartbeat.beat()
            self._follower.raise_failure()

    def _turn(self) -> None:
        self.heartbeat.beat()
        self._follower.raise_failure()
        with self._metrics.stage("poll"):
            runs = self._source.poll(self._until_next_step_s)
        began_ns = self._clock.monotonic_ns()
        self._metrics.polled(sum(map(len, runs)))
        for run in runs:
            self._holdback.add(run)
        self._ingest(self._holdback.release(self._source.at_end))
        self._metrics.held.set(len(self._holdback))
        self._producer.poll()
        ended_ns = self._clock.monotonic_ns()
        self._next_step_ns = ended_ns + min(self._gather_ns_max, _GATHER_STEPS * (ended_ns - began_ns))
        if ended_ns - self._committed_ns >= self._commit_interval_ns:
            self._flush_and_commit()

    def _until_next_step_s(self) -> float:
        """0 for an event that comes after a pause: it waits for no other."""
        return max(0, self._next_step_ns - self._clock.monotonic_ns()) / 1e9

    def _ingest(self, runs: list[Run]) -> None:
        if not runs:
            return
        with self._metrics.stage("sift"):
            sifted = self._ingestor.sift(runs)
        self._produce(forwarded(sifted))
        if self._shares_events:
            with self._metrics.stage("await_items"):
                self._arrivals.wait_for(shown_items(sifted))
        with self._metrics.stage("assemble"):
            output = self._ingestor.assemble(sifted)
        self._metrics.ingested(output)
        self._produce(output.messages)

    def _produce(self, messages: Sequence[Outbound]) -> None:
        with self._metrics.stage("produce"):
            for message in messages:
                self._producer.produce(
                    message if message.headers else replace(message, headers=self._headers)
                )
                self._metrics.produced(message)

    def _flush_and_commit(self) -> None:
        with self._metrics.stage("commit"):
            self._producer.flush()
            reached = self._ingestor.next_offsets
            moved = {
                partition: offset
                for partition, offset in reached.items()
                if self._committed.get(partition) != offset
            }
            if moved:
                self._source.commit(moved)
                self._committed |= moved
        for partition, offset in reached.items():
            self._metrics.lag.labels(str(partition)).set(self._lag(partition, offset))
        self._committed_ns = self._clock.monotonic_ns()

    def _lag(self, partition: int, reached: int) -> int:
        """0 once all is read and nothing held: a log may end in what is no record, as a commit marker."""
        if not len(self._holdback) and self._source.at_end(partition):
            return 0
        return self._source.lag(partition, reached) or 0

    def _assigned(self, starts: Starts) -> None:
        self._metrics.lag.clear()
        first = {partition: first for partition, (first, _) in starts.items()}
        self._committed = {partition: emit_from for partition, (_, emit_from) in starts.items()}
        self._ingestor.assign(self._committed, first)
        self._holdback.assign(starts)
        self._shares_events = len(starts) < self._partitions
        self._has_assignment = True

    def _revoked(self) -> None:
        self._flush_and_commit()
        self._assigned({})
        self._has_assignment = False
