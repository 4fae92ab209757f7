import numpy as np
import pyarrow as pa
import pytest

from feature_store.schema.exposures import LATE, ON_TIME, ORPHAN, decode_exposures, encode_exposures
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from streams.feedback.production import gathered as module
from streams.feedback.production.dated_log import LogMessage
from streams.feedback.production.gathered import READ, gathered
from tests.unit.streams.feedback.exposure_log import scored


def served(ids: list[str], model: str = "feed:1", **columns: object) -> pa.RecordBatch:
    none = np.zeros(len(ids))
    return scored(ids, raw=none, nudge=none, clicked=none, served_time_ms=1_000, model=model, **columns)


def log(*rows: pa.RecordBatch | str) -> list[LogMessage]:
    """Exposures, or a message of another topic."""
    return [
        LogMessage(n, each, 0, n, b"")
        if isinstance(each, str)
        else LogMessage(n, EXPOSURES, 0, n, next(encode_exposures(each)))
        for n, each in enumerate(rows)
    ]


def as_read(batches: list[pa.RecordBatch]) -> list[dict[str, object]]:
    return [
        row for batch in batches for row in batch.select(sorted(READ & {*batch.schema.names})).to_pylist()
    ]


def test_exposures_that_follow_one_another_share_a_batch_with_all_that_detectors_read() -> None:
    parts = [
        served(["a", "b"], status=pa.array([ON_TIME, LATE]).dictionary_encode()),
        served(["c"], "other:2", status=pa.array([ORPHAN]).dictionary_encode()),
        served(["d", "e", "f"]),
    ]
    messages = log(*parts)
    (together,) = gathered(messages)
    assert as_read([together]) == as_read([decode_exposures(message.payload) for message in messages])
    assert set(together.schema.names) == READ
    assert together.column("item_id").to_pylist() == list("abcdef")


def test_what_is_said_between_exposures_stays_between_them() -> None:
    messages = log(served(["a"]), FINDINGS, served(["b"]), served(["c"]), SCORE_PANEL, SCORE_PANEL)
    found = [
        each.column("item_id").to_pylist() if isinstance(each, pa.RecordBatch) else each
        for each in gathered(messages)
    ]
    assert found == [["a"], messages[1], ["b", "c"], messages[4], messages[5]]


def test_rows_of_another_layout_are_a_batch_of_their_own() -> None:
    other = served(["b"], heads=[{"click": 0.1}])
    found = [
        batch.column("item_id").to_pylist() for batch in gathered(log(served(["a"]), other, served(["c"])))
    ]
    assert found == [["a"], ["b"], ["c"]]


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    parts = [served(ids) for ids in (["a"], ["b", "c"], ["d"], ["e", "f", "g", "h"], ["i"])]
    found = [batch.column("item_id").to_pylist() for batch in gathered(log(*parts))]
    assert found == [["a", "b", "c"], ["d"], ["e", "f", "g", "h"], ["i"]]
