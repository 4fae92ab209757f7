"""Slices of users: a loop is found in those that have it, and one slice alone changes no bit."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from prometheus_client import CollectorRegistry

from feature_store.schema.exposures import encode_exposures
from feature_store.schema.panel import PanelHeader, PanelRows, decode_panel
from feature_store.schema.served import USER_SLICE
from feature_store.schema.topics import EXPOSURES, SCORE_PANEL
from feature_store.slices import MOST_SLICES
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.production.metrics import LoopMetrics
from streams.feedback.production.panels import over_all_users
from streams.feedback.production.score_watch import Allowed, ScoreWatch, Watching
from tests.unit.streams.feedback.exposure_log import scored
from tests.unit.streams.feedback.production.detectors_in_memory import (
    Deadly,
    bits,
    detected,
    lives,
    logs_of,
    rewritten,
)
from tests.unit.streams.feedback.production.loop_log import MODEL, LoopWorld

NL, DE, OTHER = "country=NL", "country=DE", "country=other"
QUIET = LoopWorld(gain=0.0, gains=((NL, 0.0), (DE, 0.0), (OTHER, 0.0)), epochs=24, exposures=200)
ONE = replace(QUIET, gains=((NL, 0.0), (DE, 0.4), (OTHER, 0.0)))
ALL = replace(QUIET, gains=((NL, 0.3), (DE, 0.5), (OTHER, 0.4)))
SHORT = replace(ONE, epochs=12)


def used(detectors, name):
    return detectors.value("eddyline_loop_slice_epochs_used", subject="timeline_ranker", slice=name)


def test_a_loop_in_one_slice_is_found_and_only_that_slice_is_named():
    found = detected(ONE)[1].findings
    assert (found[-1].verdict, found[-1].subject) == ("loop_detected", "timeline_ranker")
    for finding in found:
        assert (finding.evidence["subject"], finding.evidence["subjects"]) == (DE, [DE])
        assert finding.evidence["value"] == ONE.feature
    assert found[-1].evidence["betas"] == {DE: pytest.approx(0.4, rel=0.2)}
    assert found[-1].beta.value == found[-1].evidence["betas"][DE]


def test_no_epoch_counts_of_a_slice_whose_users_are_not_told():
    known, unknown = detected(ONE)[0], detected(ONE, rewritten(ONE, untold(DE)))[0]
    assert used(known, DE) > 10
    assert (used(unknown, DE), used(unknown, NL)) == (0, used(known, NL))


def untold(name):
    """Takes the slice ``name`` off the exposures of its users."""

    def changed(rows):
        at, told = rows.schema.get_field_index(USER_SLICE), rows.column(USER_SLICE).cast(pa.string())
        field = rows.schema.field(at)
        left = pc.replace_with_mask(told, pc.equal(told, name), pa.scalar(None, pa.string()))
        return rows.set_column(at, field, left.cast(field.type))

    return changed


def test_a_loop_in_all_slices_names_all_of_them_the_strongest_first():
    finding = detected(ALL)[1].findings[-1]
    assert finding.evidence["subjects"] == [DE, OTHER, NL]
    assert finding.evidence["betas"] == {name: pytest.approx(gain, rel=0.2) for name, gain in ALL.gains}


def test_a_slice_that_answers_less_than_is_allowed_is_not_named_however_certain_it_is():
    little = replace(QUIET, gains=((NL, 0.5), (DE, 0.008), (OTHER, 0.0)), noise=0.002)
    found = detected(little)[1].findings
    assert found[-1].verdict == "loop_detected"
    assert {tuple(finding.evidence["betas"]) for finding in found} == {(NL,)}


def test_a_slice_that_is_certain_only_later_is_named_in_a_finding_of_its_own():
    late = replace(QUIET, gains=((NL, 0.5), (DE, 0.0), (OTHER, 0.05)), epochs=40)
    named = [finding.evidence["subjects"] for finding in detected(late)[1].findings]
    assert named[0] == [NL]
    assert named[-1] == [NL, OTHER]
    assert len(named) <= 3


@pytest.mark.parametrize("seed", range(3))
def test_without_a_loop_nothing_is_found(seed):
    detectors, logs = detected(replace(QUIET, seed=seed))
    assert logs.findings == []
    labels = {"subject": "timeline_ranker", "detector": "board", "experiment": "nudges"}
    assert detectors.value("eddyline_loop_verdict", verdict="quiet", **labels) == 1


def test_with_one_slice_everything_is_bit_for_bit_as_without_slices():
    """Findings, too, but for the name of what answers."""
    sliced, its_logs = detected(replace(SHORT, gains=((NL, 0.5),)))
    plain, logs = detected(replace(SHORT, gains=(), gain=0.5))
    assert bits(sliced)[1] == bits(plain)[1]
    assert logs.findings
    told, expected = (
        [(each.verdict, each.statistic, each.beta, each.subject) for each in found.findings]
        for found in (its_logs, logs)
    )
    assert told == expected


def test_killed_anywhere_and_started_again_the_evidence_is_the_same_bit_for_bit():
    calm, expected = detected(SHORT)
    steps = Deadly()
    lives(SHORT, steps, stride=3)
    for at in range(1, steps.done + 1, 5):
        survivor, logs = lives(SHORT, Deadly(at), stride=3)
        assert bits(survivor) == bits(calm), f"killed at step {at}"
        assert {each.finding_id: each for each in logs.findings} == {
            each.finding_id: each for each in expected.findings
        }


@pytest.mark.parametrize("user_slice", [None, "country=FR", "plan=free"])
def test_exposures_of_users_of_no_known_slice_are_counted_and_left_out(user_slice):
    logs, at_ms = logs_of(SHORT), (SHORT.first_epoch + 6) * SHORT.epoch_ms + 500
    rows = scored(
        ["i1", "i2"],
        served_time_ms=at_ms - SHORT.epoch_ms,
        raw=np.zeros(2),
        nudge=np.zeros(2),
        clicked=[True, False],
        user_slice=[user_slice] * 2,
    )
    (odd,) = encode_exposures(rows)
    place = next(n for n, (stamp_ms, _) in enumerate(logs.messages[EXPOSURES, 0]) if stamp_ms > at_ms)
    logs.messages[EXPOSURES, 0].insert(place, (at_ms, odd))
    detectors, _ = detected(SHORT, logs)
    outcome = {"watch": "scores", "outcome": "unknown_slice"}
    assert detectors.value("eddyline_loop_exposures_total", **outcome) == 2
    assert bits(detectors)[1] == bits(detected(SHORT)[0])[1]


def test_of_a_slice_without_a_panel_nothing_is_said_and_the_others_go_on():
    def keep(topic, _, __, payload):
        return topic != SCORE_PANEL or decode_panel(payload).header.user_slice != NL

    detectors, logs = detected(ONE, logs_of(ONE, keep))
    assert logs.findings[-1].evidence["subjects"] == [DE]
    assert used(detectors, NL) == 0
    assert used(detectors, DE) == used(detectors, OTHER) > ONE.epochs / 2


def test_a_slice_of_which_half_a_panel_came_is_left_out_in_that_epoch():
    at_ms = (ONE.first_epoch + 16) * ONE.epoch_ms + 100

    def keep(topic, partition, stamp_ms, payload):
        lost = (topic, partition, stamp_ms) == (SCORE_PANEL, 1, at_ms)
        return not lost or decode_panel(payload).header.user_slice != NL

    detectors, logs = detected(ONE, logs_of(ONE, keep))
    whole, _ = detected(ONE)
    assert used(detectors, NL) < used(whole, NL)
    assert used(detectors, DE) == used(whole, DE)
    assert logs.findings[-1].evidence["subjects"] == [DE]


@pytest.mark.parametrize("gains", [((NL, 0.4), (OTHER, 0.0)), ()])
def test_with_a_panel_of_other_slices_the_evidence_begins_anew(gains):
    later = replace(ONE, first_epoch=ONE.first_epoch + ONE.epochs, gains=gains, gain=0.4)
    logs = logs_of(ONE)
    for message in later.messages():
        logs.append(*message)
    detectors, _ = detected(later, logs)
    assert len({finding.finding_id for finding in logs.findings}) == 2
    named = logs.findings[-1].evidence["subjects"]
    assert named == ([NL] if gains else ["timeline_ranker"])
    assert used(detectors, DE) is None


def test_more_slices_than_there_may_be_are_refused():
    many = replace(SHORT, gains=tuple((f"country=c{n}", 0.5) for n in range(MOST_SLICES + 1)), epochs=4)
    detectors, logs = detected(many)
    assert logs.findings == []
    refused = {"watch": "scores", "outcome": "too_many_slices"}
    assert detectors.value("eddyline_loop_epochs_total", **refused) == many.epochs


def test_what_was_watched_before_there_were_slices_goes_on():
    case = {"detector": "board", "subject": "m", "started_epoch": 7}
    stored = {"model": "m", "features": ["f"], "gain_lags": 0, "case": case}
    watching = msgspec.json.decode(msgspec.json.encode(stored), type=Watching)
    assert watching.fits(PanelHeader(9, 10_000, "m:1", ("f",), 1, 1), "m")
    assert not watching.fits(PanelHeader(9, 10_000, "m:1", ("f",), 1, 1, NL, (NL,)), "m")


def test_over_all_users_an_item_scores_as_slices_do_on_average_and_is_absent_where_one_lacks_it():
    def part(user_slice, scores, items=3):
        header = PanelHeader(1, 10_000, MODEL, ("f",), items, 1, user_slice, (NL, DE, OTHER))
        raw = np.array([*scores.values()])
        return PanelRows(header, pa.array([*scores]), raw, raw[:, None], np.ones(len(raw)))

    parts = [
        part(NL, {"a": 1.0, "b": 2.0, "c": 3.0}),
        part(DE, {"c": 5.0, "b": 4.0, "d": 9.0}),
        part(DE, {"c": 5.0, "b": 4.0, "d": 9.0}),
        part(OTHER, {"a": 9.0}),
    ]
    (whole,) = over_all_users(parts)
    assert whole.item_ids.to_pylist() == ["b", "c"]
    assert whole.raw_score.tolist() == [3.0, 4.0]
    assert whole.nudge.tolist() == [1.0, 1.0]


def test_a_slice_takes_no_more_memory_of_an_item_than_the_documentation_says():
    items, features, slices = 1_000, tuple(f"item.feature_{n}" for n in range(50)), (NL, DE, OTHER)
    allowed = Allowed(0.01, 0.05, 0.2, 0.1, gain_lags=20)
    watch = ScoreWatch(10_000, allowed, AlarmBudget(), LoopMetrics(CollectorRegistry()))
    rng = np.random.default_rng(1)
    ids = pa.array([f"item-{n:032}" for n in range(items)])
    for epoch in range(2):
        headers = [
            PanelHeader(epoch, 10_000, MODEL, features, items, 1, user_slice, slices) for user_slice in slices
        ]
        panel = [
            PanelRows(
                header, ids, rng.normal(size=items), rng.normal(size=(items, len(features))), np.ones(items)
            )
            for header in headers
        ]
        watch.close(epoch, panel, 0)
    _, arrays = watch.state()
    assert sum(array.nbytes for array in arrays.values()) / items < len(slices) * 6_000
