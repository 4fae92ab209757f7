"""D4 over topics: growth against the holdout, and every way in which a holdout cannot carry it."""

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from streams.feedback.base import VerdictKind
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.production.arms_watch import FROZEN, NO_HOLDOUT, SEVERAL_MODELS, ArmsWatch
from streams.feedback.production.metrics import LoopMetrics
from tests.unit.streams.feedback.exposure_log import exposures
from tests.unit.streams.feedback.production.arms_log import ArmsLog

HALF, EPOCHS = 6, 60


class Life:
    """A watch, its findings and what it shows of itself."""

    def __init__(self):
        self.registry = CollectorRegistry()
        self.watch = ArmsWatch(1000, AlarmBudget(), LoopMetrics(self.registry), half=HALF)
        self.findings = []

    def live(self, log, epochs):
        for epoch in epochs:
            self.watch.expose(ExposureRows(log.batch(epoch)))
            self.findings += self.watch.close(epoch, [], epoch)
        return self

    def now(self):
        labels = {"subject": "exposures", "detector": "D4", "experiment": "holdout"}
        values = {
            k: self.registry.get_sample_value("eddyline_loop_verdict", {**labels, "verdict": k})
            for k in VerdictKind
        }
        (kind,) = [k for k, value in values.items() if value == 1]
        reasons = [f for f in self.registry.collect() if f.name == "eddyline_loop_blind_reason"]
        return kind, [sample.labels["reason"] for family in reasons for sample in family.samples]


def test_growth_above_the_holdouts_is_reported_and_never_pages():
    life = Life().live(ArmsLog(growth=0.2, out=300, seed=0), range(EPOCHS))
    assert [finding.verdict for finding in life.findings] == ["warning"]
    assert (life.findings[0].detector, life.findings[0].subject) == ("D4", "exposures")


@pytest.mark.parametrize("seed", range(2))
def test_what_both_arms_do_is_no_loop(seed):
    life = Life().live(ArmsLog(drift=0.08, seed=seed), range(EPOCHS))
    assert life.findings == []
    assert life.now() == (VerdictKind.QUIET, [])


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (ArmsLog(growth=0.06, out=99), NO_HOLDOUT),
        (ArmsLog(growth=0.06, production=lambda epoch: f"ranker:{2 + epoch // 3}"), FROZEN),
    ],
)
def test_a_holdout_that_cannot_carry_it_makes_it_blind(log, reason):
    """The second is the trap of a frozen control: production learns, and drifts away from it."""
    life = Life().live(log, range(30))
    assert life.findings == []
    assert life.now() == (VerdictKind.BLIND, [reason])


def test_a_holdout_whose_model_is_gone_makes_it_blind():
    class Mixed(ArmsLog):
        def batch(self, epoch):
            rows = super().batch(epoch)
            models = rows.column("model_version").to_pylist()
            models[-60:] = ["counters:1"] * 60
            place = rows.schema.get_field_index("model_version")
            return rows.set_column(place, rows.schema.field(place), _texts(models, rows, place))

    assert Life().live(Mixed(), range(5)).now() == (VerdictKind.BLIND, [SEVERAL_MODELS])


def _texts(models, rows, place):
    return pa.array(models, rows.schema.field(place).type)


def test_after_a_new_model_it_sees_again_once_a_pair_is_complete():
    log = ArmsLog(production=lambda epoch: "ranker:2" if epoch < 20 else "ranker:3")
    life = Life().live(log, range(20 + HALF))
    assert life.now()[0] is VerdictKind.BLIND
    assert life.live(log, range(20 + HALF, 21 + HALF)).now() == (VerdictKind.QUIET, [])


def test_models_that_change_together_are_no_frozen_holdout():
    log = ArmsLog(production=lambda epoch: f"r:{epoch // 20}", holdout=lambda epoch: f"h:{epoch // 20}")
    assert Life().live(log, range(30)).now() == (VerdictKind.QUIET, [])


def test_a_restart_in_any_epoch_changes_no_bit():
    log = ArmsLog(growth=0.06, production=lambda epoch: "ranker:2" if epoch < 9 else "ranker:3")
    whole, life = Life().live(log, range(20)), Life()
    for epoch in range(20):
        successor = Life()
        successor.watch.restore(*life.watch.state())
        life = successor.live(log, [epoch])
    assert life.watch.state()[0] == whole.watch.state()[0]
    expected, found = whole.watch.state()[1], life.watch.state()[1]
    assert all(found[name].tobytes() == value.tobytes() for name, value in expected.items())


def test_the_order_of_messages_changes_nothing():
    log, one, other = ArmsLog(growth=0.06), Life(), Life()
    for epoch in range(15):
        rows = log.batch(epoch)
        halves = [rows.slice(0, 700), rows.slice(700)]
        for life, parts in ((one, halves), (other, halves[::-1])):
            for part in parts:
                life.watch.expose(ExposureRows(part))
            life.watch.close(epoch, [], epoch)
    expected, found = one.watch.state()[1], other.watch.state()[1]
    assert all(found[name].tobytes() == value.tobytes() for name, value in expected.items())


def test_rows_of_no_arm_are_counted_by_reason():
    life = Life()
    rows = exposures(3, served_time_ms=[None, 1, 1], status=["on_time", "late", "on_time"])
    life.watch.expose(ExposureRows(rows))
    for outcome in ("not_ranked", "revision", "not_drawn"):
        labels = {"watch": "arms", "outcome": outcome}
        assert life.registry.get_sample_value("eddyline_loop_exposures_total", labels) == 1
