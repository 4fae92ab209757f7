"""Planted loops through the real parts: Kafka, Faust, Redis, Prometheus, and a webhook that hears of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from eddyline.stack.background import running
from eddyline.stack.prometheus import alertmanager, prometheus
from feature_store.deploy_calendar import DeployCalendar
from feature_store.findings_log import read_findings, write_acknowledgement
from feature_store.online import RedisOnlineStore
from feature_store.schema.batches import write_record_batch
from feature_store.schema.findings import Acknowledgement, FindingState
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from feature_store.settings import Settings
from streams.feedback.production.checkpoint import LoopStore
from tests.unit.streams.feedback.deployed_log import DeployedLog
from tests.unit.streams.feedback.production.cross_log import MODELS, CrossWorld
from tests.unit.streams.feedback.production.detectors_in_memory import DeadlyStore, Detectors, Logs
from tests.unit.streams.feedback.production.loop_log import LoopWorld

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EPOCH_S, GRACE_S = 10, 15
DEADLINE_S = 240
CALENDAR = DeployCalendar(8, 1_000)
PERIODS = 24
FOLLOWED = ("timeline_ranker", *MODELS)
DETECTORS = {"board", "cross_model", "D5"}


@pytest.fixture(scope="module")
def world() -> LoopWorld:
    """A strong loop that was over a while ago, so that nothing has to be waited for."""
    last = int(time.time()) // EPOCH_S - 10
    shape = LoopWorld(gain=0.5, epochs=16)
    return replace(shape, first_epoch=last - shape.epochs)


@pytest.fixture(scope="module")
def topics(kafka: str, world: LoopWorld) -> Iterator[None]:
    """The detectors' topics, which take the world's times for the log's."""
    admin = AdminClient({"bootstrap.servers": kafka})
    counts = {EXPOSURES: world.partitions, SCORE_PANEL: world.partitions, FINDINGS: 1}
    config = {"message.timestamp.type": "CreateTime"}
    made = admin.create_topics([NewTopic(name, n, 1, config=config) for name, n in counts.items()])
    for each in made.values():
        each.result()
    producer = Producer({"bootstrap.servers": kafka})
    for topic, partition, stamp_ms, payload in _messages(world):
        producer.produce(topic, payload, partition=partition, timestamp=stamp_ms)
    assert producer.flush(30) == 0
    yield
    for gone in admin.delete_topics(list(counts)).values():
        gone.result()


@pytest.fixture(scope="module")
def settings(kafka: str, redis_url: str, topics: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("detectors")
    return Settings(
        kafka_bootstrap=kafka, redis_url=SecretStr(redis_url), home=home, batch_partitions=2, metrics_port=0
    )


@pytest.fixture(scope="module")
def metrics_port(ports) -> int:
    return ports["loop-detectors.metrics"]


def start(settings: Settings, metrics_port: int) -> subprocess.Popen:
    own = {
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "HOME": str(settings.home),
        "BATCH_PARTITIONS": "2",
        "METRICS_PORT": str(metrics_port),
        "NUDGE_EPOCH_S": str(EPOCH_S),
        "DETECT_GRACE_S": str(GRACE_S),
        "DETECT_MODELS": ",".join(FOLLOWED),
        "DEPLOY_SLOTS": str(CALENDAR.slots),
        "DEPLOY_STEP_S": str(CALENDAR.step_ms / 1000),
        "DETECT_IDLE_S": "1",
    }
    environment = {**os.environ, **{f"EDDYLINE_{name}": value for name, value in own.items()}}
    return subprocess.Popen([sys.executable, "-m", "streams.apps.detectors"], env=environment)


def wait_for(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def detectors(settings: Settings, metrics_port: int) -> Iterator[subprocess.Popen]:
    """Killed as soon as they have found something, and started again."""
    first = start(settings, metrics_port)
    wait_for("a finding", lambda: read_findings(settings))
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = start(settings, metrics_port)
    yield second
    second.terminate()
    second.wait(30)


def held(settings: Settings) -> dict[str, FindingState]:
    """Detector -> its finding, of those for which promotion and training wait."""
    return {state.finding.detector: state for state in read_findings(settings).values() if state.holds}


def scraped(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    except httpx.HTTPError:
        return ""


def test_after_a_kill_the_evidence_is_that_of_a_process_that_never_died(
    settings, detectors, metrics_port, world
):
    open_ = 'eddyline_loop_findings_open{acknowledged="false",verdict="loop_detected"} 3.0'
    wait_for("the metric", lambda: open_ in scraped(metrics_port))
    # The metric is there before what was found is, and that before the state.
    wait_for("all that was found", lambda: len(held(settings)) == len(DETECTORS))
    store = LoopStore(RedisOnlineStore.connect(settings))
    wait_for("the state", store.peek)
    calm = Detectors(_logs(world), DeadlyStore(), world.epoch_ms, calendar=CALENDAR, models=FOLLOWED)
    checkpoint, stored = store.peek()
    calm.read(checkpoint.next_epoch * world.epoch_ms + GRACE_S * 1000)
    _, expected = calm.watches.state()
    for name, array in expected.items():
        if name.startswith(
            ("scores of timeline_ranker/board/", "cross_model/detector/", "deploys/detector/")
        ):
            assert stored[name].tobytes() == array.tobytes(), name
    found = held(settings)
    assert found.keys() == DETECTORS
    assert found["board"].finding.evidence["value"] == "item.click_count_total"
    crossing = found["cross_model"].finding
    assert crossing.subject == " + ".join(FOLLOWED)
    edges = {(edge["from"], edge["to"]) for edge in crossing.evidence["edges"]}
    assert edges == {MODELS, MODELS[::-1]}
    assert found["D5"].finding.evidence["not_followed"] == 0


def test_on_call_receives_the_alert_and_an_acknowledgement_ends_it(
    settings, detectors, metrics_port, stack_settings, parts, ports, tmp_path
):
    with webhook() as (url, received):
        receivers = tmp_path / "alertmanager.yml"
        receivers.write_text(json.dumps(_receivers(url)))
        quick = stack_settings.model_copy(update={"prometheus_scrape_interval_s": 1})
        manager, server = ports["loop.alertmanager"], ports["loop.prometheus"]
        targets = {"detectors": {"detectors-0": metrics_port}}
        processes = [
            alertmanager(parts, tmp_path / "alertmanager", manager, receivers),
            prometheus(quick, parts, tmp_path / "prometheus", server, manager, targets),
        ]
        with running(processes, tmp_path / "logs"):
            fired = received.get(timeout=DEADLINE_S)
            assert fired["status"] == "firing"
            (alert,) = fired["alerts"]
            assert alert["labels"]["alertname"] == "EddylineLoopDetected"
            assert Path(alert["annotations"]["runbook"]).is_file()
            _acknowledge(settings)
            assert received.get(timeout=DEADLINE_S)["status"] == "resolved"


def _acknowledge(settings: Settings) -> None:
    for state in read_findings(settings).values():
        said = Acknowledgement(
            finding_id=state.finding.finding_id,
            subject=state.finding.subject,
            by="ana",
            note="looking",
            closes=False,
            time_ms=int(time.time() * 1000),
        )
        write_acknowledgement(settings, said)


def _receivers(url: str) -> dict:
    loop = {"receiver": "hook", "matchers": ['alertname="EddylineLoopDetected"'], "group_wait": "0s"}
    return {
        "route": {"receiver": "nobody", "group_interval": "1s", "routes": [loop]},
        "receivers": [
            {"name": "nobody"},
            {"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]},
        ],
    }


def _logs(world: LoopWorld) -> Logs:
    logs = Logs(world.partitions)
    for topic, partition, stamp_ms, payload in _messages(world):
        logs.append(topic, partition, stamp_ms, payload)
    return logs


def _messages(world: LoopWorld) -> list[tuple[str, int, int, bytes]]:
    """The loop of scores, two more models that listen to each other, and deploys with an echo that end with
    it; each log in the order of its stamps.
    """
    last_ms = (world.first_epoch + world.epochs) * world.epoch_ms
    first_period = CALENDAR.period(last_ms) - PERIODS
    deploys = DeployedLog(0.4, calendar=CALENDAR, epoch_ms=world.epoch_ms, first_period=first_period)
    echo = [
        (EXPOSURES, 0, (epoch + 1) * world.epoch_ms + 500, write_record_batch(rows))
        for epoch, rows in deploys.batches(PERIODS)
        if epoch < world.first_epoch + world.epochs
    ]
    crossing = CrossWorld(answered=0.3, epochs=world.epochs, first_epoch=world.first_epoch)
    return sorted([*world.messages(), *crossing.messages(), *echo], key=lambda message: message[2])


class webhook:  # noqa: N801  (a context manager)
    """Receives what an Alertmanager sends."""

    def __enter__(self) -> tuple[str, "Queue[dict]"]:
        received: Queue[dict] = Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The test looks at the queue."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/", received

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
