"""D3 over topics: found, quiet, or blind with its reason, and the same bits after a restart."""

from dataclasses import replace

import pyarrow as pa
import pytest

from feature_store.schema.batches import write_record_batch
from feature_store.schema.exposures import decode_exposures
from feature_store.schema.findings import Acknowledgement, encode_record
from feature_store.schema.topics import EXPOSURES, FINDINGS
from tests.unit.streams.feedback.production.detectors_in_memory import GRACE_MS, DeadlyStore, Detectors, Logs
from tests.unit.streams.feedback.slotted_log import SlottedWorld

WORLD = SlottedWorld(effect=0.4)
UNDERRATING = SlottedWorld(underrated=1000.0, requests=1000, epochs=18)
SELECTION = {"subject": EXPOSURES, "detector": "D3"}
PRESENTATION = {"subject": EXPOSURES, "detector": "D3-presentation"}


def detected(world, payload_of=lambda payload: payload, restart_every=None, **told):
    logs, store = Logs(world.partitions), DeadlyStore()
    for topic, partition, stamp_ms, payload in world.messages():
        logs.append(topic, partition, stamp_ms, payload_of(payload))
    detectors = Detectors(logs, store, world.epoch_ms, **told)
    step = restart_every or world.epochs
    for epoch in range(step, world.epochs + 1, step):
        if restart_every:
            detectors = Detectors(logs, store, world.epoch_ms, **told)
        detectors.read((world.first_epoch + epoch - 1) * world.epoch_ms + GRACE_MS)
    return detectors, logs


def kind(detectors, **labels):
    kinds = ("warming_up", "blind", "quiet", "warning", "loop_detected")
    (now,) = [k for k in kinds if detectors.value("eddyline_loop_verdict", verdict=k, **labels) == 1]
    return now


def reasons(detectors, detector):
    (family,) = [f for f in detectors.registry.collect() if f.name == "eddyline_loop_blind_reason"]
    return [each.labels["reason"] for each in family.samples if each.labels["detector"] == detector]


def test_an_effect_of_presentation_becomes_a_finding():
    detectors, logs = detected(WORLD)
    found = logs.findings[-1]
    assert (found.detector, found.subject, found.verdict) == ("D3-presentation", EXPOSURES, "loop_detected")
    assert found.beta.upper < 0
    assert found.evidence["explored_rows"] > 1000
    assert kind(detectors, experiment="exploration", **PRESENTATION) == "loop_detected"
    used = detectors.value("eddyline_loop_exposures_total", watch="exploration", outcome="used")
    assert used > found.evidence["explored_rows"]


def test_without_an_effect_nothing_is_found():
    detectors, logs = detected(SlottedWorld())
    assert logs.findings == []
    assert kind(detectors, experiment="exploration", **PRESENTATION) == "quiet"


def test_a_restart_in_any_epoch_changes_no_bit():
    small = replace(WORLD, requests=200, underrated=1000.0)
    (whole, _), (pieces, _) = detected(small), detected(small, restart_every=1)
    expected, found = whole.watches.state(), pieces.watches.state()
    assert found[0] == expected[0]
    assert all(found[1][name].tobytes() == array.tobytes() for name, array in expected[1].items())


def test_value_left_lying_becomes_a_finding_that_names_the_item():
    detectors, logs = detected(UNDERRATING)
    found = [finding for finding in logs.findings if finding.detector == "D3"][-1]
    assert (found.subject, found.verdict) == (EXPOSURES, "loop_detected")
    assert found.evidence["items"] == ["i11"]
    assert found.evidence["contested_click_rate"] > 2 * found.evidence["replaced_click_rate"]
    assert kind(detectors, experiment="exploration", **SELECTION) == "loop_detected"


def test_an_item_that_is_rightly_not_shown_is_none():
    """As seldom predicted to be clicked, and clicked as seldom."""
    _, logs = detected(replace(UNDERRATING, underrated=1.01))
    assert [finding for finding in logs.findings if finding.detector == "D3"] == []


def test_closing_the_finding_begins_anew():
    detectors, logs = detected(UNDERRATING)
    found = [finding for finding in logs.findings if finding.detector == "D3"][-1]
    closed = Acknowledgement(
        finding_id=found.finding_id,
        subject=EXPOSURES,
        by="ana",
        note="learned from chance",
        closes=True,
        time_ms=logs.now_ms,
    )
    logs.append(FINDINGS, 0, logs.now_ms, encode_record(closed))
    detectors.read((UNDERRATING.first_epoch + UNDERRATING.epochs) * UNDERRATING.epoch_ms + GRACE_MS)
    assert kind(detectors, experiment="exploration", **SELECTION) == "warming_up"


def test_items_beyond_those_followed_are_counted_and_left_out():
    detectors, _ = detected(replace(WORLD, epochs=2, requests=50), detect_items=4)
    counted = {
        outcome: detectors.value("eddyline_loop_exposures_total", watch="selection", outcome=outcome)
        for outcome in ("used", "unknown_item")
    }
    assert counted["used"] > 0 < counted["unknown_item"]
    assert sum(counted.values()) == 2 * 50 * WORLD.positions


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (replace(WORLD, positions=6, requests=50, epochs=2), "is EDDYLINE_EXPLORE_POSITIONS the same"),
        (replace(WORLD, share=0.0, requests=20, epochs=25), "next to nothing was explored"),
    ],
)
def test_what_the_log_cannot_carry_makes_it_blind_with_its_reason(world, reason):
    detectors, logs = detected(world)
    assert logs.findings == []
    assert kind(detectors, experiment="exploration", **PRESENTATION) == "blind"
    (said,) = reasons(detectors, "D3-presentation")
    assert reason in said
    assert kind(detectors, experiment="exploration", **SELECTION) == "blind"


def test_without_draws_it_says_so():
    def undrawn(payload):
        rows = decode_exposures(payload)
        place = rows.schema.get_field_index("assignments")
        field = rows.schema.field(place)
        return write_record_batch(rows.set_column(place, field, pa.nulls(len(rows), field.type)))

    detectors, _ = detected(replace(WORLD, epochs=25, requests=20), undrawn)
    for detector in ("D3-presentation", "D3"):
        assert reasons(detectors, detector) == ["no request drew whether it explores"]
