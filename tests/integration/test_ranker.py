"""`python -m ranker.service` against a real broker, Redis and Triton: both doors, and parts that die."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from pydantic import SecretStr

from eddyline.stack.background import running
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.redis import redis as redis_process
from eddyline.stack.settings import StackSettings
from eddyline.stack.supervisor import Supervisor
from eddyline.stack.triton import triton as triton_process
from feature_store.clock import SystemClock
from feature_store.online.switches import Switch, open_switches
from feature_store.schema.findings import Acknowledgement, Finding, encode_record
from feature_store.schema.ids import partition_of
from feature_store.schema.served import decode_served
from feature_store.schema.topics import EVENTS, FINDINGS, ITEMS, RANK_REQUESTS, RANK_RESPONSES, RANK_SERVED
from feature_store.settings import MAX_MESSAGE_BYTES, Settings
from ranker.registry.bootstrap import bootstrap
from ranker.registry.connect import open_registry
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from ranker.registry.signature import default_signature
from tests.integration.patience import PATIENT_RANKER
from tests.integration.producers import ordered_producer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PATIENCE_S = 120.0
FOUND = Finding(
    finding_id="loop-1",
    detector="board",
    subject="timeline_ranker",
    verdict="loop_detected",
    statistic=9.0,
    threshold=6.9,
    opened_time_ms=1,
    updated_time_ms=1,
    runbook="docs/runbooks/loop-detected.md",
)
OVER = Acknowledgement(
    finding_id="loop-1", subject="timeline_ranker", by="ana", note="mended", closes=True, time_ms=2
)


class Ranker:
    """A ranker process and the parts that are its own, so that they can be killed."""

    def __init__(
        self, environment: dict[str, str], log: Path, http: str, bootstrap: str, parts: Supervisor
    ) -> None:
        self._environment = environment
        self._log = log
        self._parts = parts
        self.bootstrap = bootstrap
        self.client = httpx.Client(base_url=http, timeout=30, trust_env=False)
        self.start()

    @property
    def settings(self) -> Settings:
        """Where its registry and its switches are."""
        return Settings(
            home=Path(self._environment["EDDYLINE_HOME"]),
            redis_url=SecretStr(self._environment["EDDYLINE_REDIS_URL"]),
        )

    def start(self, **settings: str) -> None:
        """Start the process, with ``settings`` instead of its own, and wait until it is ready."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ranker.service"],
                env=self._environment | settings,
                stdout=log,
                stderr=log,
            )
        wait_until(self._ready, self._log.read_text)

    def stop(self, how: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """End the process, however it is."""
        self.client.close()
        self.process.kill()
        self.process.wait()

    def kill_part(self, name: str) -> None:
        """SIGKILL Redis or Triton; their supervisor starts it again."""
        os.kill(self._pid(name), signal.SIGKILL)

    @contextmanager
    def part_stopped(self, name: str) -> Iterator[None]:
        """A part that does nothing, until :meth:`resume_part` or the end."""
        os.killpg(self._pid(name), signal.SIGSTOP)
        try:
            yield
        finally:
            self.resume_part(name)

    def resume_part(self, name: str) -> None:
        """Let a stopped part go on."""
        os.killpg(self._pid(name), signal.SIGCONT)

    def _pid(self, name: str) -> int:
        (status,) = [each for each in self._parts.statuses if each.name == name]
        return status.pid

    def rank(self, **fields) -> dict:
        """The answer to one request over HTTP."""
        request = {"request_id": uuid.uuid4().hex, "user_id": "u1", "candidates": ["i1", "i2"], **fields}
        answer = self.client.post("/v1/rank", json=request)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()[-5000:]
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def ranker(
    kafka: str,
    topics: None,
    stack_settings: StackSettings,
    parts: Parts,
    ports: Ports,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ranker]:
    home = tmp_path_factory.mktemp("ranker")
    settings = Settings(home=home, kafka_bootstrap=kafka)
    bootstrap(ModelFolders(settings.model_repository), default_signature(), SystemClock())
    redis = redis_process(stack_settings, parts, home / "redis", ports["ranker-redis"])
    triton = triton_process(
        parts,
        settings.model_servers,
        lambda: ["counters"],
        http_port=ports["ranker-triton-http"],
        grpc_port=ports["ranker-triton-grpc"],
        metrics_port=ports["ranker-triton-metrics"],
    )
    with running([redis, triton], home / "logs") as supervisor:
        environment = {
            **os.environ,
            **PATIENT_RANKER,
            "EDDYLINE_HOME": str(home),
            "EDDYLINE_KAFKA_BOOTSTRAP": kafka,
            "EDDYLINE_REDIS_URL": f"redis://127.0.0.1:{ports['ranker-redis']}/0",
            "EDDYLINE_TRITON_GRPC": f"127.0.0.1:{ports['ranker-triton-grpc']}",
            "EDDYLINE_TRITON_HTTP": f"127.0.0.1:{ports['ranker-triton-http']}",
            "EDDYLINE_HTTP_PORT": str(ports["ranker-http"]),
            "EDDYLINE_SERVED_SAMPLE_RATE": "0.5",
            "EDDYLINE_RANK_MAX_AGE_MS": "600000",
        }
        made = Ranker(
            environment,
            home / "ranker.log",
            f"http://127.0.0.1:{ports['ranker-http']}",
            kafka,
            supervisor,
        )
        try:
            yield made
        finally:
            made.close()


def wait_until(condition: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    """Ask until it holds; the pause leaves the processor to what is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, explain()[-5000:]
        time.sleep(0.05)


@contextmanager
def reading(bootstrap: str, topic: str) -> Iterator[Callable[[], list]]:
    """Messages that arrive in a topic from now on: each call returns the next ones."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ends = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=30)[1] for n in partitions}
    consumer.assign([TopicPartition(topic, n, end) for n, end in ends.items()])
    try:
        yield lambda: [message for message in consumer.consume(100, 0.2) if message.error() is None]
    finally:
        consumer.close()


def produce(bootstrap: str, topic: str, *messages: tuple[str, bytes, list]) -> None:
    """Write (key, value, headers) messages."""
    producer = ordered_producer(
        bootstrap, **{"partitioner": "murmur2_random", "message.max.bytes": MAX_MESSAGE_BYTES}
    )
    for key, value, headers in messages:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(60) == 0


def test_a_request_over_http_is_ranked_by_triton_and_leaves_rows_and_a_ready_timeline(ranker: Ranker) -> None:
    user_id = uuid.uuid4().hex
    with reading(ranker.bootstrap, RANK_SERVED) as served:
        answer = ranker.rank(user_id=user_id, candidates=["a", "b", "c"], limit=2)
        rows: list[dict] = []
        while len(rows) < 3:
            for message in served():
                found = [
                    row for row in decode_served(message.value()).to_pylist() if row["user_id"] == user_id
                ]
                assert not found or message.partition() == partition_of(user_id, Settings().batch_partitions)
                rows += found
    assert (answer["model"]["name"], answer["degraded"]) == ("counters", [])
    positions = {row["item_id"]: row["position"] for row in rows}
    assert {item["item_id"]: item["position"] for item in answer["items"]} == {
        item: position for item, position in positions.items() if position is not None
    }
    wait_until(lambda: ranker.client.get(f"/v1/timelines/{user_id}").status_code == 200)
    ready = ranker.client.get(f"/v1/timelines/{user_id}").json()
    assert ready["items"] == answer["items"]


def test_requests_by_topic_are_answered_with_their_headers_and_errors_name_the_field(ranker: Ranker) -> None:
    ok, bad = uuid.uuid4().hex, uuid.uuid4().hex
    trace = [("trace", b"\x00\xff"), ("trace", b"again")]
    messages = (
        (
            "u1",
            json.dumps({"request_id": ok, "user_id": "u1", "candidates": ["a"], "client_id": "me"}).encode(),
            trace,
        ),
        ("u2", json.dumps({"request_id": bad, "user_id": "u2", "limit": -1}).encode(), [("n", b"2")]),
        ("u3", b"\xff\x00 garbage", [("n", b"3")]),
        ("u4", b"", [("n", b"4")]),
    )
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        produce(ranker.bootstrap, RANK_REQUESTS, *messages)
        found: dict[bytes, tuple[dict, list]] = {}
        while len(found) < 4:
            found |= {each.key(): (json.loads(each.value()), each.headers()) for each in responses()}
    answer, headers = found[b"u1"]
    assert (answer["request_id"], answer["client_id"], headers) == (ok, "me", trace)
    assert answer["items"][0]["item_id"] == "a"
    assert (found[b"u2"][0]["request_id"], found[b"u2"][0]["error"]["field"]) == (bad, "limit")
    assert found[b"u2"][1] == [("n", b"2")]
    for key in (b"u3", b"u4"):
        assert found[key][0]["request_id"] is None
        assert found[key][0]["error"]["code"] == "malformed"


def test_headers_too_large_to_go_back_are_refused_without_them_and_the_topic_goes_on(ranker: Ranker) -> None:
    large, after = uuid.uuid4().hex, uuid.uuid4().hex
    payloads = {each: json.dumps({"request_id": each, "user_id": "u1"}).encode() for each in (large, after)}
    found: dict[str, Message] = {}
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        produce(
            ranker.bootstrap,
            RANK_REQUESTS,
            ("u1", payloads[large], [("big", b"x" * (MAX_MESSAGE_BYTES - 1_000))]),
            ("u1", payloads[after], [("n", b"1")]),
        )
        while len(found) < 2:
            found |= {as_json(message)["request_id"]: message for message in responses()}
    error = as_json(found[large])["error"]
    assert (error["code"], error["field"]) == ("headers_too_large", "headers")
    assert not found[large].headers()
    assert found[after].headers() == [("n", b"1")]


def test_no_candidates_and_far_too_many_are_answered_and_the_topic_goes_on(ranker: Ranker) -> None:
    none, many, after = (uuid.uuid4().hex for _ in range(3))
    candidates = {none: [], many: [f"i{n}" for n in range(100_000)], after: ["a"]}
    requests = [
        ("u1", json.dumps({"request_id": each, "user_id": "u1", "candidates": ids}).encode(), [])
        for each, ids in candidates.items()
    ]
    found: dict[str, dict] = {}
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        produce(ranker.bootstrap, RANK_REQUESTS, *requests)
        while len(found) < 3:
            found |= {answer["request_id"]: answer for answer in map(as_json, responses())}
    assert (found[none]["items"], found[none]["degraded"]) == ([], [])
    error = found[many]["error"]
    assert (error["code"], error["field"]) == ("too_many_candidates", "candidates")
    assert [item["item_id"] for item in found[after]["items"]] == ["a"]


def as_json(message: Message) -> dict:
    return json.loads(message.value())


def test_events_over_http_reach_kafka_before_they_are_acknowledged(ranker: Ranker) -> None:
    event_id = uuid.uuid4().hex
    event = {
        "type": "impression",
        "event_id": event_id,
        "event_time_ms": time.time_ns() // 1_000_000,
        "user_id": "u1",
        "item_id": "i1",
    }
    with reading(ranker.bootstrap, EVENTS) as events:
        answer = ranker.client.post("/v1/events", json={"events": [event, {"type": "impression"}]})
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
        found: list[dict] = []
        while not found:
            found = [json.loads(each.value()) for each in events() if event_id.encode() in each.value()]
    assert found == [event]


def test_items_that_are_announced_become_candidates_and_removed_ones_go(ranker: Ranker) -> None:
    item_id, now_ms = uuid.uuid4().hex, time.time_ns() // 1_000_000

    def announce(kind: str, time_ms: int) -> None:
        event = {"type": kind, "event_id": uuid.uuid4().hex, "event_time_ms": time_ms, "item_id": item_id}
        produce(ranker.bootstrap, ITEMS, (item_id, json.dumps(event).encode(), []))

    def offered() -> bool:
        answer = ranker.rank(candidates=None, limit=2000)
        return item_id in {item["item_id"] for item in answer["items"]}

    announce("item", now_ms)
    wait_until(offered)
    announce("item_removed", now_ms + 1)
    wait_until(lambda: not offered())


def test_without_triton_the_counters_rank_and_triton_is_used_again_when_it_is_back(ranker: Ranker) -> None:
    ranker.kill_part("triton")
    degraded: list[str] = []
    while not degraded:
        degraded = ranker.rank()["degraded"]
    assert degraded[0] in ("model_unavailable", "model_late")
    assert degraded[-1] == "scored_by_counters"
    wait_until(lambda: ranker.rank()["degraded"] == [])
    assert ranker.rank()["model"]["name"] == "counters"


def test_without_redis_the_callers_order_is_kept_and_rows_are_read_again_when_it_is_back(
    ranker: Ranker,
) -> None:
    ranker.kill_part("redis")
    answer = ranker.rank(candidates=["b", "a", "c"])
    while not answer["degraded"]:
        answer = ranker.rank(candidates=["b", "a", "c"])
    assert answer["degraded"] == ["features_unavailable", "scored_by_input_order"]
    assert [item["item_id"] for item in answer["items"]] == ["b", "a", "c"]
    wait_until(lambda: ranker.rank()["degraded"] == [])


def messages(request_ids: list[str]) -> list[tuple[str, bytes, list]]:
    """Requests for two items, as :func:`produce` takes them."""
    body = {"user_id": "u1", "candidates": ["a", "b"]}
    return [(each, json.dumps({"request_id": each, **body}).encode(), []) for each in request_ids]


def test_a_ranker_that_is_killed_or_told_to_end_leaves_no_request_unanswered(ranker: Ranker) -> None:
    requests = [uuid.uuid4().hex for _ in range(300)]
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        produce(ranker.bootstrap, RANK_REQUESTS, *messages(requests[:100]))
        answered = {each.key() for each in responses()}
        ranker.stop(signal.SIGKILL)
        produce(ranker.bootstrap, RANK_REQUESTS, *messages(requests[100:200]))
        ranker.start()
        assert ranker.stop(signal.SIGTERM) == 0
        produce(ranker.bootstrap, RANK_REQUESTS, *messages(requests[200:]))
        ranker.start()
        deadline = time.monotonic() + PATIENCE_S
        while answered < {each.encode() for each in requests}:
            answered |= {each.key() for each in responses() if b'"items"' in each.value()}
            assert time.monotonic() < deadline, len(answered)


def test_a_request_whose_response_kafka_refuses_is_answered_by_the_next_ranker(ranker: Ranker) -> None:
    (lost,) = requests = [uuid.uuid4().hex]
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        with smaller_messages(ranker.bootstrap, RANK_RESPONSES):
            produce(ranker.bootstrap, RANK_REQUESTS, *messages(requests))
            assert ranker.process.wait(PATIENCE_S) != 0
        ranker.start()
        wait_until(lambda: lost.encode() in {each.key() for each in responses()})


@contextmanager
def smaller_messages(bootstrap: str, topic: str) -> Iterator[None]:
    """The broker refuses what is longer than a few bytes."""
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def alter(value: str, operation: AlterConfigOpType) -> None:
        entry = ConfigEntry("max.message.bytes", value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for altered in admin.incremental_alter_configs([resource]).values():
            altered.result(30)

    (before,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    usual = before.result(30)["max.message.bytes"].value
    alter("10", AlterConfigOpType.SET)
    try:
        yield
    finally:
        alter(usual, AlterConfigOpType.SET)


def test_requests_in_flight_over_http_are_answered_before_a_ranker_ends(ranker: Ranker) -> None:
    def rank(n: int) -> dict:
        return ranker.rank(user_id=f"u{n}")

    ranker.stop(signal.SIGTERM)
    ranker.start(EDDYLINE_RANK_DEADLINE_MS="60000", EDDYLINE_RANK_MODEL_TIMEOUT_MS="60000")
    with ranker.part_stopped("triton"), ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(rank, n) for n in range(8)]
        wait_until(lambda: "eddyline_ranker_in_flight_requests 8.0" in ranker.client.get("/metrics").text)
        ranker.process.send_signal(signal.SIGTERM)
        ranker.resume_part("triton")
        assert [each.result()["degraded"] for each in answers] == [[]] * 8
    assert ranker.process.wait(PATIENCE_S) == 0
    ranker.start()


def test_a_model_that_runs_in_the_process_itself_is_said_in_every_answer(ranker: Ranker) -> None:
    assert ranker.stop(signal.SIGTERM) == 0
    ranker.start(EDDYLINE_INFERENCE="embedded", EDDYLINE_TRITON_GRPC="127.0.0.1:1", EDDYLINE_TRITON_HTTP="")
    answer = ranker.rank()
    assert (answer["model"]["name"], answer["degraded"]) == ("counters", ["embedded_inference"])


def test_a_ranker_that_leaves_the_topic_to_another_model_is_asked_over_http_only(ranker: Ranker) -> None:
    left = [uuid.uuid4().hex for _ in range(5)]
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        assert ranker.stop(signal.SIGTERM) == 0
        produce(ranker.bootstrap, RANK_REQUESTS, *messages(left))
        ranker.start(EDDYLINE_RANK_BY_TOPIC="false")
        assert ranker.rank()["degraded"] == []
        assert not {each.key().decode() for each in responses()} & set(left)


def test_requests_that_waited_too_long_in_the_topic_are_shed_with_an_answer(ranker: Ranker) -> None:
    requests = [uuid.uuid4().hex for _ in range(20)]
    answers: dict[str, dict] = {}
    with reading(ranker.bootstrap, RANK_RESPONSES) as responses:
        assert ranker.stop(signal.SIGTERM) == 0
        produce(ranker.bootstrap, RANK_REQUESTS, *messages(requests))
        ranker.start(EDDYLINE_RANK_MAX_AGE_MS="1")

        def all_answered() -> bool:
            answers.update({each.key().decode(): json.loads(each.value()) for each in responses()})
            return answers.keys() >= set(requests)

        wait_until(all_answered)
    assert {answers[each]["error"]["code"] for each in requests} == {"overloaded"}
    assert {answers[each]["request_id"] for each in requests} == set(requests)


def test_users_who_are_held_out_are_answered_by_the_frozen_model_and_what_that_costs_is_measured(
    ranker: Ranker,
) -> None:
    assert ranker.stop(signal.SIGTERM) == 0
    ranker.start(
        EDDYLINE_HOLDOUT_SHARE="0.5",
        EDDYLINE_HOLDOUT_MODEL="reference/1",
        EDDYLINE_HOLDOUT_SALT="test",
        EDDYLINE_EXPERIMENTS_COST_MAX="1",
    )
    answers = [ranker.rank(user_id=f"holdout-{n}") for n in range(32)]
    models = {(each["assignments"]["holdout"]["variant"], each["model"]["name"]) for each in answers}
    assert models == {("holdout", "reference"), ("treatment", "counters")}
    cost = 'eddyline_ranker_experiment_cost_ratio{experiment="holdout"} '
    wait_until(lambda: cost in ranker.client.get("/metrics").text)


def test_where_deploy_times_are_drawn_a_promotion_waits_and_the_switch_and_a_rollback_do_not(
    ranker: Ranker,
) -> None:
    assert ranker.stop(signal.SIGTERM) == 0
    ranker.start(EDDYLINE_DEPLOY_SLOTS="8", EDDYLINE_DEPLOY_STEP_S="3600", EDDYLINE_DEPLOY_SALT="test")
    registry, switches = open_registry(ranker.settings, SystemClock()), open_switches(ranker.settings)

    def serves(name: str) -> bool:
        return ranker.rank()["model"]["name"] == name

    def measures(what: str) -> bool:
        return f"eddyline_ranker_experiment_deploy_{what} 1.0" in ranker.client.get("/metrics").text

    def waits() -> bool:
        return measures("waiting")

    def held() -> bool:
        return measures("held")

    assert serves("counters")
    registry.promote(ModelId("reference", "1"), expected=ModelId("counters", "1"), reason="test")
    wait_until(waits)
    assert serves("counters") and not held()
    assert ranker.rank()["assignments"]["deploys"]["variant"].endswith("/none")
    switches.switch_off("deploys", Switch("test", 0))
    wait_until(lambda: serves("reference"))
    assert not waits()
    switches.switch_on("deploys")
    produce(ranker.bootstrap, FINDINGS, ("timeline_ranker", encode_record(FOUND), []))
    wait_until(held)
    registry.roll_back(reason="test")
    wait_until(lambda: serves("counters"))
    assert held()
    produce(ranker.bootstrap, FINDINGS, ("timeline_ranker", encode_record(OVER), []))
    wait_until(lambda: not held())
