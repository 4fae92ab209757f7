"""A trickle of what is served is checked while events go on coming."""

from prometheus_client import CollectorRegistry

from eddyline.parity.chosen import SampledEntities
from eddyline.parity.follow import Follower, ParityMetrics
from feature_store.topic_log import Bounds
from tests.simulation.small_deployment import MemoryLog, SmallDeployment
from tests.unit.eddyline.parity.test_parity import check_of


def follower_of(
    made: SmallDeployment, registry: CollectorRegistry, log: MemoryLog | None = None, requests: int = 100
) -> Follower:
    check = check_of(made, SampledEntities(1.0))
    return Follower(check, log or made.log, ParityMetrics(registry), requests)


def outcomes(registry: CollectorRegistry) -> dict[str, float]:
    return {
        outcome: registry.get_sample_value("eddyline_parity_rows_total", {"outcome": outcome}) or 0.0
        for outcome in ("equal", "different", "unverified")
    }


def test_what_is_served_while_events_come_is_checked_and_equal() -> None:
    made, registry = SmallDeployment(3), CollectorRegistry()
    made.publish(60)
    follower = follower_of(made, registry)
    for _ in range(6):
        made.publish(20)
        made.rank(2)
        follower.turn()
    for _ in range(3):
        follower.turn()
    found = outcomes(registry)
    assert found["equal"] >= 10
    assert found["different"] == found["unverified"] == 0


def test_a_feature_worker_that_is_behind_by_more_than_a_turn_goes_unverified_not_wrong() -> None:
    made, registry = SmallDeployment(4), CollectorRegistry()
    made.publish(60)
    follower = follower_of(made, registry)
    for _ in range(5):
        made.publish(20, fold=False)
        made.rank(2)
        follower.turn()
    found = outcomes(registry)
    assert found["different"] == 0
    assert found["unverified"] > 0


def test_only_so_many_requests_are_taken_in_at_a_turn() -> None:
    made, registry = SmallDeployment(5), CollectorRegistry()
    follower = follower_of(made, registry, requests=1)
    made.rank(5)
    for _ in range(3):
        follower.turn()
    assert 0 < sum(outcomes(registry).values()) <= 6


class Forgetful(MemoryLog):
    """A log that loses its beginning before anyone reads it."""

    def bounds(self, topic: str) -> Bounds:
        return {at: (min(1, end), end) for at, (_, end) in super().bounds(topic).items()}


def test_a_log_without_its_beginning_makes_the_check_blind_and_says_so() -> None:
    made, registry = SmallDeployment(6), CollectorRegistry()
    made.publish(60)
    log = Forgetful()
    log.partitions = made.log.partitions
    follower_of(made, registry, log).turn()
    assert registry.get_sample_value("eddyline_parity_blind") == 1
