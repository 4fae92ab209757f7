"""D5 over topics: an echo of deploys at drawn moments, and every way in which they cannot carry it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from feature_store.deploy_calendar import DeployCalendar
from streams.feedback.base import VerdictKind
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.deploy_watch import NO_KPI, NOT_DRAWN, OTHER_CALENDAR, DeployWatch
from streams.feedback.production.metrics import LoopMetrics
from tests.unit.streams.feedback.deployed_log import CALENDAR, EPOCH_MS, DeployedLog
from tests.unit.streams.feedback.exposure_log import exposures

GRACE_MS = 15_000


class Life:
    """A watch, its findings and what it shows of itself."""

    def __init__(self, calendar=CALENDAR):
        self.registry = CollectorRegistry()
        self.watch = DeployWatch(calendar, EPOCH_MS, AlarmBudget(), LoopMetrics(self.registry))
        self.findings = []

    def take(self, epoch, *batches):
        for rows in batches:
            self.watch.expose(ExposureRows(rows))
        self.findings += self.watch.close(epoch, [], (epoch + 1) * EPOCH_MS + GRACE_MS)
        return self

    def live(self, log, periods):
        for epoch, rows in log.batches(periods):
            self.take(epoch, rows)
        return self

    def now(self):
        labels = {"subject": "exposures", "detector": "D5", "experiment": "deploys"}
        (kind,) = [
            kind
            for kind in VerdictKind
            if self.registry.get_sample_value("eddyline_loop_verdict", {**labels, "verdict": kind})
        ]
        reasons = [f for f in self.registry.collect() if f.name == "eddyline_loop_blind_reason"]
        return kind, [sample.labels["reason"] for family in reasons for sample in family.samples]

    @property
    def bits(self):
        header, arrays = self.watch.state()
        return header, {name: value.tobytes() for name, value in arrays.items()}

    def counted(self, name):
        return int(self.watch.state()[1][f"detector/{name}"].sum())


def test_an_echo_of_deploys_is_found_with_its_size():
    life = Life().live(DeployedLog(echo=0.25), 30)
    assert [finding.verdict for finding in life.findings] == ["warning", "loop_detected"]
    found = life.findings[-1]
    assert (found.detector, found.subject) == ("D5", "exposures")
    labels = {"subject": "exposures", "detector": "D5"}
    lower, value = (
        life.registry.get_sample_value("eddyline_loop_beta", {**labels, "bound": bound})
        for bound in ("lower", "value")
    )
    assert 0 < lower < value < 0.25
    assert found.evidence["last_deployed"].startswith("timeline_ranker:")
    assert found.evidence["not_followed"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_deploys_that_move_nothing_are_no_echo(seed):
    life = Life().live(DeployedLog(seed=seed), 30)
    assert life.findings == []
    assert life.now() == (VerdictKind.QUIET, [])


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_kpi_that_never_moves_is_quiet(rate):
    """Nobody ever clicks, or everybody always does: all moments are equal, and ties are broken by chance."""
    life = Life().live(DeployedLog(rate=rate, season=0.0), 40)
    assert life.findings == []
    assert life.now() == (VerdictKind.QUIET, [])
    assert life.counted("slots_seen") == 40


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_kpi_that_never_moves_is_blind_where_too_little_is_explored(rate):
    life = Life().live(DeployedLog(rate=rate, season=0.0, rows=36), 10)
    assert life.findings == []
    assert life.now() == (VerdictKind.BLIND, [NO_KPI])


def test_periods_in_which_nothing_is_due_say_nothing():
    life = Life().live(DeployedLog(echo=0.25, due=lambda period: period % 3 == 0), 12)
    assert life.counted("slots_seen") == 4
    assert life.now() == (VerdictKind.WARMING_UP, [])


def test_a_deploy_at_another_time_has_the_worst_rank():
    """Somebody who sees the KPI rise and deploys then would find an echo; one who skips bad draws, too."""
    early = Life().live(DeployedLog(echo=0.25, moment_ms=CALENDAR.begin_ms), 12)
    never = Life().live(DeployedLog(echo=0.25, moment_ms=lambda period: CALENDAR.begin_ms(period + 1)), 12)
    for life in (early, never):
        assert life.counted("not_followed") == life.counted("slots_seen") == 12
        assert life.findings == []
        assert (life.watch.state()[1]["detector/log_capital"] < 0).all()


@pytest.mark.parametrize(
    ("log", "calendar", "reason"),
    [
        (DeployedLog(drawn=False), CALENDAR, NOT_DRAWN),
        (DeployedLog(), DeployCalendar(16, CALENDAR.step_ms), OTHER_CALENDAR),
        (DeployedLog(), DeployCalendar(0, CALENDAR.step_ms), OTHER_CALENDAR),
        (DeployedLog(rows=36), CALENDAR, NO_KPI),
    ],
)
def test_what_cannot_carry_it_makes_it_blind(log, calendar, reason):
    life = Life(calendar).live(log, 3)
    assert life.now() == (VerdictKind.BLIND, [reason])
    assert life.counted("slots_seen") == 0


def test_without_exploration_it_is_blind_at_once():
    life = Life()
    life.take(DeployedLog().first_epoch)
    assert life.now() == (VerdictKind.BLIND, [NO_KPI])


def test_it_sees_again_once_a_period_was_drawn():
    log, life = DeployedLog(), Life()
    life.live(replace(log, drawn=False), 2)
    assert life.now()[0] is VerdictKind.BLIND
    for epoch, rows in replace(log, first_period=log.first_period + 3).batches(1):
        life.take(epoch, rows)
    assert life.now() == (VerdictKind.WARMING_UP, [])


def test_a_restart_in_any_epoch_changes_no_bit():
    log = DeployedLog(echo=0.1)
    whole, life = Life(), Life()
    for epoch, rows in log.batches(4):
        whole.take(epoch, rows)
        successor = Life()
        successor.watch.restore(*life.watch.state())
        life = successor.take(epoch, rows)
    assert life.bits == whole.bits


def test_another_calendar_cannot_go_on():
    state = Life().live(DeployedLog(), 1).watch.state()
    with pytest.raises(ValueError, match="deploy calendar"):
        Life(DeployCalendar(16, 10_000)).watch.restore(*state)


def test_the_order_of_messages_changes_nothing():
    one, other = Life(), Life()
    for epoch, rows in DeployedLog(echo=0.1).batches(3):
        halves = [rows.slice(0, 100), rows.slice(100)]
        one.take(epoch, *halves)
        other.take(epoch, *halves[::-1])
    assert one.counted("slots_seen") == other.counted("slots_seen") == 3
    evidence = [life.watch.state()[1]["detector/log_capital"].tobytes() for life in (one, other)]
    assert evidence[0] == evidence[1]


def test_what_comes_too_late_or_from_the_future_is_counted_and_left_out():
    """Clocks that jump open no period: what is remembered stays bounded."""
    log, life = DeployedLog(), Life()
    epoch = log.first_epoch + 20
    row = {"assignments": [[{"experiment": "exploration", "variant": "none", "propensity": 0.5}]]}
    times = (0, epoch * EPOCH_MS, (epoch + 1_000) * EPOCH_MS)
    life.take(epoch, *(exposures(1, position=[0], served_time_ms=[time_ms], **row) for time_ms in times))
    for outcome in ("late", "ahead", "used"):
        labels = {"watch": "deploys", "outcome": outcome}
        assert life.registry.get_sample_value("eddyline_loop_exposures_total", labels) == 1
    assert len(life.bits[1]) == 8 + 5


def test_rows_that_drew_nothing_are_counted_by_reason():
    life = Life()
    rows = exposures(3, served_time_ms=[None, 1, 1], status=["on_time", "late", "on_time"])
    life.watch.expose(ExposureRows(rows))
    for outcome in ("not_ranked", "revision", "not_drawn"):
        labels = {"watch": "deploys", "outcome": outcome}
        assert life.registry.get_sample_value("eddyline_loop_exposures_total", labels) == 1


def test_versions_beyond_those_told_apart_are_no_deploy():
    log, life = DeployedLog(), Life()
    for epoch, rows in log.batches(1):
        place = rows.schema.get_field_index("model_version")
        names = [f"m:{number % 40}" for number in range(len(rows))]
        life.take(epoch, rows.set_column(place, rows.schema.field(place), _texts(names, rows, place)))
    assert life.counted("not_followed") == 1


def _texts(names, rows, place):
    return pa.array(names, rows.schema.field(place).type)


def test_closing_its_finding_begins_anew():
    life = Life().live(DeployedLog(echo=0.25), 30)
    life.watch.settle(life.findings[0].finding_id, 7)
    assert life.counted("slots_seen") == 0
    assert np.isclose(life.watch.state()[1]["detector/log_capital"], 0).all()
