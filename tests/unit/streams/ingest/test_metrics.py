"""What an ingest worker shows before anything has happened."""

from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.schema.events import Reason
from streams.ingest.metrics import IngestMetrics


def test_counters_of_what_should_not_happen_begin_at_zero() -> None:
    registry = CollectorRegistry()
    IngestMetrics(registry, ManualClock())
    value = registry.get_sample_value
    assert value("eddyline_ingest_lost_offsets_total") == 0
    assert {value("eddyline_ingest_dead_letters_total", {"reason": reason}) for reason in Reason} == {0}
