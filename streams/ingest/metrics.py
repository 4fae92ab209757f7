"""What an ingest worker shows of itself on `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from feature_store.clock import Clock
from feature_store.outbound import Outbound
from feature_store.schema.events import Reason
from feature_store.telemetry.stages import StageSeconds
from streams.ingest.ingestor import Output

_POLL_SIZES = (1, 10, 100, 500, 1_000, 2_000, 4_000, 8_192, 16_384, 32_768)


class IngestMetrics:
    """Counters of one worker, by Prometheus' conventions."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._events = Counter("eddyline_ingest_events", "Events accepted.", ["type"], registry=registry)
        self._refused = Counter(
            "eddyline_ingest_dead_letters", "Events dead-lettered.", ["reason"], registry=registry
        )
        for reason in Reason:  # so that the first refusals of a reason are a rise, not a series of their own
            self._refused.labels(reason.value)
        self._duplicates = Counter(
            "eddyline_ingest_duplicates", "Valid events whose event_id had just occurred.", registry=registry
        )
        self._values_skipped = Counter(
            "eddyline_ingest_values_skipped",
            "Attribute values of items that cannot be part of an id.",
            registry=registry,
        )
        self._produced = Counter(
            "eddyline_ingest_messages_produced", "Messages produced.", ["topic"], registry=registry
        )
        self._bytes = Counter(
            "eddyline_ingest_produced_bytes", "Bytes produced, uncompressed.", ["topic"], registry=registry
        )
        self._poll_size = Histogram(
            "eddyline_ingest_poll_events", "Events in a poll.", buckets=_POLL_SIZES, registry=registry
        )
        self.stage = StageSeconds("ingest", registry, clock).of
        self.lag = Gauge(
            "eddyline_ingest_lag_offsets", "Offsets behind the end.", ["partition"], registry=registry
        )
        self.held = Gauge(
            "eddyline_ingest_held_events", "Events that wait for a partition behind.", registry=registry
        )
        self.lost = Counter(
            "eddyline_ingest_lost_offsets", "Offsets deleted before they were read.", registry=registry
        )

    def polled(self, events: int) -> None:
        """A poll brought ``events`` events."""
        if events:
            self._poll_size.observe(events)

    def ingested(self, output: Output) -> None:
        """A step was made."""
        for kind, count in output.accepted.items():
            self._events.labels(str(kind.__struct_config__.tag)).inc(count)
        for reason, count in output.refused.items():
            self._refused.labels(reason.value).inc(count)
        self._duplicates.inc(output.duplicates)
        self._values_skipped.inc(output.values_skipped)

    def produced(self, message: Outbound) -> None:
        """A message was handed to the producer."""
        self._produced.labels(message.topic).inc()
        self._bytes.labels(message.topic).inc(len(message.value or b""))
