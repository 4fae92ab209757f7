"""The detectors over topics: they find what is there, and no death changes a bit of their evidence."""

import numpy as np
import pytest

from feature_store.schema.batches import write_record_batch
from feature_store.schema.exposures import decode_exposures
from feature_store.schema.findings import Acknowledgement, encode_record
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from streams.apps.detectors_settings import DetectorSettings
from streams.feedback.production.checkpoint import LoopStore
from streams.processors.start import CannotStart
from tests.unit.streams.feedback.exposure_log import scored
from tests.unit.streams.feedback.production.detectors_in_memory import (
    GRACE_MS,
    SETTINGS,
    UNCOUNTABLE,
    Deadly,
    DeadlyStore,
    Detectors,
    Logs,
    bits,
    detected,
    end_ms,
    lives,
    logs_of,
    rewritten,
)
from tests.unit.streams.feedback.production.loop_log import LoopWorld

LOOPED = LoopWorld(gain=0.5)
SHORT = LoopWorld(gain=0.5, epochs=14)


def test_a_strong_loop_is_found_once_as_a_warning_and_once_as_a_loop_with_its_feature():
    detectors, logs = detected(LOOPED)
    assert [finding.verdict for finding in logs.findings] in (["warning", "loop_detected"], ["loop_detected"])
    finding = logs.findings[-1]
    assert len({each.finding_id for each in logs.findings}) == 1
    assert finding.subject == "timeline_ranker"
    assert finding.evidence["found_by"] == "feature_path"
    assert finding.evidence["value"] == "item.click_count_total"
    assert finding.evidence["lag_epochs"] == 1
    assert finding.statistic >= finding.threshold
    assert finding.beta.lower > 0.01
    labels = {"subject": "timeline_ranker", "verdict": "loop_detected"}
    assert detectors.value("eddyline_loop_verdict", detector="board", experiment="nudges", **labels) == 1
    assert detectors.value("eddyline_loop_findings_open", verdict="loop_detected", acknowledged="false") == 1


@pytest.mark.parametrize(("gain", "lag"), [(0.5, 2), (0.5, 3), (0.5, 10), (-0.5, 1), (-0.5, 3)])
def test_a_loop_that_answers_later_or_pushes_back_is_found_with_its_lag(gain, lag):
    finding = detected(LoopWorld(gain=gain, lag=lag))[1].findings[-1]
    assert (finding.verdict, finding.evidence["lag_epochs"]) == ("loop_detected", lag)
    named = {finding.evidence["value"], *(each["value"] for each in finding.evidence["others"].values())}
    assert "item.click_count_total" in named
    assert abs(finding.beta.value / gain - 1) < 0.2


@pytest.mark.parametrize(
    ("declared", "found"),
    [((0.01, None), True), ((0.7, None), False), ((0.7, 0.0), False), ((0.0, 0.7), True)],
)
def test_what_the_lineage_allows_a_feature_is_no_loop(declared, found):
    world = LoopWorld(gain=0.3, epochs=30, declared=declared)
    named = {
        each["value"]
        for finding in detected(world, detect_allowed_total_gain=0.7)[1].findings
        for each in (finding.evidence, *finding.evidence["others"].values())
    }
    assert ("item.click_count_total" in named) is found


def test_small_answers_that_stay_are_found_by_what_they_come_to():
    stays = LoopWorld(gain=0.009, noise=0.0005, memory=0.99, items=240, epochs=160)
    finding = detected(stays, detect_gain_lags=20)[1].findings[-1]
    assert finding.beta.upper < 0.01
    assert finding.gain.value > 0.1
    fades = LoopWorld(gain=0.009, noise=0.0005, memory=0.5, items=240, epochs=60)
    assert detected(fades, detect_gain_lags=20)[1].findings == []


def test_a_rate_that_falls_where_more_is_shown_is_allowed():
    assert detected(LoopWorld(gain=-0.09))[1].findings == []


def test_without_a_loop_nothing_is_found():
    detectors, logs = detected(LoopWorld(gain=0.0))
    assert logs.findings == []
    labels = {"subject": "timeline_ranker", "verdict": "quiet"}
    assert detectors.value("eddyline_loop_verdict", detector="board", experiment="nudges", **labels) == 1


def test_a_small_gain_is_allowed_and_a_leak_into_an_attribute_is_found():
    assert detected(LoopWorld(gain=0.008, noise=0.002))[1].findings == []
    finding = detected(LoopWorld(gain=0.1, feature="attribute.popularity"))[1].findings[-1]
    assert (finding.verdict, finding.evidence["value"]) == ("loop_detected", "attribute.popularity")


def test_without_nudges_the_detectors_say_that_they_are_blind():
    detectors, logs = detected(LoopWorld(gain=0.5, delta=0.0))
    assert logs.findings == []
    labels = {"subject": "timeline_ranker", "verdict": "blind"}
    assert detectors.value("eddyline_loop_verdict", detector="board", experiment="nudges", **labels) == 1


@pytest.mark.parametrize("changed", UNCOUNTABLE.values(), ids=UNCOUNTABLE)
def test_where_no_exposure_can_be_counted_the_detectors_are_blind_and_not_quiet(changed):
    detectors, logs = detected(LOOPED, rewritten(LOOPED, changed))
    assert logs.findings == []
    labels = {"subject": "timeline_ranker", "verdict": "blind"}
    assert detectors.value("eddyline_loop_verdict", detector="board", experiment="nudges", **labels) == 1


def test_the_budget_is_shared_by_as_many_detectors_as_there_are():
    detectors, _ = detected(SHORT)
    judged = {
        sample.labels["detector"]
        for metric in detectors.registry.collect()
        if metric.name == "eddyline_loop_verdict"
        for sample in metric.samples
    }
    assert len(judged) == DetectorSettings(**SETTINGS).budget.streams


def test_killed_anywhere_and_started_again_the_evidence_is_the_same_bit_for_bit():
    calm, expected = detected(SHORT)
    steps = Deadly()
    lives(SHORT, steps, stride=3)
    for at in range(1, steps.done + 1, 7):
        survivor, logs = lives(SHORT, Deadly(at), stride=3)
        assert bits(survivor) == bits(calm), f"killed at step {at}"
        assert unique(logs) == unique(expected)


def unique(logs):
    return {(finding.finding_id, finding.verdict): finding for finding in logs.findings}


def test_the_order_in_which_partitions_are_read_changes_nothing():
    calm, _ = detected(SHORT)
    logs = logs_of(SHORT)
    reversed_logs = Logs(SHORT.partitions)
    for place in reversed(list(logs.messages)):
        reversed_logs.messages.pop(place)
        reversed_logs.messages[place] = logs.messages[place]
    late, _ = detected(SHORT, reversed_logs)
    assert bits(late)[1] == bits(calm)[1]


def test_a_brokers_clock_that_jumps_for_a_while_hides_no_more_than_what_it_stamped():
    """A day ahead for some messages of one partition: those after them are not held back until then."""
    calm, logs = detected(SHORT)
    place, jumped = (EXPOSURES, 1), range(4, 6)
    hidden = sum(len(decode_exposures(logs.messages[place][number][1])) for number in jumped)
    for number in jumped:
        stamp_ms, payload = logs.messages[place][number]
        logs.messages[place][number] = stamp_ms + 86_400_000, payload
    detectors = Detectors(logs, DeadlyStore(), SHORT.epoch_ms)
    for each, log in logs.messages.items():
        for offset, (stamp_ms, payload) in enumerate(log):
            detectors.epochs.cut.take(each, offset, stamp_ms, payload)
    detectors.read(end_ms(SHORT))
    assert used(calm) - hidden <= used(detectors) <= used(calm)


def test_a_successor_judges_stamps_as_the_one_before_did():
    logs, store = logs_of(SHORT), DeadlyStore()
    place, log = (EXPOSURES, 0), logs.messages[EXPOSURES, 0]
    first = Detectors(logs, store, SHORT.epoch_ms)
    first.read(log[3][0] - 1)
    log[3] = log[3][0] + 86_400_000, log[3][1]
    assert [first.epochs.cut.take(place, number, *log[number])["ahead"] for number in (3, 4)] == [0, 1]
    for each in logs.messages:
        first.epochs.cut.quiet(each, log[4][0] - 1)
    assert first.epochs.close_due(logs)
    successor = Detectors(logs, store, SHORT.epoch_ms)
    for number in (3, 4):
        successor.epochs.cut.take(place, number, *log[number])
    judged = successor.epochs.cut.judged()[place]
    assert judged == first.epochs.cut.judged()[place]
    assert judged.put_back == {3: log[4][0]}


def used(detectors):
    """Exposures that said something about scores."""
    return detectors.value("eddyline_loop_exposures_total", watch="scores", outcome="used")


def test_the_first_epoch_waits_for_what_other_logs_hold():
    """A log that begins later and is read first must not decide where the evidence begins."""
    place, begins_ms = (EXPOSURES, 1), (SHORT.first_epoch + 5) * SHORT.epoch_ms

    def shortened():
        return logs_of(SHORT, lambda topic, partition, ms, _: (topic, partition) != place or ms > begins_ms)

    calm, logs = detected(SHORT, shortened())[0], shortened()
    hasty = Detectors(logs, DeadlyStore(), SHORT.epoch_ms)
    for offset, (stamp_ms, payload) in enumerate(logs.messages[place]):
        hasty.epochs.cut.take(place, offset, stamp_ms, payload)
    assert hasty.epochs.close_due(logs) == 0
    hasty.read(end_ms(SHORT))
    assert bits(hasty) == bits(calm)


def test_a_panel_that_is_missing_is_a_gap_and_no_evidence():
    world = LOOPED
    missing = (world.first_epoch + 20) * world.epoch_ms + 100
    detectors, logs = detected(
        world, logs_of(world, lambda topic, _, stamp_ms, __: (topic, stamp_ms) != (SCORE_PANEL, missing))
    )
    used = {"watch": "scores", "outcome": "used"}
    assert detectors.value("eddyline_loop_epochs_total", **used) == world.epochs - 1
    assert logs.findings


def test_half_a_panel_is_refused():
    detectors, logs = detected(
        SHORT, logs_of(SHORT, lambda topic, partition, *_: (topic, partition) != (SCORE_PANEL, 1))
    )
    refused = {"watch": "scores", "outcome": "panel_incomplete"}
    assert detectors.value("eddyline_loop_epochs_total", **refused) == SHORT.epochs
    assert logs.findings == []


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("revision", {"status": ["late"] * 2}),
        ("unknown_model", {"model": "somebody_else:1"}),
        ("late", {"served_time_ms": 0}),
        ("ahead", {"served_time_ms": 2**60}),
    ],
)
def test_exposures_that_say_nothing_are_counted_by_reason(outcome, message):
    world, logs = SHORT, logs_of(SHORT)
    told = {"served_time_ms": (world.first_epoch + 5) * world.epoch_ms} | message
    odd = scored(["i1", "i2"], raw=np.zeros(2), nudge=np.zeros(2), clicked=[True, False], **told)
    at_ms = (world.first_epoch + 6) * world.epoch_ms + 500
    place = next(n for n, (stamp_ms, _) in enumerate(logs.messages[EXPOSURES, 0]) if stamp_ms > at_ms)
    logs.messages[EXPOSURES, 0].insert(place, (at_ms, write_record_batch(odd)))
    detectors, _ = detected(world, logs)
    assert detectors.value("eddyline_loop_exposures_total", watch="scores", outcome=outcome) == 2


def test_labels_are_counted_once_by_who_put_them_where_they_were_seen():
    world, logs = SHORT, logs_of(SHORT)
    at_ms = (world.first_epoch + 6) * world.epoch_ms + 500
    place = next(n for n, (stamp_ms, _) in enumerate(logs.messages[EXPOSURES, 0]) if stamp_ms > at_ms)
    explores = [{"experiment": "exploration", "variant": "slot_1", "propensity": 0.1}]
    odd = scored(
        [f"i{n}" for n in range(5)],
        raw=np.zeros(5),
        nudge=np.zeros(5),
        clicked=[False] * 5,
        served_time_ms=at_ms - 1000,
        status=["on_time"] * 4 + ["late"],
        position=[0, 1, 2, 3, 0],
        position_seen=[0, 1, 2, None, 0],
        assignments=[explores] * 5,
    )
    logs.messages[EXPOSURES, 0].insert(place, (at_ms, write_record_batch(odd)))
    detectors, _ = detected(world, logs)
    assert detectors.value("eddyline_loop_labels_total", caused_by="timeline_ranker") == 2
    assert detectors.value("eddyline_loop_labels_total", caused_by="exploration") == 1


def test_a_finding_that_is_closed_lets_the_detectors_begin_anew_and_find_it_again():
    world, logs = LoopWorld(gain=0.5, epochs=60), logs_of(LoopWorld(gain=0.5, epochs=60))
    detectors = Detectors(logs, DeadlyStore(), world.epoch_ms)
    half_ms = (world.first_epoch + 30) * world.epoch_ms
    detectors.read(half_ms)
    (found,) = {finding.finding_id for finding in logs.findings}
    said = Acknowledgement(
        finding_id=found, subject="timeline_ranker", by="ana", note="mended", closes=True, time_ms=half_ms
    )
    logs.append(FINDINGS, 0, half_ms + 1, encode_record(said))
    detectors.read(end_ms(world))
    assert len({finding.finding_id for finding in logs.findings}) == 2


def test_what_is_no_finding_is_counted_and_left_out():
    logs = logs_of(SHORT)
    logs.append(FINDINGS, 0, SHORT.first_epoch * SHORT.epoch_ms, b"{}")
    detectors, _ = detected(SHORT, logs)
    assert detectors.value("eddyline_loop_records_refused_total") == 1


def test_a_log_that_lost_what_comes_next_is_refused_with_what_to_do():
    store, logs = DeadlyStore(), logs_of(SHORT)
    Detectors(logs, store, SHORT.epoch_ms).read(end_ms(SHORT))
    with pytest.raises(CannotStart, match="EDDYLINE_DETECT_START_ANEW"):
        Detectors(Logs(SHORT.partitions), store, SHORT.epoch_ms)


def test_a_state_of_other_detectors_is_refused_with_what_to_do():
    store, logs = DeadlyStore(), logs_of(SHORT)
    Detectors(logs, store, SHORT.epoch_ms).read((SHORT.first_epoch + 3) * SHORT.epoch_ms + GRACE_MS)
    checkpoint, arrays = LoopStore(store).peek()
    owner = LoopStore(store)
    owner.take_over()
    owner.write(
        checkpoint.next_epoch, SHORT.epoch_ms, checkpoint.positions, b'{"watches":{},"known":{}}', arrays
    )
    with pytest.raises(CannotStart, match=r"'scores'.*EDDYLINE_DETECT_START_ANEW"):
        Detectors(logs, store, SHORT.epoch_ms)
