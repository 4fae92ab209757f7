"""What findings and words about them add up to."""

import msgspec
import pytest

from feature_store.schema.findings import (
    Acknowledgement,
    Beta,
    Finding,
    decode_record,
    encode_record,
    fold_all,
)


def finding(verdict="loop_detected"):
    return Finding(
        finding_id="loop-1",
        detector="board",
        subject="timeline_ranker",
        verdict=verdict,
        statistic=8.0,
        threshold=6.9,
        beta=Beta(0.1, 0.05, None),
        evidence={"value": "item.click_count_total"},
        opened_time_ms=1,
        updated_time_ms=2,
        runbook="docs/runbooks/loop-detected.md",
    )


def said(closes, of=None):
    return Acknowledgement(
        finding_id="loop-1",
        subject="timeline_ranker",
        by="ana",
        note="looking",
        closes=closes,
        verdict=of,
        time_ms=5,
    )


def folded(records):
    """The finding after ``records``, logged from 100 on."""
    return fold_all(enumerate(records, 100))["loop-1"]


@pytest.mark.parametrize("record", [finding(), said(closes=True), said(False, "warning")])
def test_records_survive_encoding(record):
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"type":"rumour"}', b"\xff", encode_record(finding())[:-9]]
)
def test_what_is_no_record_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        decode_record(payload)


def test_an_open_loop_holds_until_it_is_closed():
    held = [
        folded(records).holds
        for records in (
            [finding("warning")],
            [finding("warning"), finding()],
            [finding(), said(closes=False)],
            [finding(), said(closes=True)],
            [finding(), said(closes=True), finding()],
        )
    ]
    assert held == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("records", "known"),
    [
        ([finding("warning"), said(False)], True),
        ([finding("warning"), said(False), finding("warning")], True),
        ([finding("warning"), said(False), finding()], False),
        ([finding("warning"), said(False), finding(), said(False)], True),
        ([finding("warning"), said(False), finding(), said(False), finding()], True),
        ([finding("warning"), finding(), said(False, of="warning")], False),
        (
            [finding("warning"), finding(), said(False, of="loop_detected"), finding("warning"), finding()],
            True,
        ),
        ([finding("warning"), said(True), finding()], True),
    ],
)
def test_who_has_a_warning_does_not_have_the_loop_that_it_becomes(records, known):
    state = folded(records)
    assert (state.acknowledgement is not None) is known


def test_words_about_what_nobody_found_change_nothing():
    assert fold_all([(1, said(closes=True))]) == {}


def test_a_loop_is_detected_when_the_log_takes_it_however_often_it_is_written_again():
    assert folded([finding("warning")]).detected_ms == 0
    records = [finding("warning"), finding(), said(False), finding()]
    assert folded(records).detected_ms == 101
    assert folded([*records, said(True)]).detected_ms == 101
