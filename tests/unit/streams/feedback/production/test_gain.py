"""The long-run gain of a loop as production says it: with its bounds, within its memory, across restarts."""

import numpy as np
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from feature_store.schema.panel import PanelHeader, PanelRows
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.score_watch import Allowed, ScoreWatch
from streams.processors.start import CannotStart
from tests.unit.streams.feedback.exposure_log import MODEL
from tests.unit.streams.feedback.production.detectors_in_memory import GRACE_MS, DeadlyStore, Detectors, Logs
from tests.unit.streams.feedback.production.loop_log import LoopWorld

LAGS = 6
WORLD = LoopWorld(gain=0.5, epochs=30)
IN_THE_END = sum(0.5 * 0.5**lag for lag in range(LAGS))
"""Half of a nudge arrives in the next epoch, and half of what has arrived is forgotten in each."""


def detected(epochs_at_once: int | None = None, restarts: bool = False):
    logs, store = Logs(WORLD.partitions), DeadlyStore()
    for topic, partition, stamp_ms, payload in WORLD.messages():
        logs.append(topic, partition, stamp_ms, payload)
    detectors = Detectors(logs, store, WORLD.epoch_ms, detect_gain_lags=LAGS)
    step = epochs_at_once or WORLD.epochs
    for epoch in range(step, WORLD.epochs + 1, step):
        if restarts:
            detectors = Detectors(logs, store, WORLD.epoch_ms, detect_gain_lags=LAGS)
        detectors.read((WORLD.first_epoch + epoch) * WORLD.epoch_ms + GRACE_MS)
    return detectors, logs, store


def test_the_gain_is_said_once_it_is_certain_and_holds_the_truth():
    detectors, logs, _ = detected()
    *_, early, late = logs.findings
    assert (early.verdict, late.verdict) == ("loop_detected", "loop_detected")
    assert early.gain.lower is None or early.gain.lower <= 0
    assert late.gain.lower > 0
    bounds = [
        detectors.value("eddyline_loop_gain", subject="timeline_ranker", detector="board", bound=bound)
        for bound in ("lower", "value", "upper")
    ]
    assert bounds[0] < IN_THE_END < bounds[2]
    assert bounds[1] == pytest.approx(IN_THE_END, rel=0.15)
    assert len({finding.finding_id for finding in logs.findings}) == 1


def test_a_restart_after_each_epoch_changes_no_bit_of_it():
    (whole, _, _), (pieces, _, _) = detected(), detected(1, restarts=True)
    expected, found = whole.watches.state(), pieces.watches.state()
    assert found[0] == expected[0]
    assert {name: array.tobytes() for name, array in found[1].items()} == {
        name: array.tobytes() for name, array in expected[1].items()
    }


def test_other_lags_than_those_of_the_state_are_refused():
    _, logs, store = detected()
    with pytest.raises(CannotStart, match="gain_lags: 6 when it began, now 12"):
        Detectors(logs, store, WORLD.epoch_ms, detect_gain_lags=12)


def test_an_item_takes_no_more_memory_than_the_setting_says():
    items, features = 2_000, tuple(f"item.feature_{n}" for n in range(50))
    allowed = Allowed(0.01, 0.05, 0.2, 0.1, gain_lags=20)
    watch = ScoreWatch(10_000, allowed, AlarmBudget(), LoopMetrics(CollectorRegistry()))
    rng = np.random.default_rng(1)
    for epoch in range(2):
        header = PanelHeader(epoch, 10_000, MODEL, features, items, 1)
        ids = pa.array([f"item-{n:032}" for n in range(items)])
        contributions = rng.normal(size=(items, len(features)))
        watch.close(epoch, [PanelRows(header, ids, rng.normal(size=items), contributions, np.ones(items))], 0)
    _, arrays = watch.state()
    assert sum(array.nbytes for array in arrays.values()) / items < 6_000
