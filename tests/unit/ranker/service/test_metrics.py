"""What is counted of answers."""

from dataclasses import replace

from prometheus_client import CollectorRegistry

from ranker.service.metrics import RankerMetrics
from ranker.side_effects.answer import Answer
from tests.unit.ranker.world import NOW_MS, SERVICE, World


def answered(*notes: str) -> CollectorRegistry:
    """What is counted of an answer with these notes."""
    world, registry = World(), CollectorRegistry()
    query = world.query(world.announce(2))
    outcome = replace(world.pipeline().rank(query), degraded=notes)
    RankerMetrics(["home"], registry).answered(
        "http", Answer(query, outcome, b"", NOW_MS, SERVICE.fingerprint), 1.0
    )
    return registry


def outcomes(registry: CollectorRegistry) -> list[str]:
    return [
        sample.labels["outcome"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "eddyline_ranker_requests_total"
    ]


def lacked(registry: CollectorRegistry, note: str) -> float | None:
    return registry.get_sample_value("eddyline_ranker_degraded_total", {"note": note})


def test_an_answer_of_the_embedded_model_is_counted_as_whole():
    registry = answered("embedded_inference")
    assert outcomes(registry) == ["ok"]
    assert lacked(registry, "embedded_inference") is None


def test_what_an_answer_of_the_embedded_model_lacks_is_counted():
    registry = answered("embedded_inference", "features_late")
    assert outcomes(registry) == ["degraded"]
    assert lacked(registry, "features_late") == 1
    assert lacked(registry, "embedded_inference") is None
