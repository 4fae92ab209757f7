"""Consumer groups of a real broker against a declared lineage."""

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from feature_store.lineage import USERS, Edge, Lineage, model, topic
from feature_store.settings import Settings
from streams.feedback.lineage import undeclared_consumers
from streams.feedback.lineage_broker import consumer_groups

pytestmark = pytest.mark.integration


def consumer(kafka: str, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )


def commit(kafka: str, group: str, name: str) -> None:
    """Leave a committed offset and no member behind, as a job that ran does."""
    job = consumer(kafka, group)
    job.commit(offsets=[TopicPartition(name, 0, 0)], asynchronous=False)
    job.close()


def test_a_consumer_that_nobody_declared_is_found_whether_it_runs_or_has_run(
    kafka: str, make_topics: Callable[..., list[str]]
) -> None:
    answers, events = make_topics("answers", "events")
    suffix = answers.rsplit("-", 1)[1]
    job, member, declared, elsewhere = (f"{name}-{suffix}" for name in ("job", "member", "declared", "else"))
    for group, name in ((job, answers), (declared, answers), (elsewhere, events)):
        commit(kafka, group, name)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(answers, b"{}")
    assert producer.flush(30) == 0
    running = consumer(kafka, member)
    running.subscribe([answers])
    try:
        assert running.poll(30) is not None  # it has its partition
        observed = consumer_groups(Settings(kafka_bootstrap=kafka))
    finally:
        running.close()

    assert observed[job] == observed[member] == {answers}
    lineage = Lineage.of(
        [
            Edge(model("m"), topic(answers), by="ranker"),
            Edge(topic(answers), USERS, by="web", group=declared),
        ]
    )
    found = undeclared_consumers(lineage, observed)
    assert {each.group for each in found} == {job, member}
