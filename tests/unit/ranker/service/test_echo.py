"""What came with a request goes back with the response, as far as that leaves room for the response."""

import pytest
from confluent_kafka import Message

from feature_store.schema.requests import BadRequest
from ranker.service.echo import MAX_ECHO_BYTES, echo_of, require_room

TRACE = [("trace", b"\x00\xff"), ("trace", b"again"), ("none", None)]


@pytest.mark.parametrize("headers", [TRACE, None], ids=["some", "none"])
def test_key_and_headers_go_back_as_they_came(headers):
    message = Message(key=b"u1", headers=headers)
    require_room(message, "r1")
    assert echo_of(message) == (b"u1", headers or [])


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (b"u1", [("big", b"x" * MAX_ECHO_BYTES)]),
        (b"u1", [("many", b"x" * 1_000)] * (MAX_ECHO_BYTES // 1_000)),
        (b"k" * (MAX_ECHO_BYTES + 1), []),
    ],
    ids=["a_big_one", "many", "the_key"],
)
def test_what_leaves_no_room_does_not_go_back_and_is_an_error_that_says_so(key, headers):
    message = Message(key=key, headers=headers)
    assert echo_of(message) == (None, [])
    with pytest.raises(BadRequest, match="at most") as refused:
        require_room(message, "r1")
    assert (refused.value.request_id, refused.value.problem.field) == ("r1", "headers")
