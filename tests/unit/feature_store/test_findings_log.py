"""What is read out of the log of findings."""

from feature_store.findings_log import records
from feature_store.schema.findings import encode_record
from tests.unit.feature_store.schema.test_findings import finding, said


def test_a_message_that_is_no_record_is_told_and_hides_no_other():
    written = [finding(), said(closes=True)]
    payloads = [encode_record(written[0]), b"", b'{"type":"rumour"}', encode_record(written[1])]
    refused = []
    stored = [(offset, 100 + offset, payload) for offset, payload in enumerate(payloads)]
    read = list(records(stored, lambda *told: refused.append(told)))
    assert read == [(100, written[0]), (103, written[1])]
    assert [offset for offset, _ in refused] == [1, 2]
    assert "rumour" in refused[1][1]
