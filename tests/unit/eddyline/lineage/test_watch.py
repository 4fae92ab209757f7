"""D0 in production: what is written of undeclared consumers, once, and until somebody closes it."""

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from eddyline.lineage.watch import LineageWatch
from feature_store.clock import ManualClock
from feature_store.lineage import USERS, Edge, Lineage, LineageError, model, topic
from feature_store.schema.findings import Acknowledgement, decode_record, encode_record, fold_all
from feature_store.schema.topics import FINDINGS_AGAIN_MS
from streams.feedback.production.finding_metrics import FindingMetrics

DECLARED = Lineage.of(
    [
        Edge(USERS, topic("events"), by="producers"),
        Edge(topic("events"), model("m"), by="ranker", group="ranker", allowed_gain=0.0),
        Edge(model("m"), topic("answers"), by="ranker"),
    ]
)
WRITES_EVENTS = Edge(topic("clicks"), topic("events"), by="mailer", group="mailer")
OURS = {"ranker": {"events"}}
STRANGER = OURS | {"mailer": {"answers"}}


class Deployment:
    """A broker's groups, a log of findings as bytes, and a watch over them that can be started anew."""

    def __init__(self, groups):
        self.groups = groups
        self.declared = DECLARED
        self.log = []
        self.clock = ManualClock(1_000)
        self.restart()

    def restart(self):
        self.registry = CollectorRegistry()
        self.watch = LineageWatch(
            lambda: self._or_raise(self.declared),
            lambda: self._or_raise(self.groups),
            self.known,
            lambda record: self.log.append(encode_record(record)),
            FindingMetrics(self.registry),
            self.clock,
        )

    def known(self):
        return fold_all(enumerate(map(decode_record, self.log)))

    def look(self):
        """Look once; the findings that are there then."""
        self.watch.look()
        return list(self.known().values())

    def say(self, state, *, closes):
        said = Acknowledgement(
            finding_id=state.finding.finding_id,
            subject=state.finding.subject,
            by="ana",
            note="asked",
            closes=closes,
            time_ms=self.clock.now_ms(),
        )
        self.log.append(encode_record(said))

    def verdict(self):
        (shown,) = [
            sample.labels["verdict"]
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "eddyline_loop_verdict" and sample.value == 1
        ]
        return shown

    def open(self, verdict, acknowledged="false"):
        labels = {"verdict": verdict, "acknowledged": acknowledged}
        return self.registry.get_sample_value("eddyline_loop_findings_open", labels)

    @staticmethod
    def _or_raise(value):
        if isinstance(value, Exception):
            raise value
        return value


def test_a_deployment_without_strangers_is_quiet_and_writes_nothing():
    deployment = Deployment(OURS | {"somebody": {"events"}})
    assert deployment.look() == []
    assert (deployment.verdict(), deployment.open("warning")) == ("quiet", 0)


def test_a_stranger_is_found_once_however_often_it_is_looked_at_and_by_whom():
    deployment = Deployment(STRANGER)
    (state,) = deployment.look()
    deployment.restart()
    deployment.look()
    assert len(deployment.log) == 1
    assert (state.finding.subject, state.finding.verdict) == ("mailer reads answers", "warning")
    assert state.finding.runbook == "docs/runbooks/undeclared-consumer.md"
    assert state.finding.evidence["models"] == ["m"]
    assert (deployment.verdict(), deployment.open("warning")) == ("warning", 1)


def test_what_the_stranger_turns_out_to_write_makes_the_same_finding_a_loop():
    deployment = Deployment(STRANGER)
    (before,) = deployment.look()
    deployment.say(before, closes=False)
    deployment.look()
    assert deployment.open("warning", "true") == 1
    deployment.declared = Lineage.of(DECLARED.edges, [WRITES_EVENTS])
    deployment.clock.advance(7)
    (after,) = deployment.look()
    assert (after.finding.finding_id, after.finding.verdict) == (before.finding.finding_id, "loop_detected")
    assert (after.finding.opened_time_ms, after.finding.updated_time_ms) == (1_000, 1_007)
    assert after.holds
    assert deployment.open("loop_detected") == 1  # who had the warning does not have this


def test_what_seems_to_be_less_goes_on_as_the_loop_that_it_was_and_holds():
    deployment = Deployment(STRANGER)
    deployment.declared = Lineage.of(DECLARED.edges, [WRITES_EVENTS])
    (before,) = deployment.look()
    deployment.declared = DECLARED
    (after,) = deployment.look()
    assert after == before and after.holds


def test_another_loop_without_an_allowed_gain_is_another_finding():
    deployment = Deployment(OURS)
    for name in ("echo", "copy"):
        back = [Edge(topic("answers"), topic(name), by="x"), Edge(topic(name), model("m"), by="x")]
        deployment.declared = Lineage.of(deployment.declared.edges, back)
        subjects = {state.finding.subject for state in deployment.look()}
        assert f"model:m -> topic:answers -> topic:{name}" in subjects
    assert len(subjects) == 2


def test_what_is_found_otherwise_is_written_again():
    deployment = Deployment(STRANGER)
    deployment.look()
    deployment.declared = Lineage.of(DECLARED.edges, [Edge(model("n"), topic("answers"), by="ranker")])
    (state,) = deployment.look()
    assert state.finding.evidence["models"] == ["m", "n"]
    assert len(deployment.log) == 2


def test_a_broker_that_shows_none_of_our_groups_makes_it_blind():
    deployment = Deployment({})
    assert deployment.look() == []
    assert deployment.verdict() == "blind"


def test_a_finding_stays_open_when_its_cause_is_gone_and_is_over_when_it_is_closed():
    deployment = Deployment(STRANGER)
    (state,) = deployment.look()
    deployment.groups = OURS
    deployment.look()
    assert (deployment.verdict(), deployment.open("warning")) == ("quiet", 1)
    deployment.say(state, closes=True)
    (closed,) = deployment.look()
    assert not closed.open
    assert deployment.open("warning") == 0


def test_closed_while_it_is_still_so_it_is_found_anew():
    deployment = Deployment(STRANGER)
    (first,) = deployment.look()
    deployment.say(first, closes=True)
    deployment.clock.advance(1)
    _, second = deployment.look()
    assert second.open
    assert second.finding.finding_id != first.finding.finding_id


def test_what_is_open_is_written_each_day_with_what_was_said_of_it():
    deployment = Deployment(STRANGER)
    (state,) = deployment.look()
    deployment.say(state, closes=False)
    deployment.clock.advance(FINDINGS_AGAIN_MS - 1)
    deployment.look()
    assert len(deployment.log) == 2
    deployment.clock.advance(1)
    deployment.look()
    again, said = map(decode_record, deployment.log[2:])
    assert again == msgspec.structs.replace(state.finding, updated_time_ms=1_000 + FINDINGS_AGAIN_MS)
    assert said == deployment.known()[again.finding_id].acknowledgement


@pytest.mark.parametrize(
    "error", [KafkaException(KafkaError(KafkaError._TIMED_OUT)), LineageError("no edge")]
)
def test_who_cannot_look_is_blind_with_the_reason_until_it_can(error):
    deployment = Deployment(STRANGER)
    deployment.groups = error
    assert deployment.look() == []
    assert deployment.verdict() == "blind"
    reason = {"subject": "consumer groups", "detector": "D0", "reason": str(error)}
    assert deployment.registry.get_sample_value("eddyline_loop_blind_reason", reason) == 1
    deployment.groups = STRANGER
    assert len(deployment.look()) == 1
    assert deployment.verdict() == "warning"
    assert deployment.registry.get_sample_value("eddyline_loop_blind_reason", reason) is None
