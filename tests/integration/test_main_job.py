"""The main job, seen from outside: only the command line, Kafka and HTTP, on a stack of real parts."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from eddyline.clients.stack_settings import of_the_stack
from feature_store.clock import SystemClock
from feature_store.settings import Settings
from ranker.registry.connect import open_registry, open_training_data
from ranker.registry.signature import default_signature
from ranker.training.fit import Parameters
from ranker.training.gate import load_gate
from ranker.training.learning import Plan
from ranker.training.publish import Publisher
from ranker.training.run import train
from ranker.training.settings import UPDATE_GATE
from ranker.training.synthetic import synthetic_exposures
from ranker.triton.connect import open_inference
from tests.integration.patience import PATIENT_RANKER
from tests.integration.producers import ordered_producer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EDDYLINE = str(Path(sys.executable).with_name("eddyline"))
USERS, ITEMS, CREATORS = 40, 60, 7
_BETWEEN_VISITS_S = 0.1
"""Users must not take the processor from the trainer, who yields it to them."""
_BETWEEN_LOOKS_S = 0.5
"""A look is a process or many requests: without a pause it takes the processor from what is waited for."""


class Stack:
    """A running stack, known only by what `eddyline status --json` says."""

    def __init__(self, home: Path) -> None:
        self.environment = {
            **os.environ,
            **PATIENT_RANKER,
            "EDDYLINE_HOME": str(home),
            "EDDYLINE_INGEST_WORKERS": "2",
            "EDDYLINE_FEATURES_WORKERS": "2",
            "EDDYLINE_JOIN_WINDOW_S": "3",
            "EDDYLINE_TRAINER_WORKERS": "1",
            "EDDYLINE_TRAINER_MIN_REQUESTS": "30",
            "EDDYLINE_TRAINER_POLL_S": "0.5",
            "EDDYLINE_TRAINER_EVERY_S": "5",
            "EDDYLINE_TRAINER_GATE": str(home / "gate.toml"),
        }
        self.home = home
        (home / "gate.toml").write_text(_easy(UPDATE_GATE))

    def command(self, *words: str) -> str:
        argv = [EDDYLINE, *words]
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def status(self) -> dict:
        return json.loads(self.command("status", "--json"))

    def wait_ready(self) -> dict:
        deadline = time.monotonic() + 180
        while not (status := self.status())["ready"]:
            assert time.monotonic() < deadline, status
            time.sleep(_BETWEEN_LOOKS_S)
        return status


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.command("up", "--detach")
    try:
        yield running
    finally:
        pids = list(running.status()["processes"].values())
        running.command("down")
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def _easy(gate: Path) -> str:
    """A gate that asks for no quality: there is too little to learn from, on a machine that may be slow."""
    margins = r"(margin|max_error|max_median_ms)( += )[\d.]+"
    return re.sub(margins, r"\g<1>\g<2>1e9", gate.read_text())


def _item(n: int, now_ms: int) -> dict:
    return {
        "type": "item",
        "event_id": f"item-{n}",
        "event_time_ms": now_ms,
        "item_id": f"i{n}",
        "creator_id": f"c{n % CREATORS}",
        "attributes": {"genres": ["drama", "comedy"] if n % 2 else ["horror"], "popularity": float(n)},
    }


def _feedback(n: int, rng: random.Random, now_ms: int) -> dict:
    base = {
        "event_id": f"e{n}",
        "event_time_ms": now_ms - rng.randrange(60_000),
        "user_id": f"u{rng.randrange(USERS)}",
        "item_id": f"i{rng.randrange(ITEMS)}",
    }
    if rng.random() < 0.2:
        return {"type": "interaction", **base, "action": "click", "value": 1.0}
    return {"type": "impression", **base, "position": rng.randrange(20)}


def _oracle(events: list[dict]) -> dict[tuple[str, str], Counter]:
    """Count over the log: each valid event once by its id, for every entity it belongs to."""
    counts: dict[tuple[str, str], Counter] = {}
    for event in {event["event_id"]: event for event in reversed(events)}.values():
        item, user = event["item_id"], event["user_id"]
        creator = f"c{int(item[1:]) % CREATORS}"
        name = "impression_count_total" if event["type"] == "impression" else "click_count_total"
        for entity, entity_id in (
            ("item", item),
            ("user", user),
            ("creator", creator),
            ("user|creator", f"{user}|{creator}"),
        ):
            counts.setdefault((entity, entity_id), Counter())[name] += 1
    return counts


def _produce(bootstrap: str, events: list[dict], key: str) -> None:
    producer = ordered_producer(bootstrap, partitioner="murmur2_random")
    for event in events:
        producer.produce("events", json.dumps(event).encode(), event[key].encode())
        producer.poll(0)
    assert producer.flush(60) == 0


def _read_counts(client: httpx.Client, keys: list[tuple[str, str]]) -> dict[tuple[str, str], Counter]:
    def read(entity: str, entity_id: str) -> Counter:
        answer = client.get(f"/v1/features/{quote(entity, safe='')}/{quote(entity_id, safe='')}").json()
        features = answer["features"]
        return +Counter({name: features[name] for name in ("impression_count_total", "click_count_total")})

    return {key: read(*key) for key in keys}


def _wait_for_counts(
    client: httpx.Client, expected: dict[tuple[str, str], Counter], deadline_s: float
) -> None:
    deadline = time.monotonic() + deadline_s
    missing = list(expected)
    while missing:
        found = _read_counts(client, missing)
        missing = [key for key in missing if found[key] != expected[key]]
        assert not missing or time.monotonic() < deadline, {
            key: (found[key], expected[key]) for key in missing[:5]
        }
        time.sleep(_BETWEEN_LOOKS_S)
    found = _read_counts(client, list(expected))
    assert found == expected


class _History:
    """What was produced on the stack so far, and what its counters must be by it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._rng = random.Random(7)
        self._now_ms = time.time_ns() // 1_000_000
        self._events: list[dict] = []
        _produce(bootstrap, [_item(n, self._now_ms) for n in range(ITEMS)], "item_id")

    def go_on(self, events: int, again: int = 0) -> None:
        """Produce more events, and some of those before once more; returns when the broker has them."""
        number = len(self._events)
        self._events += [_feedback(number + n, self._rng, self._now_ms) for n in range(events)]
        repeated = self._rng.sample(self._events[:number], again)
        _produce(self._bootstrap, self._events[number:] + repeated, "user_id")

    def next_event(self) -> dict:
        """One more, for somebody else to produce."""
        self._events.append(_feedback(len(self._events), self._rng, self._now_ms))
        return self._events[-1]

    def counts(self) -> dict[tuple[str, str], Counter]:
        return _oracle(self._events)


@pytest.fixture(scope="module")
def history(stack: Stack) -> _History:
    return _History(stack.wait_ready()["kafka"])


def test_counters_are_exact_while_every_worker_is_killed(stack: Stack, history: _History) -> None:
    status = stack.wait_ready()
    with httpx.Client(base_url=status["http"], timeout=30) as client:
        history.go_on(200)
        _wait_for_counts(client, history.counts(), 120)

        victims = [
            name for name in status["processes"] if name.startswith(("ingest", "features", "join", "ranker"))
        ]
        assert len(victims) >= 6
        for victim in victims:
            history.go_on(700)
            os.kill(stack.status()["processes"][victim], signal.SIGKILL)
            history.go_on(800, again=20)
        stack.wait_ready()
        _wait_for_counts(client, history.counts(), 180)


class _Caller:
    """Asks through `rank.requests`, and remembers what came back."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = ordered_producer(bootstrap, partitioner="murmur2_random")
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "caller", "enable.auto.commit": False}
        )
        partitions = (
            self._consumer.list_topics("rank.responses", timeout=30).topics["rank.responses"].partitions
        )
        self._consumer.assign([TopicPartition("rank.responses", n, 0) for n in partitions])
        self.answers: dict[str, dict] = {}

    def ask(self, *request_ids: str) -> None:
        """Send requests; returns when the broker has them."""
        for request_id in request_ids:
            asked = {"request_id": request_id, "user_id": "u1", "candidates": ["i1", "i2"]}
            self._producer.produce("rank.requests", json.dumps(asked).encode(), b"u1")
        assert self._producer.flush(60) == 0

    def look(self) -> None:
        """Take in what comes within a second."""
        for message in self._consumer.consume(100, 1.0):
            if message.error() is None:
                answer = json.loads(message.value())
                self.answers[answer["request_id"]] = answer

    def close(self) -> None:
        self._consumer.close()


def test_a_broker_killed_under_load_comes_back_and_everything_goes_on(
    stack: Stack, history: _History
) -> None:
    status = stack.wait_ready()
    asked = [f"before-{n}" for n in range(50)]
    with (
        closing(_Caller(status["kafka"])) as caller,
        httpx.Client(base_url=status["http"], timeout=30) as client,
    ):
        history.go_on(2_000)
        caller.ask(*asked)
        os.kill(status["processes"]["kafka"], signal.SIGKILL)
        history.go_on(2_000, again=20)
        assert stack.wait_ready()["processes"]["kafka"] != status["processes"]["kafka"]

        deadline = time.monotonic() + 180
        for number in count():
            caller.ask(f"after-{number}")  # the first ones may have waited so long that they are shed
            caller.look()
            ranked = any("items" in caller.answers.get(f"after-{n}", {}) for n in range(number + 1))
            if ranked and caller.answers.keys() >= set(asked):
                break
            assert time.monotonic() < deadline, (len(caller.answers), stack.status())
        assert client.post("/v1/rank", json={"request_id": "http", "user_id": "u1"}).json()["items"]
        published = client.post("/v1/events", json={"events": [history.next_event()]})
        assert (published.status_code, published.json()["accepted"]) == (202, 1)
        _wait_for_counts(client, history.counts(), 180)


def test_a_request_is_ranked_over_both_front_doors_and_becomes_an_exposure(stack: Stack) -> None:
    status = stack.wait_ready()
    now_ms = time.time_ns() // 1_000_000
    _produce(status["kafka"], [_item(n, now_ms) for n in range(ITEMS)], "item_id")
    request = {
        "request_id": "front-door",
        "user_id": "visitor",
        "event_time_ms": now_ms,
        "surface": "home",
        "candidates": ["i1", "i2", "i3", "never-heard-of"],
        "limit": 3,
    }
    consumer = Consumer(
        {
            "bootstrap.servers": status["kafka"],
            "group.id": "outside",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["rank.responses", "exposures"])
    with httpx.Client(base_url=status["http"], timeout=30) as client:
        answer = client.post("/v1/rank", json=request).json()
    assert len(answer["items"]) == 3
    assert answer["model"]["name"] == "counters"
    assert answer["feature_service"]["fingerprint"]
    assert answer["degraded"] == []

    _produce(status["kafka"], [], "user_id")
    producer = ordered_producer(status["kafka"], partitioner="murmur2_random")
    producer.produce("rank.requests", json.dumps({**request, "request_id": "by-topic"}).encode(), b"visitor")
    shown = [
        {
            "type": "impression",
            "event_id": f"front-door-{item['position']}",
            "event_time_ms": now_ms + 1,
            "user_id": "visitor",
            "item_id": item["item_id"],
            "request_id": "front-door",
            "position": item["position"],
        }
        for item in answer["items"]
    ]
    _produce(status["kafka"], shown, "user_id")
    producer.flush(30)

    responses, exposed, deadline = set(), set(), time.monotonic() + 90
    try:
        while "by-topic" not in responses or len(exposed) < 3:
            assert time.monotonic() < deadline, (responses, exposed)
            for message in consumer.consume(100, 0.5):
                if message.error():
                    continue
                if message.topic() == "rank.responses":
                    responses.add(json.loads(message.value()).get("request_id"))
                else:
                    exposed |= _exposed_items(message.value(), "front-door")
    finally:
        consumer.close()
    assert exposed == {item["item_id"] for item in answer["items"]}


def _exposed_items(payload: bytes, request_id: str) -> set[str]:
    from feature_store.schema.batches import read_ipc

    rows = read_ipc(payload).select(["request_id", "item_id"]).to_pylist()
    return {row["item_id"] for row in rows if row["request_id"] == request_id}


def test_bad_bytes_become_dead_letters_with_a_reason(stack: Stack) -> None:
    status = stack.wait_ready()
    bad = [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"type":"impression"}',
        b'{"type":"nothing","event_id":"x","event_time_ms":1}',
    ]
    producer = ordered_producer(status["kafka"])
    for payload in bad:
        producer.produce("events", payload, b"bad")
    assert producer.flush(30) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": status["kafka"],
            "group.id": "outside-dead",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["events.dead-letter"])
    letters: dict[bytes, dict[str, bytes]] = {}
    deadline = time.monotonic() + 60
    try:
        while not all(payload in letters for payload in bad):
            assert time.monotonic() < deadline, letters
            for message in consumer.consume(100, 0.5):
                if not message.error():
                    letters[message.value() or b""] = dict(message.headers())
    finally:
        consumer.close()
    for payload in bad:
        assert letters[payload]["reason"]
        assert letters[payload]["source_topic"] == b"events"
        assert int(letters[payload]["source_offset"]) >= 0


def test_garbage_over_http_is_answered_with_an_error_that_names_the_field(stack: Stack) -> None:
    status = stack.wait_ready()
    with httpx.Client(base_url=status["http"], timeout=30) as client:
        for body in (b"", b"{", b"[]", b'{"user_id":1}', b'{"request_id":"r","user_id":"u|1"}'):
            answer = client.post("/v1/rank", content=body)
            assert answer.status_code == 400, (body, answer.text)
            assert set(answer.json()["error"]) >= {"code", "message", "field"}
        many = {"request_id": "r", "user_id": "u1", "candidates": [f"i{n}" for n in range(100_000)]}
        assert client.post("/v1/rank", json=many).status_code == 413
        empty = client.post("/v1/rank", json={"request_id": "r", "user_id": "u1", "candidates": []})
        assert empty.json()["items"] == []


def test_every_feature_that_was_served_is_what_a_fold_of_the_log_gives(stack: Stack) -> None:
    status = stack.wait_ready()
    candidates = [f"i{n}" for n in range(ITEMS)]
    with httpx.Client(base_url=status["http"], timeout=30) as client:
        for user in range(USERS):
            request = {
                "request_id": f"parity-{user}",
                "user_id": f"u{user}",
                "surface": "replay",
                "candidates": candidates,
            }
            assert client.post("/v1/rank", json=request).json()["degraded"] == []
    report = json.loads(stack.command("verify", "parity", "--json"))
    assert report["differences"] == report["missing"] == []
    assert (report["different"], report["unverified"]) == (0, 0)
    assert report["requests"] > USERS / 2
    query = {"query": "eddyline_parity_blind"}
    answer = httpx.get(f"{status['prometheus']}/api/v1/query", params=query, timeout=30).json()
    assert [series["value"][1] for series in answer["data"]["result"]] == ["0"]


def test_every_reader_of_what_models_decide_is_declared(stack: Stack) -> None:
    lineage = json.loads(stack.command("lineage", "--check", "--json"))
    assert lineage["undeclared_consumers"] == []
    assert {edge["group"] for edge in lineage["edges"]} >= {"eddyline-join", "eddyline-ranker"}


def test_a_model_is_taught_what_was_just_seen_serves_and_is_taken_back(stack: Stack) -> None:
    status = stack.wait_ready()
    _produce(status["kafka"], [_item(n, time.time_ns() // 1_000_000) for n in range(ITEMS)], "item_id")
    _learn_champion(stack.home)
    with httpx.Client(base_url=status["http"], timeout=30) as client:
        visits = _Visits(client, status["kafka"])
        visits.until(lambda model: model == "timeline_ranker/1")
        taught = visits.until(lambda model: model > "timeline_ranker/1")
        lineage = json.loads(stack.command("models", "show", taught))["lineage"]
        assert lineage["parent"] >= "timeline_ranker/1"
        assert sum(end - first for first, end in lineage["offsets"].values()) > 0
        visits.until(_cut_off_rollback(stack).__eq__)
    assert visits.failed == []


def _cut_off_rollback(stack: Stack) -> str:
    """Go back, and kill the command once it says to what: MLflow is told afterwards, nobody waits for it."""
    going_back = subprocess.Popen(
        [EDDYLINE, "models", "rollback", "--reason", "a test"],
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with going_back, going_back.stdout as said:
        target, _, rest = said.readline().partition(" ")
        going_back.kill()
    assert rest == "is the champion again\n"
    return target


class _Visits:
    """Users who come one after the other, see what is answered, and click on the first item."""

    def __init__(self, client: httpx.Client, bootstrap: str) -> None:
        self._client = client
        self._producer = ordered_producer(bootstrap, partitioner="murmur2_random")
        self._numbers = count()
        self.failed: list[str] = []

    def until(self, wanted: Callable[[str], bool]) -> str:
        """The model that answered at last."""
        deadline = time.monotonic() + 500
        while not wanted(served := self._visit()):
            assert time.monotonic() < deadline, (served, self.failed)
            time.sleep(_BETWEEN_VISITS_S)
        return served

    def _visit(self) -> str:
        """The model that answered."""
        n = next(self._numbers)
        user, candidates = f"u{n % USERS}", [f"i{item}" for item in range(n % 20, n % 20 + 20)]
        asked = {"request_id": f"visit-{n}", "user_id": user, "surface": "replay", "candidates": candidates}
        answer = self._client.post("/v1/rank", json={**asked, "limit": 5})
        if not answer.is_success:
            self.failed.append(answer.text)
            return ""
        seen = answer.json()
        for position, item in enumerate(seen["items"]):
            self._send("impression", user, n, item["item_id"], position=position)
        self._send("interaction", user, n, seen["items"][0]["item_id"], action="click")
        self._producer.poll(0)
        return f"{seen['model']['name']}/{seen['model']['version']}"

    def _send(self, kind: str, user: str, n: int, item: str, **more: object) -> None:
        event = {
            "type": kind,
            "event_id": f"{kind}-{n}-{item}",
            "event_time_ms": time.time_ns() // 1_000_000,
            "user_id": user,
            "item_id": item,
            "request_id": f"visit-{n}",
        }
        self._producer.produce("events", json.dumps(event | more).encode(), user)


def _learn_champion(home: Path) -> None:
    """What `eddyline train` does, on exposures that nobody had to wait for."""
    settings, clock, signature = of_the_stack(Settings(home=home)), SystemClock(), default_signature()
    with closing(open_inference(settings, signature.fingerprint)) as inference:
        registry = open_registry(settings, clock)
        publisher = Publisher(registry, inference, signature, open_training_data(settings))
        exposures, plan = synthetic_exposures(signature, requests=100), Plan(Parameters(epochs=1))
        gate = load_gate(home / "gate.toml")
        trained = train(exposures, publisher, plan, lambda *_: None, clock.now_ms(), gate=gate)
    assert trained.promoted, trained.reason
