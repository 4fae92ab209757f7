"""The columns of `rank.served`, from what the ranker knows to bytes and back."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from feature_store.schema.batches import write_ipc
from feature_store.schema.requests import Assignment
from feature_store.schema.served import SERVED_FIELDS, RowMarks, decode_served, encode_served
from tests.oracles.exposures import Answer
from tests.unit.streams.processors.join_messages import served_request

REQUEST = served_request(Answer(5, "u", "r", ("a", "b"), scored_only=("c",)), heads=("click", "like"))


def test_a_served_row_comes_back_as_it_was() -> None:
    rows = decode_served(encode_served([REQUEST])[0]).to_pylist()
    assert rows[1] == {
        "request_id": "r",
        "user_id": "u",
        "item_id": "b",
        "surface": "home",
        "position": 1,
        "raw_score": 0.5,
        "nudge": 0.0,
        "published_score": 0.5,
        "heads": {"click": 0.5, "like": 0.5},
        "propensity": 1.0,
        "policy": "greedy",
        "assignments": [],
        "model_version": "counters:1",
        "fingerprint": "9c1f",
        "served_time_ms": 5,
        "finalize_time_ms": 5,
        "sampled": False,
        "features": [8.0, 9.0, 10.0],
        "ids": [1],
        "row_marks": {"item": {"partition": 0, "row_offset": 1}},
        "user_slice": None,
    }


def test_columns_are_those_of_the_contract_in_order() -> None:
    assert decode_served(encode_served([REQUEST])[0]).schema.names == [
        column.name for column in SERVED_FIELDS
    ]


def test_candidates_that_were_not_served_come_without_features_in_a_message_of_their_own() -> None:
    served, scored = map(decode_served, encode_served([REQUEST]))
    assert served.column("item_id").to_pylist() == ["a", "b"]
    [row] = scored.to_pylist()
    assert (row["item_id"], row["position"], row["propensity"]) == ("c", None, None)
    assert (row["features"], row["ids"], row["row_marks"]) == (None, None, None)
    assert row["heads"] == {"click": 0.0, "like": 0.0}


def test_a_sampled_request_has_the_features_of_every_candidate() -> None:
    features = np.arange(9, dtype=np.float32).reshape(3, 3)
    marks = RowMarks(("item",), np.zeros((1, 3), np.int32), np.array([[4, 5, 6]]))
    sampled = replace(
        REQUEST, sampled=True, features=features, ids=np.zeros((3, 1), np.int64), row_marks=marks
    )
    [rows] = map(decode_served, encode_served([sampled]))
    assert rows.column("position").to_pylist() == [0, 1, None]
    assert rows.column("features").null_count == 0
    assert rows.column("features").flatten().to_numpy().tolist() == features.reshape(-1).tolist()
    assert [mark["item"]["row_offset"] for mark in rows.column("row_marks").to_pylist()] == [4, 5, 6]


def test_requests_of_one_layout_share_a_message_and_others_do_not() -> None:
    other_policy = replace(REQUEST, request_id="s", policy="explore")
    other_heads = replace(REQUEST, request_id="t", heads={})
    messages = [decode_served(m) for m in encode_served([REQUEST, other_policy, other_heads])]
    assert [m.column("request_id").to_pylist() for m in messages] == [
        ["r"] * 2 + ["s"] * 2,
        ["r", "s"],
        ["t"] * 2,
        ["t"],
    ]
    assert messages[0].column("policy").to_pylist() == ["greedy"] * 2 + ["explore"] * 2
    assert messages[2].column("heads").null_count == 2


def test_assignments_carry_their_propensity() -> None:
    drawn = replace(REQUEST, assignments={"diversity": Assignment("b", 0.25)})
    row = decode_served(encode_served([drawn])[0]).to_pylist()[0]
    assert row["assignments"] == [{"experiment": "diversity", "variant": "b", "propensity": 0.25}]


def test_the_slice_of_the_user_is_said_of_every_row() -> None:
    sliced = replace(REQUEST, request_id="s", user_slice="country=NL")
    served, scored = map(decode_served, encode_served([REQUEST, sliced]))
    assert served.column("user_slice").to_pylist() == [None, None, "country=NL", "country=NL"]
    assert scored.column("user_slice").to_pylist() == [None, "country=NL"]


def test_a_message_from_before_there_were_slices_is_read_as_one_without() -> None:
    rows = decode_served(encode_served([REQUEST])[0])
    columns = {name: rows.column(name) for name in rows.schema.names if name != "user_slice"}
    assert decode_served(write_ipc(columns, {})).equals(rows)


def test_a_request_without_candidates_gives_no_message() -> None:
    assert encode_served([]) == []


def test_a_message_that_lacks_a_column_is_refused_by_its_name() -> None:
    rows = decode_served(encode_served([REQUEST])[0])
    columns = {name: rows.column(name) for name in rows.schema.names if name != "position"}
    with pytest.raises(KeyError, match="position"):
        decode_served(write_ipc(columns, {}))
    with pytest.raises(pa.ArrowInvalid):
        decode_served(b"not Arrow")
