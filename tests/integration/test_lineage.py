"""Consumer groups of a real broker against a declared lineage."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client import CollectorRegistry

from eddyline.lineage.__main__ import make_watch
from eddyline.lineage.settings import LineageSettings
from feature_store.findings_log import read_findings
from feature_store.lineage import USERS, Edge, Lineage, model, topic
from feature_store.schema.findings import Record, decode_record
from feature_store.schema.topics import FINDINGS
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds, log_reader, read_log
from streams.feedback.lineage import undeclared_consumers
from streams.feedback.lineage_broker import consumer_groups
from tests.integration.producers import ordered_producer

pytestmark = pytest.mark.integration

NO_COORDINATOR_YET = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""What a fresh broker says of a group until the partition that keeps its offsets has been loaded."""


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
    job, deadline = consumer(kafka, group), time.monotonic() + 60
    while not is_committed(job, name):
        assert time.monotonic() < deadline
    job.close()


def is_committed(job: Consumer, name: str) -> bool:
    """Commit; False where nobody keeps offsets of the group yet."""
    try:
        job.commit(offsets=[TopicPartition(name, 0, 0)], asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in NO_COORDINATOR_YET:
            raise
        return False
    return True


def test_a_consumer_that_nobody_declared_is_found_whether_it_runs_or_has_run(
    kafka: str, make_topics: Callable[..., list[str]]
) -> None:
    answers, events = make_topics("answers", "events")
    suffix = answers.rsplit("-", 1)[1]
    job, member, declared, elsewhere = (f"{name}-{suffix}" for name in ("job", "member", "declared", "else"))
    for group, name in ((job, answers), (declared, answers), (elsewhere, events)):
        commit(kafka, group, name)
    producer = ordered_producer(kafka)
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


@pytest.fixture
def findings_topic(kafka: str) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(FINDINGS, 1, 1)])[FINDINGS].result()
    yield
    admin.delete_topics([FINDINGS])[FINDINGS].result()


def test_a_watch_writes_of_a_stranger_once_and_another_process_goes_on(
    kafka: str, make_topics: Callable[..., list[str]], findings_topic: None, tmp_path: Path
) -> None:
    settings = LineageSettings(kafka_bootstrap=kafka, lineage_outside=tmp_path / "outside.toml")
    (answers,) = make_topics("answers")
    ours, stranger = f"ours-{answers}", f"stranger-{answers}"
    edges = f'[[edge]]\nsource = "model:m"\ntarget = "topic:{answers}"\n{reads(ours, answers)}'
    settings.lineage_outside.write_text(edges)
    for group in (ours, stranger):
        commit(kafka, group, answers)

    make_watch(settings, CollectorRegistry()).look()
    make_watch(settings, CollectorRegistry()).look()
    (found,) = (state for state in read_findings(settings).values() if stranger in state.finding.subject)
    assert found.open
    assert found.finding.evidence["closes_loop"] is None
    assert len(list(written(settings, found.finding.finding_id))) == 1

    settings.lineage_outside.write_text(edges + reads(stranger, answers))
    registry = CollectorRegistry()
    make_watch(settings, registry).look()
    labels = {"subject": "consumer groups", "detector": "D0", "experiment": "", "verdict": "quiet"}
    assert registry.get_sample_value("eddyline_loop_verdict", labels) == 1


def reads(group: str, name: str) -> str:
    """What declares that a group reads a topic, for a mail."""
    return f'[[edge]]\nsource = "topic:{name}"\ntarget = "system:mail"\ngroup = "{group}"\n'


def written(settings: Settings, finding_id: str) -> Iterator[Record]:
    """All that was ever written under an id."""
    reader = log_reader(settings, "test")
    try:
        for message in read_log(reader, FINDINGS, log_bounds(reader, FINDINGS)):
            if (record := decode_record(message.value() or b"")).finding_id == finding_id:
                yield record
    finally:
        reader.close()
