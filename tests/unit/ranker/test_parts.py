"""Policy files, the breaker, sources, lanes."""

import msgspec
import numpy as np
import pytest

from feature_store.clock import ManualClock
from ranker.pipeline.breaker import Breaker, CircuitOpen
from ranker.policies.config import DEFAULT_POLICY, PolicyError, load_policy
from ranker.policies.value_model import NoWeightedHead, ValueModel
from ranker.service.lanes import Lanes, Overloaded
from ranker.service.surfaces import surfaces
from ranker.sources.recent import recent
from ranker.sources.shelf import Shelf
from ranker.sources.trending import trending
from tests.unit.ranker.world import NOW_MS, World


def test_the_shipped_policy_is_valid_and_replays_without_filters_or_diversity():
    policy = load_policy()
    made = surfaces(
        policy, World().items, {name: Shelf(name, lambda _: []) for name in ("recent", "trending")}
    )
    assert [stage.name for stage in made["home"].filters] == ["seen", "expired", "blocked_creator"]
    assert made["replay"].filters == ()
    assert policy.surfaces["replay"].most_per_creator == 0


MINIMAL = """
name = "x"
version = 1
[value]
click = 1.0
[surfaces.home]
filters = []
"""


@pytest.mark.parametrize(
    ("there", "instead", "named"),
    [
        ('name = "x"', "name = 7", "name"),
        ('name = "x"', 'name = "x\\n"', "name"),
        ("click = 1.0", "click = 'much'", "value"),
        ("filters = []", "filters = ['nonsense']", "filters"),
        ("filters = []", "most_per_creator = 3\nwindow = 2", "window"),
        ("filters", "fliters", "fliters"),
        ("surfaces.home", "surfaces.other", "surfaces.home"),
        ("version = 1", "version = ", "policy.toml"),
    ],
)
def test_a_policy_that_is_not_valid_is_refused_with_the_field(tmp_path, there, instead, named):
    path = tmp_path / "policy.toml"
    path.write_text(MINIMAL)
    assert load_policy(path).id == "x/1"
    path.write_text(MINIMAL.replace(there, instead))
    with pytest.raises(PolicyError, match=named):
        load_policy(path)


def test_a_missing_policy_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"absent\.toml"):
        load_policy(tmp_path / "absent.toml")


def test_the_version_of_the_policy_is_in_its_id():
    policy = msgspec.structs.replace(load_policy(DEFAULT_POLICY), version=12)
    assert policy.id == "timeline/12"


def test_the_value_is_the_weighted_sum_of_the_heads_that_count():
    heads = {"click": np.array([0.5, 0.25], np.float32), "unknown": np.array([9, 9], np.float32)}
    assert ValueModel({"click": 2.0, "like": 5.0}).value(heads).tolist() == [1.0, 0.5]
    with pytest.raises(NoWeightedHead, match="unknown"):
        ValueModel({"like": 1.0}).value({"unknown": heads["unknown"]})


def test_a_breaker_opens_after_failures_in_a_row_lets_one_try_and_closes_by_a_success():
    clock = ManualClock()
    breaker = Breaker(clock, failures=2, rest_ms=100)

    def call(error: Exception | None) -> None:
        with breaker.guard("m"):
            if error:
                raise error

    for _ in range(2):
        with pytest.raises(OSError):
            call(OSError())
    with pytest.raises(CircuitOpen):
        call(None)
    clock.advance(100)
    call(None)
    call(None)


def test_a_breaker_that_tries_in_vain_stays_open_and_another_model_begins_anew():
    clock = ManualClock()
    breaker = Breaker(clock, failures=1, rest_ms=100)
    for _ in range(2):
        with pytest.raises(OSError), breaker.guard("m"):
            raise OSError
        clock.advance(50)
        with pytest.raises(CircuitOpen), breaker.guard("m"):
            pass
        clock.advance(50)
    with breaker.guard("other"):
        pass


def test_recent_items_are_the_newest_alive_and_trending_ones_those_with_weight():
    world = World()
    for n in range(6):
        world.item(f"i{n}", expires_time_ms=NOW_MS if n == 3 else None)
    weights = {"i0": 2.0, "i1": 5.0, "i2": float("nan"), "i4": 0.0}
    counts = lambda ids, now_ms: np.array([weights.get(item, 0.0) for item in ids])  # noqa: E731
    assert recent(world.items, 3)(NOW_MS) == ["i5", "i4", "i2"]
    assert trending(world.items, counts, 10, 100)(NOW_MS) == ["i1", "i0"]
    assert trending(world.items, counts, 1, 100)(NOW_MS) == ["i1"]
    assert trending(World().items, counts, 1, 100)(NOW_MS) == []


def test_lanes_that_are_closed_admit_nobody_and_a_stuck_one_is_noticed():
    clock = ManualClock()
    lanes = Lanes(1, 0, clock)
    seen: list[str | None] = []

    def long() -> None:
        clock.advance(31_000)
        seen.append(lanes.problem())

    lanes.submit(long).result()
    assert seen[0] is not None and "31 s" in seen[0]
    assert lanes.problem() is None
    lanes.close()
    with pytest.raises(Overloaded):
        lanes.submit(long)
    assert lanes.in_flight() == 0
