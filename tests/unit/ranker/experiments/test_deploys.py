"""When a promoted version begins to serve, where deploy times are drawn."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feature_store.clock import ManualClock
from feature_store.deploy_calendar import LEAD_STEPS, DeployCalendar
from feature_store.online.switches import TRAINING, MemorySwitches, Switch
from ranker.experiments.deploys import DeployTimes
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.hold import Hold, Known
from ranker.registry.models import ModelId, ModelMetadata
from ranker.registry.registry import ModelRegistry
from ranker.service.releases import DrawnReleases

CALENDAR = DeployCalendar(16, 1_000)
TIMES = DeployTimes(b"salt", CALENDAR)
PERIOD = 1_000
BEGINS_MS, MOMENT_MS = CALENDAR.begin_ms(PERIOD), TIMES.moment_ms(PERIOD)
COUNTERS = ModelMetadata(
    name="counters",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=(),
    candidate_columns=(),
    id_columns=(),
    heads=("click",),
)


class Deployment:
    """A registry, switches, findings, and rankers that look at them."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(CALENDAR.begin_ms(PERIOD - 9))
        self.registry = ModelRegistry(ModelFolders(folder / "models"), MemoryAliases(), self.clock)
        self.switches = MemorySwitches()
        self.loop: Hold | None = None
        self.looked_ms: int | None = None
        self.registry.register(COUNTERS, {})
        self.ranker = self.another_ranker()

    def another_ranker(self) -> DrawnReleases:
        return DrawnReleases(self.registry, TIMES, self.switches, self.known, self.clock)

    def known(self) -> Known:
        """Of loops, by a look that began now, or at ``looked_ms``."""
        return Known(self.loop, self.clock.now_ms() if self.looked_ms is None else self.looked_ms)

    def promote(self, at_ms: int) -> None:
        """The next version of the learned model, made and promoted at ``at_ms``."""
        self.clock.advance(at_ms - self.clock.now_ms())
        learned = msgspec.structs.replace(COUNTERS, name="learned", created_time_ms=at_ms)
        champion = self.registry.resolve("champion")
        assert champion is not None
        self.registry.promote(self.registry.register(learned, {}).id, expected=champion.id, reason="test")

    def served(self, at_ms: int, ranker: DrawnReleases | None = None) -> str:
        """By a ranker that looks at ``at_ms``."""
        self.clock.advance(at_ms - self.clock.now_ms())
        model = (ranker or self.ranker).champion()
        assert model is not None
        return str(model.id)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.promote(BEGINS_MS - 5 * CALENDAR.period_ms)
    deployment.served(BEGINS_MS - 2 * CALENDAR.period_ms)
    return deployment


def test_moments_are_uniform_and_known_to_whoever_has_the_salt():
    slots = np.array([TIMES.slot(period) for period in range(4_000)])
    expected = 4_000 / CALENDAR.slots
    assert ((np.bincount(slots, minlength=CALENDAR.slots) - expected) ** 2 / expected).sum() < 50
    assert [DeployTimes(b"salt", CALENDAR).slot(n) for n in range(50)] == slots[:50].tolist()
    assert [DeployTimes(b"other", CALENDAR).slot(n) for n in range(50)] != slots[:50].tolist()


def test_a_moment_has_its_before_and_after_within_the_period():
    for period in range(PERIOD, PERIOD + 200):
        moment_ms = TIMES.moment_ms(period)
        around = LEAD_STEPS * CALENDAR.step_ms
        assert CALENDAR.period(moment_ms - around) == CALENDAR.period(moment_ms + around - 1) == period


def test_a_promotion_waits_for_the_moment_of_the_next_period(deployment):
    deployment.promote(BEGINS_MS - 1)
    assert deployment.served(MOMENT_MS - 1) == "learned/1"
    assert str(deployment.ranker.waiting().version) == "2"
    assert deployment.served(MOMENT_MS) == "learned/2"
    assert deployment.ranker.waiting() is None


def test_a_promotion_within_a_period_does_not_hurry_its_moment(deployment):
    deployment.promote(BEGINS_MS + 1)
    assert deployment.served(BEGINS_MS + CALENDAR.period_ms - 1) == "learned/1"
    assert deployment.served(TIMES.moment_ms(PERIOD + 1)) == "learned/2"


def test_of_several_promotions_the_last_before_the_period_is_released(deployment):
    for before_ms in (9, 5):
        deployment.promote(BEGINS_MS - before_ms)
    deployment.promote(BEGINS_MS + 5)
    assert deployment.served(MOMENT_MS) == "learned/3"


def test_a_ranker_that_begins_now_serves_what_the_others_serve(deployment):
    deployment.promote(BEGINS_MS - 1)
    for at_ms in (BEGINS_MS, MOMENT_MS - 1, MOMENT_MS, MOMENT_MS + CALENDAR.period_ms):
        assert deployment.served(at_ms) == deployment.served(at_ms, deployment.another_ranker())


def test_going_back_waits_for_nothing(deployment):
    deployment.promote(BEGINS_MS - 1)
    assert deployment.served(MOMENT_MS) == "learned/2"
    deployment.clock.advance(1)
    deployment.registry.roll_back(reason="bad")
    assert deployment.served(MOMENT_MS + 1) == "learned/1"
    assert deployment.served(MOMENT_MS + 3 * CALENDAR.period_ms) == "learned/1"


def test_a_version_taken_back_while_it_waits_never_serves(deployment):
    deployment.promote(BEGINS_MS - 1)
    deployment.clock.advance(2)
    deployment.registry.roll_back(reason="bad")
    assert deployment.served(MOMENT_MS) == "learned/1"


def test_the_switch_releases_what_waits_and_starting_again_takes_nothing_back(deployment):
    deployment.promote(BEGINS_MS - 1)
    assert deployment.served(BEGINS_MS) == "learned/1"
    deployment.switches.switch_off("deploys", Switch("now", 0))
    assert deployment.served(BEGINS_MS + 1) == "learned/2"
    assert deployment.ranker.drawn(BEGINS_MS + 1) is None
    deployment.switches.switch_on("deploys")
    assert deployment.served(BEGINS_MS + 2) == "learned/2"


def test_requests_log_the_moment_where_a_version_is_due(deployment):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    drawn = deployment.ranker.drawn(BEGINS_MS)
    assert drawn.variant.endswith(f"/{PERIOD}/{TIMES.slot(PERIOD)}")
    assert drawn.propensity == 1 / 16
    deployment.served(BEGINS_MS + CALENDAR.period_ms)
    drawn = deployment.ranker.drawn(BEGINS_MS + CALENDAR.period_ms)
    assert drawn.variant.endswith(f"/{PERIOD + 1}/none")
    assert drawn.propensity == 1.0


def test_whether_a_version_is_due_is_settled_before_the_period(deployment):
    """Nothing that happens within it, before or after the moment, may choose among draws."""
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    before = deployment.ranker.drawn(BEGINS_MS)
    deployment.promote(BEGINS_MS + 10)
    deployment.registry.roll_back(reason="bad")
    deployment.served(MOMENT_MS + 10)
    assert deployment.ranker.drawn(MOMENT_MS + 10) == before


def test_of_a_period_that_no_look_was_taken_in_nothing_is_logged(deployment):
    deployment.served(BEGINS_MS - 1)
    assert deployment.ranker.drawn(BEGINS_MS) is None


def find_loop(deployment: Deployment, at_ms: int) -> None:
    deployment.loop = Hold("held by the open finding loop-1", at_ms)


def stop_training(deployment: Deployment, at_ms: int) -> None:
    deployment.switches.switch_off(TRAINING, Switch("looking", at_ms))


def end_holds(deployment: Deployment) -> None:
    deployment.loop = None
    deployment.switches.switch_on(TRAINING)


HOLDS = pytest.mark.parametrize("hold", [find_loop, stop_training])


@HOLDS
def test_what_was_promoted_before_a_hold_waits_until_it_ends(deployment, hold):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    assert not deployment.ranker.held()
    hold(deployment, BEGINS_MS + 1)
    for at_ms in (MOMENT_MS - 1, MOMENT_MS, MOMENT_MS + 5 * CALENDAR.period_ms):
        assert deployment.served(at_ms) == "learned/1"
        assert deployment.ranker.held()
        assert str(deployment.ranker.waiting().version) == "2"
    end_holds(deployment)
    assert deployment.served(MOMENT_MS + 5 * CALENDAR.period_ms + 1) == "learned/2"
    assert not deployment.ranker.held()


@HOLDS
def test_a_hold_that_ends_before_the_moment_changes_nothing(deployment, hold):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    hold(deployment, BEGINS_MS + 1)
    deployment.served(BEGINS_MS + 1)
    end_holds(deployment)
    assert deployment.served(MOMENT_MS - 1) == "learned/1"
    assert deployment.served(MOMENT_MS) == "learned/2"


@HOLDS
def test_a_hold_takes_nothing_back_and_a_ranker_that_begins_in_it_serves_what_the_others_serve(
    deployment, hold
):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(MOMENT_MS)
    hold(deployment, MOMENT_MS + 1)
    deployment.promote(MOMENT_MS + 2)
    for at_ms in (MOMENT_MS + 3, MOMENT_MS + 3 * CALENDAR.period_ms):
        assert deployment.served(at_ms) == "learned/2"
        assert deployment.served(at_ms, deployment.another_ranker()) == "learned/2"


def test_of_two_holds_the_longer_one_counts(deployment):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    find_loop(deployment, BEGINS_MS + 1)
    stop_training(deployment, MOMENT_MS + 1)
    assert deployment.served(MOMENT_MS + 2, deployment.another_ranker()) == "learned/1"
    assert deployment.served(MOMENT_MS + 2) == "learned/1"
    deployment.loop = None
    assert deployment.served(MOMENT_MS + 3) == "learned/1"


def test_a_moment_comes_once_it_is_known_that_nothing_held_by_then(deployment):
    deployment.promote(BEGINS_MS - 1)
    deployment.looked_ms = MOMENT_MS - 1
    assert deployment.served(MOMENT_MS + 5) == "learned/1"
    deployment.looked_ms = MOMENT_MS
    assert deployment.served(MOMENT_MS + 6) == "learned/2"


def test_what_a_period_logs_is_known_once_it_is_known_whether_it_began_held(deployment):
    deployment.promote(BEGINS_MS - 1)
    deployment.looked_ms = BEGINS_MS - 1
    deployment.served(BEGINS_MS + 1)
    assert deployment.ranker.drawn(BEGINS_MS + 1) is None
    deployment.looked_ms = BEGINS_MS
    deployment.served(BEGINS_MS + 2)
    assert deployment.ranker.drawn(BEGINS_MS + 2).variant.endswith(f"/{PERIOD}/{TIMES.slot(PERIOD)}")


@pytest.mark.parametrize(("logged_ms", "version"), [(MOMENT_MS - 1, "learned/1"), (MOMENT_MS, "learned/2")])
def test_rankers_agree_however_late_they_learn_of_a_hold_and_when_they_began(deployment, logged_ms, version):
    deployment.promote(BEGINS_MS - 1)
    early, late = deployment.ranker, deployment.another_ranker()
    deployment.looked_ms = MOMENT_MS - 2
    assert deployment.served(MOMENT_MS - 1, early) == deployment.served(MOMENT_MS - 1, late) == "learned/1"
    if logged_ms >= MOMENT_MS:
        deployment.looked_ms = MOMENT_MS
        assert deployment.served(MOMENT_MS + 2, early) == version
    deployment.looked_ms = MOMENT_MS + 9
    find_loop(deployment, logged_ms)
    for ranker in (early, late, deployment.another_ranker()):
        assert deployment.served(MOMENT_MS + 10, ranker) == version


@HOLDS
def test_going_back_waits_for_no_hold(deployment, hold):
    deployment.promote(BEGINS_MS - 1)
    deployment.served(MOMENT_MS)
    hold(deployment, MOMENT_MS)
    deployment.clock.advance(1)
    deployment.registry.roll_back(reason="it brought a loop")
    assert deployment.served(MOMENT_MS + 1) == "learned/1"
    deployment.clock.advance(1)
    learned = deployment.registry.champion_id()
    deployment.registry.promote(ModelId("counters", "1"), expected=learned, reason="fall back")
    assert deployment.served(MOMENT_MS + 2) == "counters/1"


@HOLDS
def test_whoever_stops_deploys_releases_what_a_hold_makes_wait(deployment, hold):
    hold(deployment, BEGINS_MS - 5)
    deployment.promote(BEGINS_MS - 1)
    assert deployment.served(MOMENT_MS) == "learned/1"
    deployment.switches.switch_off("deploys", Switch("it was made without the loop", 0))
    assert deployment.served(MOMENT_MS + 1) == "learned/2"


@HOLDS
def test_nothing_is_due_in_a_period_that_begins_held_also_when_the_hold_ends_in_it(deployment, hold):
    hold(deployment, BEGINS_MS - 5)
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    held = deployment.ranker.drawn(BEGINS_MS)
    assert held.variant.endswith(f"/{PERIOD}/none")
    end_holds(deployment)
    deployment.served(BEGINS_MS + 1)
    assert deployment.ranker.drawn(BEGINS_MS + 1) == held


@HOLDS
def test_a_period_goes_on_logging_the_moment_that_a_hold_makes_it_miss(deployment, hold):
    """It was due: D5 counts it as not followed. To log nothing from then on would choose among draws."""
    deployment.promote(BEGINS_MS - 1)
    deployment.served(BEGINS_MS)
    before = deployment.ranker.drawn(BEGINS_MS)
    assert before.variant.endswith(f"/{TIMES.slot(PERIOD)}")
    hold(deployment, BEGINS_MS + 1)
    for at_ms in (BEGINS_MS + 1, MOMENT_MS + 1, BEGINS_MS + CALENDAR.period_ms - 1):
        deployment.served(at_ms)
        assert deployment.ranker.drawn(at_ms) == before
    begun = deployment.another_ranker()
    deployment.served(BEGINS_MS + CALENDAR.period_ms - 1, begun)
    assert begun.drawn(BEGINS_MS + CALENDAR.period_ms - 1) == before
    end_holds(deployment)
    deployment.served(BEGINS_MS + CALENDAR.period_ms - 1)
    assert deployment.ranker.drawn(BEGINS_MS + CALENDAR.period_ms - 1) == before
