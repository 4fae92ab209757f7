"""What somebody on call does at the command line once a loop was found, over real Kafka and Redis."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from pydantic import SecretStr
from redis import Redis
from typer.testing import CliRunner, Result

from eddyline.cli import build
from feature_store.clock import SystemClock
from feature_store.findings_log import read_findings
from feature_store.online.switches import open_switches
from feature_store.schema.findings import Beta, Finding, encode_record
from feature_store.schema.topics import FINDINGS
from feature_store.settings import Settings
from ranker.registry.hold import HoldUnknown, loop_hold, training_hold
from ranker.registry.hold_watcher import HoldWatcher

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WARNED, DETECTED, OTHER = "loop-0a", "loop-1b", "loop-1c"


def finding(name: str, verdict: str, feature: str) -> Finding:
    return Finding(
        finding_id=name,
        detector="board",
        subject="timeline_ranker",
        verdict=verdict,
        statistic=9.2,
        threshold=6.9,
        beta=Beta(0.101, 0.069, 0.132),
        evidence={"value": feature, "lag_epochs": 1, "found_by": "feature_path"},
        opened_time_ms=1_700_000_000_000,
        updated_time_ms=1_700_000_060_000,
        runbook="docs/runbooks/loop-detected.md",
    )


@pytest.fixture
def settings(
    kafka: str, redis_url: str, topics: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Of a deployment that no state folder knows: as the environment says."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    monkeypatch.setenv("EDDYLINE_KAFKA_BOOTSTRAP", kafka)
    monkeypatch.setenv("EDDYLINE_REDIS_URL", redis_url)
    yield Settings(kafka_bootstrap=kafka, redis_url=SecretStr(redis_url), home=tmp_path)
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()


def publish(settings: Settings, *findings: Finding) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    for each in findings:
        producer.produce(FINDINGS, encode_record(each), each.subject)
    assert producer.flush(30) == 0


def eddyline(words: str, *values: str) -> Result:
    return CliRunner().invoke(build(), [*words.split(), *values])


def printed(words: str, *values: str) -> str:
    result = eddyline(words, *values)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(words: str, *values: str) -> str:
    result = eddyline(words, *values)
    assert isinstance(result.exception, SystemExit) and result.exit_code in {1, 2}, result.output
    return result.stderr


def status() -> dict:
    return json.loads(printed("loops status --json"))


def test_a_finding_from_explained_to_closed(settings: Settings) -> None:
    held = loop_hold(settings)
    assert held() is None
    publish(settings, finding(WARNED, "warning", "item.ctr_1d"))
    assert held() is None
    began_ms = SystemClock().now_ms()
    publish(settings, finding(DETECTED, "loop_detected", "attribute.popularity"))
    publish(settings, finding(OTHER, "loop_detected", "item.clicks_1d"))
    hold = held()
    assert hold is not None and f"{DETECTED} (timeline_ranker), {OTHER}" in hold.reason
    assert began_ms <= hold.since_ms <= SystemClock().now_ms() and WARNED not in hold.reason

    explained = printed("loops explain", DETECTED)
    assert f"{DETECTED}: loop_detected on timeline_ranker, open" in explained
    assert "attribute.popularity, most clearly 1 epochs after the nudge" in explained
    assert "β = 0.101 (0.069 to 0.132)" in explained
    assert json.loads(printed("loops explain --json", "loop-0"))["finding_id"] == WARNED
    unknown = refused("loops explain", "loop-1")
    assert f"finding 'loop-1': 2 match; findings there: {WARNED}, {DETECTED}, {OTHER}" in unknown
    for words in ("loops explain nonesuch", "loops acknowledge nonesuch --by ana --note seen"):
        assert "finding 'nonesuch': 0 match; findings there: " in refused(words)

    said = printed("loops acknowledge --by ana --note looking", DETECTED)
    assert said == f"{DETECTED} is acknowledged\n"
    state = read_findings(settings)[DETECTED]
    assert state.acknowledgement is not None and state.acknowledgement.note == "looking"
    assert state.acknowledgement.verdict == "loop_detected"
    shown = printed("loops status")
    assert "acknowledged by ana" in shown and "promotion and training are held" in shown
    assert held() is not None

    assert printed("loops acknowledge --by ana --note mended --close", DETECTED) == f"{DETECTED} is closed\n"
    hold = held()
    assert hold is not None and DETECTED not in hold.reason
    printed("loops acknowledge --by ana --note mended --close", OTHER)
    assert held() is None
    assert "closed" in printed("loops status")
    found = {each["finding_id"]: each["holds"] for each in status()["findings"]}
    assert found == {WARNED: False, DETECTED: False, OTHER: False}


def test_switches_are_thrown_with_their_reason_and_thrown_back(settings: Settings) -> None:
    switches = open_switches(settings)
    assert printed("loops stop nudges --reason", "they do harm") == "nudges is off\n"
    since_ms = switches.read()["nudges"].since_time_ms
    assert abs(since_ms - SystemClock().now_ms()) < 600_000
    assert switches.read()["nudges"].reason == "they do harm"
    assert "they do harm" in printed("loops status")
    printed("loops stop nudges --reason", "they still do")
    assert switches.read()["nudges"].reason == "they still do"
    assert switches.read()["nudges"].since_time_ms == since_ms
    assert status()["held"] is False
    assert printed("loops start nudges") == "nudges may run\n"
    assert switches.read() == {}
    assert "harm" not in printed("loops status")


def test_training_is_stopped_by_hand(settings: Settings) -> None:
    held = training_hold(settings)
    assert held() is None
    assert printed("loops stop training --reason", "a loop is suspected") == "training is off\n"
    hold = held()
    assert hold is not None and "a loop is suspected" in hold.reason
    assert hold.since_ms == open_switches(settings).read()["training"].since_time_ms
    shown = printed("loops status")
    assert "promotion and training are stopped by hand, a loop is suspected" in shown
    assert status()["held"] is True
    assert printed("loops start training") == "training may run\n"
    assert held() is None
    assert status()["held"] is False


def test_what_cannot_be_switched_is_refused_with_what_can_be(settings: Settings) -> None:
    for words in ("loops stop serving --reason none", "loops start serving"):
        said = refused(words)
        assert "'serving' is not one of" in said and "'training'" in said
    assert open_switches(settings).read() == {}


def test_a_hold_that_cannot_be_asked_for_is_not_taken_for_none(settings: Settings) -> None:
    publish(settings, finding("loop-2d", "loop_detected", "item.ctr_1d"))
    watcher = HoldWatcher(loop_hold(settings), SystemClock())
    watcher.start()
    try:
        known = watcher.known.hold
        assert known is not None and "loop-2d" in known.reason
    finally:
        watcher.close()
    nowhere = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    with pytest.raises(HoldUnknown):
        training_hold(nowhere)()
