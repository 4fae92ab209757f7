"""What the join's metrics say, and of which partitions."""

from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from streams.processors.join_metrics import JoinMetrics


def test_nothing_is_said_of_partitions_that_were_given_away() -> None:
    registry = CollectorRegistry()
    metrics = JoinMetrics(registry, ManualClock())
    metrics.holds(3, unclosed=1, nbytes=2, decided_to_ms=3)
    assert partitions(registry) == {"3"}
    metrics.hold_nothing()
    assert partitions(registry) == set()


def partitions(registry: CollectorRegistry) -> set[str]:
    samples = [sample for found in registry.collect() for sample in found.samples]
    return {sample.labels["partition"] for sample in samples if "partition" in sample.labels}
