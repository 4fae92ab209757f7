"""What is open: who has it, when it is written again, and that what is over stays over."""

from msgspec import structs
from prometheus_client import CollectorRegistry

from feature_store.schema.findings import Acknowledgement, Finding, decode_record, encode_record, fold_all
from feature_store.schema.topics import FINDINGS, FINDINGS_AGAIN_MS
from streams.feedback.production.dated_log import LogMessage
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.watches import REMEMBERED, Watches
from tests.unit.streams.feedback.production.detectors_in_memory import (
    GRACE_MS,
    DeadlyStore,
    Detectors,
    end_ms,
    logs_of,
)
from tests.unit.streams.feedback.production.loop_log import LoopWorld

RISING = LoopWorld(gain=0.1, noise=0.2)
WARNED_AFTER, FOUND_AFTER = 30, 38
"""Epochs of `RISING` after which there is a warning, and after which it is a loop."""

EPOCHS_OF_A_DAY = FINDINGS_AGAIN_MS // RISING.epoch_ms
OVERNIGHT = LoopWorld(gain=0.5, epochs=14, first_epoch=19_676 * EPOCHS_OF_A_DAY - 10)
"""A loop is found in the evening, and the day ends before the world does."""
EVENING, MORNING = 8, 10
"""Epochs of `OVERNIGHT` before and after the end of the day, by the time of their cuts."""


def after_ms(world, epochs):
    """When so many epochs of a world have been closed."""
    return (world.first_epoch + epochs) * world.epoch_ms + GRACE_MS


def watching(world, epochs):
    """Detectors that closed the first ``epochs`` of a world, and the logs."""
    logs = logs_of(world)
    detectors = Detectors(logs, DeadlyStore(), world.epoch_ms)
    detectors.read(after_ms(world, epochs))
    return detectors, logs


def said(finding, *, closes=False):
    return Acknowledgement(
        finding_id=finding.finding_id,
        subject=finding.subject,
        by="ana",
        note="looking",
        closes=closes,
        verdict=finding.verdict,
        time_ms=finding.updated_time_ms,
    )


def shown(detectors, verdict):
    """Open findings: those that nobody has, those that somebody has."""
    counts = (
        detectors.value("eddyline_loop_findings_open", verdict=verdict, acknowledged=acknowledged)
        for acknowledged in ("false", "true")
    )
    return tuple(counts)


def told(logs):
    """What whoever reads the log knows, by finding."""
    return fold_all((stamp_ms, decode_record(payload)) for stamp_ms, payload in logs.messages[FINDINGS, 0])


def test_a_loop_that_was_a_warning_somebody_had_is_one_that_nobody_has():
    detectors, logs = watching(RISING, WARNED_AFTER)
    (warning,) = logs.findings
    logs.append(FINDINGS, 0, after_ms(RISING, WARNED_AFTER), encode_record(said(warning)))
    detectors.read(after_ms(RISING, WARNED_AFTER + 1))
    assert shown(detectors, "warning") == (0, 1)
    detectors.read(end_ms(RISING))
    assert shown(detectors, "warning") == (0, 0)
    assert shown(detectors, "loop_detected") == (1, 0)


def test_what_was_said_of_a_warning_and_read_after_it_became_a_loop_is_not_said_of_the_loop():
    detectors, logs = watching(RISING, FOUND_AFTER)
    warning, _ = logs.findings
    logs.messages[FINDINGS, 0].insert(1, (after_ms(RISING, FOUND_AFTER), encode_record(said(warning))))
    detectors.read(end_ms(RISING))
    assert shown(detectors, "loop_detected") == (1, 0)


def test_what_is_open_is_written_again_each_day_with_what_was_said_of_it():
    detectors, logs = watching(OVERNIGHT, EVENING)
    (found,) = logs.findings
    logs.append(FINDINGS, 0, after_ms(OVERNIGHT, EVENING), encode_record(said(found)))
    before, before_count = told(logs), len(logs.messages[FINDINGS, 0])
    detectors.read(end_ms(OVERNIGHT))
    del logs.messages[FINDINGS, 0][:before_count]
    (state,) = told(logs).values()
    assert state.detected_ms == found.updated_time_ms
    assert state.acknowledgement == before[found.finding_id].acknowledgement
    assert structs.replace(state.finding, detected_time_ms=0) == found


def test_what_is_over_is_not_written_again():
    detectors, logs = watching(OVERNIGHT, EVENING - 1)
    (found,) = logs.findings
    logs.append(FINDINGS, 0, after_ms(OVERNIGHT, EVENING - 1), encode_record(said(found, closes=True)))
    detectors.read(end_ms(OVERNIGHT))
    assert [each.finding_id for each in logs.findings].count(found.finding_id) == 1


def test_what_was_closed_before_it_was_written_again_stays_closed():
    detectors, logs = watching(OVERNIGHT, MORNING)
    assert len(logs.findings) == 2
    found = logs.findings[0]
    closed = after_ms(OVERNIGHT, MORNING), encode_record(said(found, closes=True))
    logs.messages[FINDINGS, 0].insert(1, closed)
    detectors.read(after_ms(OVERNIGHT, MORNING + 1))
    assert shown(detectors, "loop_detected") == (0, 0)
    assert not told(logs)[found.finding_id].open


def found(number):
    """A finding, as somebody may have written it."""
    return Finding(
        finding_id=f"f{number}",
        detector="d",
        subject="m",
        verdict="loop_detected",
        statistic=9.0,
        threshold=7.0,
        opened_time_ms=number,
        updated_time_ms=number,
        runbook="docs/runbooks/loop-detected.md",
    )


def heard(records, watches=None, first_epoch=0):
    """Watches that have heard ``records``, each in an epoch of its own."""
    watches = watches or Watches([], LoopMetrics(CollectorRegistry()))
    for epoch, record in enumerate(records, first_epoch):
        watches.fold(epoch, [LogMessage(epoch, FINDINGS, 0, epoch, encode_record(record))], epoch)
    return watches


def test_of_what_is_over_the_latest_is_remembered_and_what_is_open_for_good():
    each_closed = [
        record for n in range(2, REMEMBERED + 2) for record in (found(n), said(found(n), closes=True))
    ]
    records = [found(0), found(1), *each_closed, said(found(1), closes=True)]
    watches = heard(records)
    header, _ = watches.state()
    assert header.count(b'"finding_id":"f') == 1 + 2 * REMEMBERED  # each closed one with what was said of it
    assert watches.still_open() == [found(0)]
    assert heard([found(1), found(3), found(REMEMBERED + 1)], watches).still_open() == [found(0)]
    again = Watches([], LoopMetrics(CollectorRegistry()))
    again.restore(*heard(records[:100]).state())
    assert heard(records[100:], again, 100).state() == heard(records).state()


def test_what_the_lineage_is_found_to_be_is_left_to_those_who_look_at_it():
    (again,) = heard([found(1), structs.replace(found(2), detector="D0")]).still_open()
    assert again.finding_id == "f1"
