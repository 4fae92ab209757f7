"""`exposures` and `score.panel` through the detectors' worker: real broker, Faust, all detectors, Redis.

The logs are those of a million exposures of 1000 items with all the columns that a served row has, and draws
for every experiment; the panel has a contribution of every shipped candidate feature. Everything is there
before the worker starts, and the rate is counted from the first epoch that it has taken in until the state
after the last one that is complete is stored: those after it wait, by the clock, for what might still come.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import numpy as np
import psutil
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from benchmarks.report import Figure
from benchmarks.stack import NO_WORKERS, RunningStack, running_process, running_stack
from feature_store.catalog import load_catalog
from feature_store.deploy_calendar import DeployCalendar
from feature_store.online.redis import RedisOnlineStore
from feature_store.schema.assignments import DEPLOYS, EXPLORATION, HOLDOUT, NUDGES, SLOT
from feature_store.schema.exposures import EXPOSURE_FIELDS, ON_TIME, encode_exposures
from feature_store.schema.panel import PanelHeader, PanelRows, encode_panel
from feature_store.schema.topics import EXPOSURES, SCORE_PANEL
from feature_store.settings import Settings, gapless_producer_config, kafka_client_config
from streams.feedback.production.checkpoint import LoopStore

ITEMS, EPOCHS, EXPOSURES_AN_EPOCH = 1_000, 40, 25_000
EPOCH_S, GRACE_S, DELTA = 10, 15, 0.1
COMPLETE = EPOCHS - 2
"""Epochs after whose end and grace the logs have something still."""
ANSWER, EXPLORE, HELD_OUT, SLOTS = 20, 0.05, 0.05, 8
MODEL = "timeline_ranker:1"
TARGET = 100_000.0
MISSED = (
    "On a slow day: by its own CPU time one worker makes more than the target, and the broker takes some"
    " of two cores. Tried: an epoch's exposures together and only the columns that detectors read (1.6"
    " times less CPU), labels counted once an epoch."
)
_CLICK = pa.map_(pa.string(), pa.float64())


def measure() -> list[Figure]:
    """Exposures a second of one worker, by the clock and by its own CPU time."""
    total = COMPLETE * EXPOSURES_AN_EPOCH
    with running_stack(**NO_WORKERS) as stack:
        first_epoch = int(time.time()) // EPOCH_S - EPOCHS - 10
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=SecretStr(stack.redis), home=stack.home)
        _fill(settings, first_epoch)
        with _worker(stack) as worker:
            begun = _wait(worker, lambda: worker.taken() > 0)
            taken = worker.taken()
            store = LoopStore(RedisOnlineStore.connect(settings))
            ended = _wait(worker, lambda: _stored(store) >= first_epoch + COMPLETE)
    rest, name = total - taken, "exposures to verdicts, one detectors worker"
    return [
        Figure(name, rest / (ended.wall_s - begun.wall_s), "exposures/s", target=TARGET, note=MISSED),
        Figure(f"{name}, per second of its CPU", rest / (ended.cpu_s - begun.cpu_s), "exposures/s"),
    ]


@dataclass(frozen=True)
class _Moment:
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    port: int

    def taken(self) -> int:
        """Exposures that were folded into cells so far."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).text
        except httpx.HTTPError:
            return 0
        families = {family.name: family for family in text_string_to_metric_families(text)}
        used = families.get("eddyline_loop_exposures")
        counted = (
            [s.value for s in used.samples if s.labels.get("outcome") == "used" and s.name.endswith("_total")]
            if used
            else [0.0]
        )
        return round(max(counted, default=0.0))

    def moment(self) -> _Moment:
        times = psutil.Process(self.process.pid).cpu_times()
        return _Moment(time.perf_counter(), times.user + times.system)


@contextmanager
def _worker(stack: RunningStack) -> Iterator[_Worker]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "HOME": str(stack.home),
        "KAFKA_BOOTSTRAP": stack.kafka,
        "REDIS_URL": stack.redis,
        "METRICS_PORT": str(port),
        "NUDGE_EPOCH_S": str(EPOCH_S),
        "DETECT_GRACE_S": str(GRACE_S),
        "EXPLORE_POSITIONS": str(ANSWER),
        "DEPLOY_SLOTS": str(SLOTS),
        "DEPLOY_STEP_S": str(EPOCH_S),
    }
    environment = {**os.environ, **{f"EDDYLINE_{name}": value for name, value in own.items()}}
    argv = [sys.executable, "-m", "streams.apps.detectors"]
    with running_process(argv, environment, stack.home / "bench-detectors.log") as process:
        yield _Worker(process, port)


def _wait(worker: _Worker, reached: Callable[[], bool]) -> _Moment:
    while not reached():
        if worker.process.poll() is not None:
            raise RuntimeError(f"the detectors ended with {worker.process.returncode}")
        time.sleep(0.1)  # to ask costs the machine something, too
    return worker.moment()


def _stored(store: LoopStore) -> int:
    """The epoch that comes next in the stored state."""
    stored = store.peek()
    return 0 if stored is None else stored[0].next_epoch


def _fill(settings: Settings, first_epoch: int) -> None:
    """Write the logs, stamped as if each epoch's messages had come when they were due."""
    _take_our_stamps(settings)
    producer = Producer({**gapless_producer_config(settings), "linger.ms": 20})
    for topic, partition, stamp_ms, payload in _messages(first_epoch, settings.batch_partitions):
        while True:
            try:
                producer.produce(topic, payload, partition=partition, timestamp=stamp_ms)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def _take_our_stamps(settings: Settings) -> None:
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    changes = [
        ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        for name in (EXPOSURES, SCORE_PANEL)
    ]
    admin = AdminClient({**kafka_client_config(settings)})
    for changed in admin.incremental_alter_configs(changes).values():
        changed.result()


def _messages(first_epoch: int, partitions: int) -> Iterator[tuple[str, int, int, bytes]]:
    """(topic, partition, stamp ms, payload) of every epoch, as rankers, join and panel write them."""
    rng = np.random.default_rng(3)
    features = load_catalog().service("timeline_v1").candidate
    score, unchanging = rng.standard_normal(ITEMS), _unchanging_columns(rng)
    parts = np.array_split(np.arange(ITEMS), partitions)
    for epoch in range(first_epoch, first_epoch + EPOCHS):
        contributions = 0.1 * rng.standard_normal((ITEMS, len(features)))
        raw, nudge = score + contributions.sum(axis=1), DELTA * rng.choice([-1.0, 1.0], ITEMS)
        begins_ms = epoch * EPOCH_S * 1000
        header = PanelHeader(epoch, EPOCH_S * 1000, MODEL, tuple(map(str, features)), ITEMS, 1)
        panel = PanelRows(header, pa.array([f"i{n}" for n in range(ITEMS)]), raw, contributions, nudge)
        chance = np.exp(raw + nudge)
        shown = rng.choice(ITEMS, EXPOSURES_AN_EPOCH, p=chance / chance.sum())
        drawn = {**unchanging, "assignments": _drawn(epoch, rng)}
        rows = _exposures(shown, raw, nudge, begins_ms, drawn)
        for partition, part in enumerate(parts):
            yield SCORE_PANEL, partition, begins_ms + 100, encode_panel(panel.take(part))
            for payload in encode_exposures(rows.filter(pa.array(shown % partitions == partition))):
                yield EXPOSURES, partition, begins_ms + EPOCH_S * 1000 + 500, payload


def _unchanging_columns(rng: np.random.Generator) -> dict[str, pa.Array]:
    """What detectors do not look at, but have to carry."""
    n, service = EXPOSURES_AN_EPOCH, load_catalog().service("timeline_v1")
    width = len(service.user) + len(service.candidate)
    values = pa.array(rng.random(n * width, np.float32))
    clicks: list[list[tuple[str, float]]] = [[("click", 1.0)] if one else [] for one in rng.random(n) < 0.1]
    return {
        "request_id": pa.array([f"r{k // ANSWER}" for k in range(n)]),
        "user_id": pa.array([f"u{k // ANSWER}" for k in range(n)]),
        "position": pa.array(np.arange(n, dtype=np.int32) % ANSWER),
        "position_seen": pa.array(np.arange(n, dtype=np.int32) % ANSWER),
        "heads": pa.StructArray.from_arrays([pa.array(rng.uniform(0.05, 0.15, n), pa.float32())], ["click"]),
        "propensity": pa.array(np.ones(n)),
        "model_version": pa.array([MODEL] * n).dictionary_encode(),
        "features": pa.FixedSizeListArray.from_arrays(values, width),
        "outcomes": pa.array(clicks, _CLICK),
        "status": pa.array([ON_TIME] * n).dictionary_encode(),
        "revision": pa.array([len(click) for click in clicks], pa.int32()),
    }


def _drawn(epoch: int, rng: np.random.Generator) -> pa.Array:
    """What every request drew, at each of its rows: one in 20 held out, all others in every experiment."""
    requests, period = EXPOSURES_AN_EPOCH // ANSWER, DeployCalendar(SLOTS, EPOCH_S * 1000)
    slots = np.where(rng.random(requests) < EXPLORE, rng.integers(0, ANSWER, requests), -1).tolist()
    explored = {-1: ("none", 1 - EXPLORE), **{n: (f"{SLOT}{n}", EXPLORE / ANSWER) for n in range(ANSWER)}}
    others = [
        _assignment(HOLDOUT, "treatment", 1 - HELD_OUT),
        _assignment(DEPLOYS, f"salt/{period.period(epoch * EPOCH_S * 1000)}/3", 1 / SLOTS),
        _assignment(NUDGES, f"salt/{epoch}", 1.0),
    ]
    held = [_assignment(HOLDOUT, "holdout", HELD_OUT)]
    drawn = [
        held if out else [*others, _assignment(EXPLORATION, *explored[slot])]
        for slot, out in zip(slots, (rng.random(requests) < HELD_OUT).tolist(), strict=True)
    ]
    (kind,) = (column.type for column in EXPOSURE_FIELDS if column.name == "assignments")
    return pa.array(drawn, kind).take(pa.array(np.repeat(np.arange(requests), ANSWER)))


def _assignment(experiment: str, variant: str, propensity: float) -> dict[str, str | float]:
    return {"experiment": experiment, "variant": variant, "propensity": propensity}


def _exposures(
    shown: NDArray[np.int64],
    raw: NDArray[np.float64],
    nudge: NDArray[np.float64],
    begins_ms: int,
    unchanging: dict[str, pa.Array],
) -> pa.RecordBatch:
    n = len(shown)
    columns = {
        **unchanging,
        "item_id": pa.array([f"i{item}" for item in shown.tolist()]),
        "raw_score": pa.array(raw[shown]),
        "nudge": pa.array(nudge[shown]),
        "published_score": pa.array((raw + nudge)[shown]),
        "served_time_ms": pa.array(np.full(n, begins_ms + 50)),
        "impression_time_ms": pa.array(np.full(n, begins_ms + 80)),
    }
    names = [column.name for column in EXPOSURE_FIELDS]
    arrays = [columns.get(column.name, pa.nulls(n, column.type)) for column in EXPOSURE_FIELDS]
    return pa.RecordBatch.from_arrays(arrays, names=names)
