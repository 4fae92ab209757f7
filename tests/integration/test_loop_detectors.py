"""Planted loops through the real parts: Kafka, Faust, Redis, Prometheus, and a webhook that hears of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import httpx
import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from eddyline.clients.loops import judgements
from eddyline.clients.measurements import measurements
from eddyline.stack.background import running
from eddyline.stack.prometheus import alertmanager, prometheus
from feature_store.findings_log import read_findings, write_record
from feature_store.online import RedisOnlineStore
from feature_store.schema.findings import Acknowledgement, Finding
from feature_store.schema.topics import EXPOSURES, FINDINGS, SCORE_PANEL
from feature_store.settings import MAX_MESSAGE_BYTES, gapless_producer_config
from streams.apps.detectors_settings import DetectorSettings
from streams.feedback.production.checkpoint import LoopStore
from tests.unit.streams.feedback.production.cross_log import MODELS
from tests.unit.streams.feedback.production.detectors_in_memory import (
    GRACE_MS,
    SETTINGS,
    DeadlyStore,
    Detectors,
    Logs,
    logs_of,
)
from tests.unit.streams.feedback.production.planted_log import CALENDAR, FOLLOWED, PlantedWorlds

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EPOCH_MS = 10_000
DEADLINE_S = 240
TOLD = {
    "detect_models": ",".join(FOLLOWED),
    "detect_gain_lags": 20,
    "deploy_slots": CALENDAR.slots,
    "deploy_step_s": CALENDAR.step_ms / 1000,
}
VERDICTS = {
    "board": "loop_detected",
    "cross_model": "loop_detected",
    "D3": "loop_detected",
    "D3-presentation": "loop_detected",
    "D4": "warning",
    "D5": "loop_detected",
}
ALERTS = {"EddylineLoopDetected": "page", "EddylineLoopSuspected": "ticket"}


@pytest.fixture(scope="module")
def worlds() -> PlantedWorlds:
    """Loops that were over a while ago, so that nothing has to be waited for."""
    return PlantedWorlds(end_epoch=int(time.time() * 1000) // EPOCH_MS - 10, epoch_ms=EPOCH_MS)


@pytest.fixture(scope="module")
def logs(worlds: PlantedWorlds) -> Logs:
    """What the topics will hold."""
    return logs_of(worlds)


@pytest.fixture(scope="module")
def topics(kafka: str, logs: Logs) -> Iterator[None]:
    """The detectors' topics, which take the worlds' times for the log's."""
    admin = AdminClient({"bootstrap.servers": kafka})
    counts = {EXPOSURES: logs.partitions, SCORE_PANEL: logs.partitions, FINDINGS: 1}
    config = {"message.timestamp.type": "CreateTime", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
    made = admin.create_topics([NewTopic(name, n, 1, config=config) for name, n in counts.items()])
    for each in made.values():
        each.result()
    yield
    for gone in admin.delete_topics(list(counts)).values():
        gone.result()


@pytest.fixture(scope="module")
def settings(
    kafka: str, redis_url: str, ports, topics: None, tmp_path_factory: pytest.TempPathFactory
) -> DetectorSettings:
    return DetectorSettings(
        kafka_bootstrap=kafka,
        redis_url=SecretStr(redis_url),
        home=tmp_path_factory.mktemp("detectors"),
        batch_partitions=2,
        metrics_port=ports["loop-detectors.metrics"],
        nudge_epoch_s=EPOCH_MS / 1000,
        detect_idle_s=1,
        **SETTINGS | TOLD,
    )


def start(settings: DetectorSettings) -> subprocess.Popen:
    own = {name: getattr(settings, name) for name in settings.model_fields_set}
    own["redis_url"] = settings.redis_url.get_secret_value()
    environment = {**os.environ, **{f"EDDYLINE_{name.upper()}": str(value) for name, value in own.items()}}
    return subprocess.Popen([sys.executable, "-m", "streams.apps.detectors"], env=environment)


def wait_for(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stored(settings: DetectorSettings) -> LoopStore:
    """Where the detectors keep their state."""
    return LoopStore(RedisOnlineStore.connect(settings))


@pytest.fixture(scope="module")
def detectors(
    settings: DetectorSettings, stored: LoopStore, worlds: PlantedWorlds, logs: Logs
) -> Iterator[subprocess.Popen]:
    """Killed when they have stored most of the evidence; the rest comes before they start again.

    The first life takes nothing for quiet, so that it waits at the end of what is there yet. That somebody
    speaks of a finding that is no more takes the log of findings past it.
    """
    middle_ms = (worlds.end_epoch - 4) * EPOCH_MS
    publish(settings, logs, lambda stamp_ms: stamp_ms < middle_ms)
    acknowledge(settings, "one-of-last-year", "exposures")
    rumour(settings)
    first = start(settings.model_copy(update={"detect_idle_s": 86_400}))
    wait_for("most of the evidence", lambda: next_epoch(stored) > worlds.end_epoch - 10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert next_epoch(stored) < worlds.end_epoch - 4
    publish(settings, logs, lambda stamp_ms: stamp_ms >= middle_ms)
    second = start(settings)
    yield second
    second.terminate()
    second.wait(30)


def publish(settings: DetectorSettings, logs: Logs, keep: Callable[[int], bool]) -> None:
    """Write the messages whose stamps are to be kept, in their order though the topic is new."""
    producer = Producer(gapless_producer_config(settings))
    for (topic, partition), log in logs.messages.items():
        for stamp_ms, payload in log:
            if keep(stamp_ms):
                producer.produce(topic, payload, partition=partition, timestamp=stamp_ms)
    assert producer.flush(30) == 0


def rumour(settings: DetectorSettings) -> None:
    """Write to `findings` what is none."""
    producer = Producer(gapless_producer_config(settings))
    producer.produce(FINDINGS, b"somebody said")
    assert producer.flush(30) == 0


def next_epoch(stored: LoopStore) -> int:
    """The first one that is not in the state."""
    state = stored.peek()
    return 0 if state is None else state[0].next_epoch


@pytest.fixture(scope="module")
def found(settings: DetectorSettings, detectors: subprocess.Popen) -> dict[str, Finding]:
    """Detector -> its finding, once all that is there has been found."""
    counts = {"loop_detected": 5, "warning": 1}
    open_ = [
        f'eddyline_loop_findings_open{{acknowledged="false",verdict="{verdict}"}} {count}.0'
        for verdict, count in counts.items()
    ]

    def shown() -> bool:
        page = scraped(settings.metrics_port)
        return all(line in page for line in open_)

    wait_for("the metric", shown)
    # The metric is there before what was found is, and that before the state.
    wait_for("all that was found", lambda: verdicts(settings) == VERDICTS)
    return {state.finding.detector: state.finding for state in read_findings(settings).values()}


def verdicts(settings: DetectorSettings) -> dict[str, str]:
    """Detector -> what it said last."""
    return {each.finding.detector: each.finding.verdict for each in read_findings(settings).values()}


def scraped(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    except httpx.HTTPError:
        return ""


def test_a_loop_of_each_kind_is_found(found):
    assert found["board"].evidence["value"] == "item.click_count_total"
    crossing = found["cross_model"]
    assert crossing.subject == " + ".join(FOLLOWED)
    edges = {(edge["from"], edge["to"]) for edge in crossing.evidence["edges"]}
    assert edges == {MODELS, MODELS[::-1]}
    assert found["D3-presentation"].beta.upper < 0
    assert found["D3"].evidence["items"] == ["i11"]
    assert found["D4"].evidence["gini_gap"] > 0
    assert found["D5"].evidence["not_followed"] == 0


def test_after_a_kill_the_evidence_is_that_of_a_process_that_never_died(worlds, logs, stored, found):
    wait_for("the state", lambda: next_epoch(stored) > worlds.end_epoch)
    checkpoint, arrays = stored.peek()
    calm = Detectors(logs, DeadlyStore(), EPOCH_MS, **TOLD)
    calm.read(checkpoint.next_epoch * EPOCH_MS + GRACE_MS)
    header, expected = calm.watches.state()
    assert arrays.keys() == expected.keys()
    assert [name for name in expected if arrays[name].tobytes() != expected[name].tobytes()] == []
    # What is open is told by `findings`, too, and the calm one has another log of those.
    said, told = (msgspec.json.decode(each)["watches"] for each in (checkpoint.header, header))
    assert said == told


def test_on_call_receives_the_alerts_and_answers_end_them(
    settings, found, stack_settings, parts, ports, tmp_path, monkeypatch
):
    with webhook() as (url, received):
        receivers = tmp_path / "alertmanager.yml"
        receivers.write_text(json.dumps(_receivers(url)))
        quick = stack_settings.model_copy(update={"prometheus_scrape_interval_s": 1})
        manager, server = ports["loop.alertmanager"], ports["loop.prometheus"]
        targets = {"detectors": {"detectors-0": settings.metrics_port}}
        processes = [
            alertmanager(parts, tmp_path / "alertmanager", manager, receivers),
            prometheus(quick, parts, tmp_path / "prometheus", server, manager, targets),
        ]
        with running(processes, tmp_path / "logs"):
            fired = [alert_of(received, "firing") for _ in ALERTS]
            assert {each["labels"]["alertname"]: each["labels"]["severity"] for each in fired} == ALERTS
            assert all(Path(each["annotations"]["runbook"]).is_file() for each in fired)
            # What the command line asks in a cluster.
            monkeypatch.setenv("EDDYLINE_PROMETHEUS_URL", f"http://127.0.0.1:{server}")
            judged = {(each.detector, each.verdict) for each in judgements(measurements(settings).samples)}
            assert VERDICTS.items() <= judged
            # Somebody has them: that ends both.
            for finding in found.values():
                acknowledge(settings, finding.finding_id, finding.subject)
            ended = [alert_of(received, "resolved") for _ in ALERTS]
            assert {each["labels"]["alertname"] for each in ended} == ALERTS.keys()


def alert_of(received: "Queue[dict]", status: str) -> dict:
    """The one alert that on-call hears of next."""
    notification = received.get(timeout=DEADLINE_S)
    assert notification["status"] == status
    (alert,) = notification["alerts"]
    return alert


def acknowledge(settings: DetectorSettings, finding_id: str, subject: str) -> None:
    """Have Ana say that she looks at it."""
    said = Acknowledgement(
        finding_id=finding_id,
        subject=subject,
        by="ana",
        note="looking",
        closes=False,
        time_ms=int(time.time() * 1000),
    )
    write_record(settings, said)


def _receivers(url: str) -> dict:
    """Of each alert a notification of its own."""
    loops = {
        "receiver": "hook",
        "matchers": [f'alertname=~"{"|".join(ALERTS)}"'],
        "group_by": ["alertname"],
        "group_wait": "0s",
    }
    return {
        "route": {"receiver": "nobody", "group_interval": "1s", "routes": [loops]},
        "receivers": [
            {"name": "nobody"},
            {"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]},
        ],
    }


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
