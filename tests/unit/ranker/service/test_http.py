"""The HTTP door over a pipeline in memory: every endpoint, every refusal, the shape of errors."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from feature_store.fetcher import RowFetcher
from feature_store.online.timelines import MemoryTimelineStore
from feature_store.telemetry.health import Heartbeat
from ranker.service.feature_reader import FeatureReader
from ranker.service.http import Backends, HttpDoor
from ranker.service.lanes import Lanes
from ranker.service.metrics import RankerMetrics
from ranker.service.publisher import NotAcknowledged
from ranker.service.ranking import Limits, Ranking
from ranker.service.respond import Responder
from ranker.service.settings import RankerSettings
from tests.unit.ranker.world import CATALOG, NOW_MS, PARTITIONS, SERVICE, World

ITEM = {"type": "item", "event_id": "e1", "event_time_ms": NOW_MS, "item_id": "i9"}


class EventsInMemory:
    """An event log that keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.events: list[tuple[str, bytes]] = []
        self.failure: Exception | None = None

    def publish_events(self, events: list[tuple[str, bytes]]) -> "Future[None]":
        future: Future[None] = Future()
        if self.failure is not None:
            future.set_exception(self.failure)
        else:
            self.events += events
            future.set_result(None)
        return future


class Door:
    """A client of the door, and what lies behind it."""

    def __init__(self, *, lanes: int = 1, waiting: int = 0) -> None:
        self.world = World()
        self.world.announce(5)
        self.registry = CollectorRegistry()
        self.events = EventsInMemory()
        self.timelines = MemoryTimelineStore()
        self.sent: list[object] = []
        self.unready: str | None = None
        self.lanes = Lanes(lanes, waiting, self.world.clock)
        metrics = RankerMetrics({"home"}, self.registry)
        responder = Responder(SERVICE)
        limits = Limits(500.0, 2000, 0.0, 300_000)
        pipeline = self.world.pipeline()
        ranking = Ranking(pipeline, responder, limits, self.world.clock, metrics, self.sent.append)
        backends = Backends(
            ranking=ranking,
            lanes=self.lanes,
            metrics=metrics,
            events=self.events,
            timelines=self.timelines,
            features=FeatureReader(CATALOG, RowFetcher(self.world.store), PARTITIONS, self.world.clock),
            live=lambda: None,
            ready=lambda: self.unready,
        )
        app = HttpDoor(RankerSettings(), backends, Heartbeat(self.world.clock)).app()
        self.client = TestClient(app, raise_server_exceptions=False)

    def count(self, outcome: str) -> float:
        labels = {"surface": "home", "door": "http", "outcome": outcome}
        return self.registry.get_sample_value("eddyline_ranker_requests_total", labels) or 0.0


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    with made.client:
        yield made
    made.lanes.close()


@pytest.fixture(scope="module")
def shared_door() -> Iterator[Door]:
    made = Door(waiting=8)
    with made.client:
        yield made
    made.lanes.close()


def test_a_ranking_names_its_model_its_features_and_each_items_heads(door):
    answer = door.client.post(
        "/v1/rank", json={"request_id": "r", "user_id": "u", "candidates": ["i1", "i2"]}
    )
    body = answer.json()
    assert answer.status_code == 200
    assert body["model"] == {"name": "ranker", "version": "7"}
    assert body["feature_service"] == {"name": "timeline_v1", "fingerprint": SERVICE.fingerprint}
    assert [item["position"] for item in body["items"]] == [0, 1]
    assert {item["item_id"] for item in body["items"]} == {"i1", "i2"}
    assert set(body["items"][0]["heads"]) == {"click", "like"}
    assert body["degraded"] == []
    assert "client_id" not in body
    assert door.count("ok") == 1
    assert len(door.sent) == 1


def test_a_client_id_is_echoed_and_the_limit_kept(door):
    request = {"request_id": "r", "user_id": "u", "candidates": ["i1", "i2"], "limit": 1, "client_id": "c"}
    body = door.client.post("/v1/rank", json=request).json()
    assert body["client_id"] == "c"
    assert len(body["items"]) == 1


def test_what_was_missing_is_in_the_answer_and_in_the_metrics(door):
    door.world.client.failure = ConnectionError("no Triton")
    body = door.client.post("/v1/rank", json={"request_id": "r", "user_id": "u", "candidates": ["i1"]}).json()
    assert body["degraded"] == ["model_unavailable", "scored_by_counters"]
    assert body["model"] == {"name": "", "version": ""}
    assert door.count("degraded") == 1


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_door_fail(shared_door, body):
    answer = shared_door.client.post("/v1/rank", content=body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"code", "message", "field"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "u"}, "request_id"),
        ({"request_id": "r", "user_id": "u|1"}, "user_id"),
        ({"request_id": "r", "user_id": "u", "candidates": ["a|b"]}, "candidates"),
        ({"request_id": "r", "user_id": "u", "candidates": [1]}, "candidates"),
        ({"request_id": "r", "user_id": "u", "limit": -1}, "limit"),
        ({"request_id": "r", "user_id": "u", "surface": "No Such!"}, "surface"),
    ],
)
def test_a_field_that_is_not_valid_is_named(door, body, field):
    answer = door.client.post("/v1/rank", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


def test_a_moment_is_at_most_as_far_ahead_as_an_event_may_be_and_any_that_has_been(door):
    for time_ms, status in ((0, 200), (NOW_MS, 200), (NOW_MS + 300_000, 200), (NOW_MS + 300_001, 400)):
        body = {"request_id": "r", "user_id": "u", "candidates": ["i1"], "event_time_ms": time_ms}
        answer = door.client.post("/v1/rank", json=body)
        assert answer.status_code == status
    assert answer.json()["error"]["field"] == "event_time_ms"
    assert "1 ms after" in answer.json()["error"]["message"]


@pytest.mark.parametrize("count", [2_001, 100_000])
def test_too_many_candidates_are_refused_with_413(door, count):
    body = {"request_id": "r", "user_id": "u", "candidates": [f"i{n}" for n in range(count)]}
    assert door.client.post("/v1/rank", json=body).status_code == 413


def test_two_thousand_candidates_with_duplicates_are_ranked(door):
    body = {
        "request_id": "r",
        "user_id": "u",
        "candidates": [f"i{n // 2}" for n in range(2_000)],
        "limit": 2000,
    }
    items = door.client.post("/v1/rank", json=body).json()["items"]
    assert len(items) == 1_000


def test_a_request_beyond_the_lanes_is_shed_and_told_when_to_come_back(door):
    release, occupied = Event(), Event()

    def occupy() -> None:
        occupied.set()
        release.wait()

    door.lanes.submit(occupy)
    occupied.wait()
    answer = door.client.post("/v1/rank", json={"request_id": "r", "user_id": "u", "candidates": ["i1"]})
    release.set()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["error"]["code"] == "overloaded"
    assert door.count("shed") == 1


def test_events_are_taken_as_they_came_and_the_others_listed_by_index_and_reason(door):
    bad = {"type": "impression", "event_id": "e2", "event_time_ms": NOW_MS, "user_id": "u"}
    answer = door.client.post("/v1/events", json={"events": [bad, ITEM, {"type": "nothing"}, "text"]})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    rejected = [(each["index"], each["reason"], each["field"]) for each in answer.json()["rejected"]]
    assert rejected[:2] == [(0, "missing_field", "item_id"), (2, "unknown_type", "type")]
    assert rejected[2][0] == 3
    ((key, payload),) = door.events.events
    assert key == "i9"
    assert json.loads(payload) == ITEM


def test_events_that_kafka_did_not_take_are_not_acknowledged(door):
    door.events.failure = NotAcknowledged("broker down")
    answer = door.client.post("/v1/events", json={"events": [ITEM]})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_acknowledged"
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"events":1}', b'{"events":[}', b"\xff"])
def test_a_body_that_holds_no_events_is_refused(door, body):
    answer = door.client.post("/v1/events", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "events"


def test_too_many_events_and_too_large_bodies_are_refused(door):
    assert door.client.post("/v1/events", json={"events": [1] * 10_001}).status_code == 413
    assert door.client.post("/v1/events", content=b" " * (8 * 1024**2 + 1)).status_code == 413
    assert door.client.post("/v1/rank", content=(b" " * 1024 for _ in range(1025))).status_code == 413


def test_the_last_timeline_of_a_user_is_ready(door):
    assert door.client.get("/v1/timelines/u1").status_code == 404
    door.timelines.put({"u1": b'{"request_id":"r"}'}, 60)
    assert door.client.get("/v1/timelines/u1").json() == {"request_id": "r"}


def test_features_of_a_combined_entity_are_read_with_their_age(door):
    door.world.row("user|creator", "u/1|c1", click_count_total=[3.0])
    body = door.client.get("/v1/features/user%7Ccreator/u%2F1%7Cc1").json()
    assert body["features"]["click_count_total"] == 3
    assert (body["as_of_time_ms"], body["age_ms"]) == (NOW_MS - 500, 500)


def test_an_entity_without_a_row_has_the_defaults_and_an_unknown_one_is_404(door):
    body = door.client.get("/v1/features/item/nobody").json()
    assert body["features"]["impression_count_total"] == 0
    assert body["as_of_time_ms"] is None
    assert door.client.get("/v1/features/galaxy/m31").status_code == 404


def test_probes_say_why(door):
    assert door.client.get("/healthz").json() == {"ok": True, "reason": None}
    assert door.client.get("/readyz").status_code == 200
    door.unready = "items are being loaded"
    answer = door.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "items are being loaded"


def test_unknown_paths_and_methods_have_the_shape_of_every_error(door):
    for answer in (door.client.get("/nothing"), door.client.get("/v1/rank")):
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"code", "message", "field"}


def test_openapi_describes_every_path_and_resolves_every_reference(door):
    text = door.client.get("/openapi.json").text
    document = json.loads(text)
    assert set(document["paths"]) == {
        "/v1/rank",
        "/v1/events",
        "/v1/timelines/{user_id}",
        "/v1/features/{entity}/{entity_id}",
        "/healthz",
        "/readyz",
    }
    schemas = document["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    assert "candidates" in schemas["RankRequest"]["properties"]
