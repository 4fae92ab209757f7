"""Messages of the join that cannot be read."""

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from feature_store.clock import ManualClock
from feature_store.schema.batches import RANGES_KEY, encode_ranges, write_record_batch
from feature_store.schema.feedback import encode_feedback
from feature_store.schema.served import encode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.apps.join import take_message
from streams.apps.join_settings import JoinSettings
from streams.apps.log_worker import Message
from streams.processors.corrupt_batch import CorruptBatch
from streams.processors.join_metrics import JoinMetrics
from tests.oracles.exposures import Answer, Event, Feedback
from tests.unit.streams.processors.join_messages import feedback_rows, joiner, served_request

SEEN = feedback_rows(Feedback(100, (Event("u", "r", "a", None, 1.0, 7),)))
FOREIGN = SEEN.select(["user_id"]).replace_schema_metadata({RANGES_KEY: encode_ranges({0: (0, 0)})})
SERVED = encode_served([served_request(Answer(100, "u", "r", ("a",)))])[0]


@pytest.fixture
def metrics() -> JoinMetrics:
    return JoinMetrics(CollectorRegistry(), ManualClock())


@pytest.mark.parametrize("topic", [FEEDBACK, RANK_SERVED])
@pytest.mark.parametrize(
    "payload", [b"", b"not Arrow", write_record_batch(FOREIGN)], ids=["no value", "no batch", "no columns"]
)
def test_a_message_that_is_no_batch_is_refused_with_its_place(
    metrics: JoinMetrics, topic: str, payload: bytes
) -> None:
    with pytest.raises(CorruptBatch, match=rf"message {topic}:0:0 is .*EDDYLINE_JOIN_SKIP={topic}:0:0"):
        take_message(joiner(metrics), TP(topic, 0), Message(0, 100, payload), frozenset())


def test_a_message_that_an_operator_leaves_out_is_stepped_over(metrics: JoinMetrics) -> None:
    join = joiner(metrics)
    settings = JoinSettings(join_skip=f"{FEEDBACK}:0:0,{RANK_SERVED}:0:0")
    whole = {FEEDBACK: encode_feedback(SEEN, {0: (0, 0)}), RANK_SERVED: SERVED}
    for topic, payload in whole.items():
        take_message(join, TP(topic, 0), Message(0, 99, b""), settings.skipped(topic))
        take_message(join, TP(topic, 0), Message(1, 100, payload), settings.skipped(topic))
        join.quiet(topic, 200)
    [rows] = join.decide()
    assert rows.column("status").to_pylist() == ["on_time"]


def test_what_is_no_place_is_refused_with_its_name() -> None:
    with pytest.raises(ValidationError, match="EDDYLINE_JOIN_SKIP"):
        JoinSettings(join_skip="rank.served:1")
