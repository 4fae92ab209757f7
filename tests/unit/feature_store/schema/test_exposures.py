"""The columns of `exposures`, and the latest revision of each."""

from dataclasses import replace

import pyarrow as pa

from feature_store.schema.exposures import (
    EXPOSURE_FIELDS,
    MAX_MESSAGE_BYTES,
    decode_exposures,
    encode_exposures,
    latest_exposures,
)
from feature_store.schema.served import decode_served, encode_served
from streams.processors.exposure_rows import Exposure, build_exposures
from streams.processors.impressions import ImpressionMessage
from streams.processors.outcomes import Outcome
from streams.processors.served_index import ServedIndex
from tests.oracles.exposures import Answer, Event, Feedback
from tests.unit.streams.processors.join_messages import feedback_rows, served_request

SEEN = Event("u", "r", "a", None, 1.0, 7)


def exposures(request: str | None, *, heads: tuple[str, ...] = ("click",), clicks: int = 0) -> pa.RecordBatch:
    """One exposure; organic where there is no request."""
    rows = feedback_rows(Feedback(3, (replace(SEEN, request=request),)))
    seen = (ImpressionMessage(3, 0, rows, [f"u|{request or ''}|a"]), 0)
    outcomes = [Outcome(4, 1, "click", 1.0, 9)] * clicks
    [batch] = build_exposures([Exposure(seen, served(request, heads), outcomes, "on_time")], partition=2)
    return batch


def served(request: str | None, heads: tuple[str, ...]):  # type: ignore[no-untyped-def]
    if request is None:
        return None
    index = ServedIndex(10, 10)
    index.add(0, 1, decode_served(encode_served([served_request(Answer(1, "u", request, ("a",)), heads)])[0]))
    return index.find([f"u|{request}|a"], 0, 10)[0]


def test_columns_are_those_of_the_contract_in_order() -> None:
    names = [column.name for column in EXPOSURE_FIELDS]
    assert exposures("r").schema.names == exposures(None).schema.names == names
    known = [column for column in EXPOSURE_FIELDS if not pa.types.is_null(column.type)]
    assert all(exposures("r").schema.field(column.name).type == column.type for column in known)


def test_exposures_survive_the_journey() -> None:
    batch = exposures("r", clicks=2)
    [payload] = encode_exposures(batch)
    assert decode_exposures(payload).equals(batch)


def test_messages_are_cut_at_their_largest_size() -> None:
    many = pa.Table.from_batches([exposures("r")] * 5_000).unify_dictionaries().combine_chunks()
    [batch] = many.to_batches()
    payloads = list(encode_exposures(batch))
    assert len(payloads) > 1
    assert max(map(len, payloads)) < 1.1 * MAX_MESSAGE_BYTES
    assert sum(len(decode_exposures(payload)) for payload in payloads) == 5_000


def test_the_latest_revision_of_each_exposure_remains() -> None:
    batches = [exposures("r", clicks=2), exposures("s"), exposures("r"), exposures("r", clicks=1)]
    table = latest_exposures([*batches, exposures(None), exposures(None, clicks=1)])
    found = list(zip(*(table.column(name).to_pylist() for name in ("request_id", "revision")), strict=True))
    assert found == [("r", 2), ("s", 0), (None, 1)]
    assert table.column("outcomes").to_pylist() == [[("click", 2.0)], [], [("click", 1.0)]]


def test_exposures_of_different_models_lie_over_one_another() -> None:
    table = latest_exposures(
        [exposures("r", heads=("click",)), exposures("s", heads=("like",)), exposures(None)]
    )
    assert table.column("heads").to_pylist() == [
        {"click": 1.0, "like": None},
        {"click": None, "like": 1.0},
        None,
    ]
    assert table.column("features").null_count == 1


def test_exposures_served_before_and_after_a_feature_was_added_lie_over_one_another() -> None:
    before, after, organic = exposures("r"), exposures("s"), exposures(None)
    place = after.schema.names.index("features")
    wider = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0, 3.0, 4.0, 5.0], pa.float32()), 5)
    table = latest_exposures([before, after.set_column(place, "features", wider), organic])
    old, new, none = table.column("features").to_pylist()
    assert (old, new, none) == (before.column("features").to_pylist()[0], [1.0, 2.0, 3.0, 4.0, 5.0], None)
    assert len(old) != 5
    assert table.column("ids").type == before.schema.field("ids").type


def test_no_exposures_are_an_empty_table_with_the_columns() -> None:
    table = latest_exposures([])
    assert table.num_rows == 0
    assert table.column_names == [column.name for column in EXPOSURE_FIELDS]
