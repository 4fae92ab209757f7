"""Several models over topics: who answers to whose nudges is found, and no death changes a bit of it."""

from dataclasses import replace

import pytest

from feature_store.schema.topics import SCORE_PANEL
from streams.processors.start import CannotStart
from tests.unit.streams.feedback.production.cross_log import MODELS, CrossWorld
from tests.unit.streams.feedback.production.detectors_in_memory import (
    UNCOUNTABLE,
    Deadly,
    DeadlyStore,
    Detectors,
    end_ms,
    lives,
    logs_of,
    rewritten,
)

ONE_WAY = CrossWorld()
SHORT = replace(ONE_WAY, epochs=10)
SUBJECT = "feed + related"
FOLLOWED = ",".join(MODELS)


def detected(world, logs=None):
    logs = logs or logs_of(world)
    detectors = Detectors(logs, DeadlyStore(), world.epoch_ms, detect_models=FOLLOWED)
    detectors.read(end_ms(world))
    return detectors, [finding for finding in logs.findings if finding.detector == "cross_model"], logs


def says(detectors, verdict, detector="cross_model", subject=SUBJECT):
    labels = {"subject": subject, "detector": detector, "experiment": "nudges", "verdict": verdict}
    return detectors.value("eddyline_loop_verdict", **labels) == 1


def test_a_model_that_listens_to_another_is_a_warning_that_names_the_edge():
    detectors, found, logs = detected(ONE_WAY)
    assert {(finding.verdict, finding.subject) for finding in found} == {("warning", SUBJECT)}
    (edge,) = found[-1].evidence["edges"]
    assert (edge["from"], edge["to"]) == ("feed", "related")
    assert edge["beta"] == pytest.approx(ONE_WAY.heard, rel=0.2)
    assert found[-1].beta.value == edge["beta"]
    assert found[-1].evidence["lag_epochs"] == 1
    assert found[-1].evidence["cycle"] is False
    # Neither answers to itself: only the two together see it.
    assert logs.findings == found
    assert all(says(detectors, "quiet", "board", model) for model in MODELS)


def test_models_that_listen_to_each_other_are_a_loop():
    detectors, found, _ = detected(replace(ONE_WAY, answered=0.3))
    assert found[-1].verdict == "loop_detected"
    assert found[-1].evidence["cycle"] is True
    assert {(edge["from"], edge["to"]) for edge in found[-1].evidence["edges"]} == {MODELS, MODELS[::-1]}
    assert says(detectors, "loop_detected")


@pytest.mark.parametrize("heard", [0.0, 0.03])
def test_without_an_edge_or_with_one_that_is_allowed_nothing_is_found(heard):
    detectors, found, logs = detected(replace(ONE_WAY, heard=heard, noise=0.01))
    assert logs.findings == found == []
    assert says(detectors, "quiet")


def test_models_that_share_a_salt_cannot_be_told_apart_and_that_is_said():
    detectors, found, _ = detected(replace(ONE_WAY, salts=(b"one", b"one")))
    assert found == []
    assert says(detectors, "blind")
    labels = {"subject": SUBJECT, "detector": "cross_model"}
    reason = "models get each other's signs: does each have a salt of its own?"
    assert detectors.value("eddyline_loop_blind_reason", reason=reason, **labels) == 1


def test_a_panel_of_one_model_that_is_absent_leaves_the_others_evidence_alone():
    lost_ms = (ONE_WAY.first_epoch + 12) * ONE_WAY.epoch_ms + 100

    def keep(topic, partition, stamp_ms, payload):
        return not (topic == SCORE_PANEL and stamp_ms == lost_ms and b"related:1" in payload)

    detectors, found, _ = detected(ONE_WAY, logs_of(ONE_WAY, keep))
    counted = {
        outcome: detectors.value("eddyline_loop_epochs_total", watch="cross_model", outcome=outcome)
        for outcome in ("used", "panel_incomplete")
    }
    assert counted == {"used": ONE_WAY.epochs - 1, "panel_incomplete": 1}
    assert [(edge["from"], edge["to"]) for edge in found[-1].evidence["edges"]] == [MODELS]
    assert says(detectors, "quiet", "board", "feed")


@pytest.mark.parametrize("changed", UNCOUNTABLE.values(), ids=UNCOUNTABLE)
def test_where_no_exposure_can_be_counted_it_is_blind_and_not_quiet(changed):
    detectors, found, _ = detected(ONE_WAY, rewritten(ONE_WAY, changed))
    assert found == []
    assert says(detectors, "blind")
    assert not says(detectors, "quiet")


def test_where_one_model_alone_is_scored_it_is_blind_and_says_who_is_absent():
    ends_ms = (SHORT.first_epoch + 6) * SHORT.epoch_ms

    def keep(topic, partition, stamp_ms, payload):
        return not (topic == SCORE_PANEL and stamp_ms > ends_ms and b"related:1" in payload)

    quiet = replace(SHORT, heard=0.0)
    detectors, found, _ = detected(quiet, logs_of(quiet, keep))
    assert found == []
    assert says(detectors, "blind")
    labels = {"subject": SUBJECT, "detector": "cross_model"}
    reason = "no panel of related, and one model alone has no edges"
    assert detectors.value("eddyline_loop_blind_reason", reason=reason, **labels) == 1


def test_without_one_of_the_panels_it_never_begins():
    logs = logs_of(SHORT, lambda topic, _, __, payload: topic != SCORE_PANEL or b"related:1" not in payload)
    detectors, found, _ = detected(SHORT, logs)
    assert found == []
    refused = {"watch": "cross_model", "outcome": "panel_incomplete"}
    assert detectors.value("eddyline_loop_epochs_total", **refused) == SHORT.epochs
    assert detectors.value("eddyline_loop_last_epoch_end_seconds", watch="scores of related") == 0


def test_killed_anywhere_and_started_again_the_evidence_is_the_same_bit_for_bit():
    expected = detected(SHORT)[0].watches.state()
    steps = Deadly()
    lives(SHORT, steps, 3, detect_models=FOLLOWED)
    for at in range(1, steps.done + 1, 4):
        header, arrays = lives(SHORT, Deadly(at), 3, detect_models=FOLLOWED)[0].watches.state()
        assert header == expected[0], f"killed at step {at}"
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in expected[1].items()
        }


def test_a_state_of_other_models_is_refused_with_what_to_do():
    store, logs = DeadlyStore(), logs_of(SHORT)
    Detectors(logs, store, SHORT.epoch_ms, detect_models=FOLLOWED).read(end_ms(SHORT))
    with pytest.raises(CannotStart, match="EDDYLINE_DETECT_START_ANEW"):
        Detectors(logs, store, SHORT.epoch_ms, detect_models="feed,search")
