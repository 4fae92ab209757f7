"""Rank over HTTP and over Kafka, beside the bare Triton call on tensors of the same shape."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import urlparse

import numpy as np
import tritonclient.grpc as triton
from confluent_kafka import Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from benchmarks.paced import paced_producer
from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.throughput import wait_until_covered
from benchmarks.workload import Workload, produce
from feature_store.catalog import load_catalog
from feature_store.schema.topics import RANK_RESPONSES
from feature_store.settings import Settings

SIZES = (24, 100, 500)
BLOCKS, CALLS = 8, 100
BARE_BETWEEN = "bare, each after a ranking"
"""What the call costs within a ranking: a server that had nothing to do for some ms answers later than one
that is asked again at once."""
MISSED = {
    "http": "A call in a loop keeps Triton's cores awake; within a ranking the same call takes longer,"
    " 1.2 to 1.8 times where nothing else runs, and rows from Redis and our own Python come on"
    " top. Tried: tensors over HTTP instead of gRPC, both reads of rows at once, only what a model"
    " reads finalized.",
    "kafka": "As over HTTP, and each request and answer goes through the broker and wakes two more"
    " clients. Tried: commits ten times a second instead of one an answer, answers of a tenth of a"
    " second logged together.",
}
"""Why the targets of a door are missed."""
_HEAD = b"POST /v1/rank HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n"
WORLD = Workload(events=200_000, users=2_000, items=5_000)


def measure() -> list[Figure]:
    """Figures for 24, 100 and 500 candidates, quiet and while 20 k events/s are ingested."""
    with running_stack(EDDYLINE_MODEL="reference") as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        produce(settings, WORLD.events_json(now_ms - 60_000))
        wait_until_covered(settings)
        figures = [figure for size in SIZES for figure in _compare(stack, size, "")]
        with paced_producer(settings, WORLD, rate=20_000):
            figures += [
                figure for size in SIZES for figure in _compare(stack, size, ", 20 k events/s ingested")
            ]
        return figures


def _compare(stack: RunningStack, size: int, suffix: str) -> list[Figure]:
    with (
        http_call(stack, size, BLOCKS * CALLS) as (over_http, degraded),
        _kafka_call(stack, size) as over_kafka,
    ):
        call = _bare_call(stack, size)
        calls = {"http": over_http, "bare": call, "kafka": over_kafka, BARE_BETWEEN: call}
        times = _in_turn(calls, before={BARE_BETWEEN: over_http})
    bare = "bare Triton gRPC call"
    loaded = " Meanwhile ingest, features, join and broker take most of two cores." if suffix else ""
    share = sum(degraded) / len(degraded)
    figures = [
        Figure(f"degraded answers among those of {size} candidates over http{suffix}", share * 100, "%")
    ]
    between, alone = (float(np.percentile(times[name], 50)) for name in (BARE_BETWEEN, "bare"))
    figures.append(
        Figure(f"{bare} of {size} candidates, each after a ranking, p50{suffix}", between, "ms", bare, alone)
    )
    for door, quantiles in (("http", ((50, 2.0), (99, 3.0))), ("kafka", ((50, 3.0),))):
        for quantile, target in quantiles:
            value, baseline = (float(np.percentile(times[name], quantile)) for name in (door, "bare"))
            name = f"rank {size} candidates over {door}, p{quantile}{suffix}"
            figures.append(
                Figure(name, value, "ms", bare, baseline, target, False, True, f"{MISSED[door]}{loaded}")
            )
    return figures


def _in_turn(
    calls: dict[str, Callable[[int], None]], before: dict[str, Callable[[int], None]]
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each call, measured in blocks by turns, so that the machine's moods hit all alike.

    Parameters
    ----------
    before : what is called before each call of a name, and not measured
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for n in range(50):
            call(n)
    for block in range(BLOCKS):
        for name, call in calls.items():
            for n in range(CALLS):
                if name in before:
                    before[name](block * CALLS + n)
                begun = time.perf_counter_ns()
                call(block * CALLS + n)
                times[name].append((time.perf_counter_ns() - begun) / 1e6)
    return {name: np.array(values) for name, values in times.items()}


def rank_request(size: int, n: int, request_id: str) -> bytes:
    """Body of the ``n``-th request of ``size`` candidates."""
    rng = np.random.default_rng(n)
    items = rng.choice(WORLD.items, size, replace=False)
    return json.dumps(
        {
            "request_id": request_id,
            "user_id": f"u{n % WORLD.users}",
            "surface": "replay",
            "candidates": [f"i{item}" for item in items],
            "limit": 20,
        }
    ).encode()


@contextmanager
def http_call(
    stack: RunningStack, size: int, requests: int
) -> Iterator[tuple[Callable[[int], None], list[bool]]]:
    """Sends the n-th of ``requests`` requests over one connection; and which answers were degraded."""
    address = urlparse(stack.http)
    bodies = [rank_request(size, n, f"http-{size}-{n}") for n in range(requests)]
    degraded: list[bool] = []
    connection = socket.create_connection((address.hostname, address.port))
    answers = connection.makefile("rb")

    def call(n: int) -> None:
        nonlocal connection, answers
        if n % CALLS == 0:  # idle while the others had their turn: the server has let go of it
            connection.close()
            connection = socket.create_connection((address.hostname, address.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = connection.makefile("rb")
        connection.sendall(_HEAD % len(bodies[n]) + bodies[n])
        body = _read_answer(answers)
        degraded.append(b'"degraded":[]' not in body)

    yield call, degraded
    connection.close()


def _read_answer(answers: BinaryIO) -> bytes:
    """The body of an HTTP answer; a client that does more would be measured with the service."""
    status, length = answers.readline(), 0
    while (line := answers.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = answers.read(length)
    if status.split()[1] != b"200":
        raise RuntimeError(f"{status!r}: {body[:500]!r}")
    return body


@contextmanager
def _kafka_call(stack: RunningStack, size: int) -> Iterator[Callable[[int], None]]:
    producer = Producer({"bootstrap.servers": stack.kafka, "linger.ms": 0, "partitioner": "murmur2_random"})
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka,
            "group.id": "bench",
            "enable.auto.commit": False,
            "log_level": 0,
            "fetch.wait.max.ms": 5,
        }
    )
    partitions = consumer.list_topics(RANK_RESPONSES).topics[RANK_RESPONSES].partitions
    consumer.assign(  # to offsets, as "latest" is wherever the log ends by the time that somebody looks
        [
            TopicPartition(RANK_RESPONSES, number, _end(consumer, TopicPartition(RANK_RESPONSES, number)))
            for number in partitions
        ]
    )
    bodies = [rank_request(size, n, f"kafka-{size}-{n}") for n in range(BLOCKS * CALLS)]

    def call(n: int) -> None:
        producer.produce("rank.requests", bodies[n], f"u{n % WORLD.users}")
        producer.poll(0)
        wanted = f'"kafka-{size}-{n}"'.encode()
        deadline = time.monotonic() + 30
        while (message := consumer.poll(0.5)) is None or wanted not in (message.value() or b""):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no response to kafka-{size}-{n}")

    yield call
    producer.flush()
    consumer.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    _, end = consumer.get_watermark_offsets(partition)
    return int(end)


def _bare_call(stack: RunningStack, size: int) -> Callable[[int], None]:
    service = load_catalog().service("timeline_v1")
    client = triton.InferenceServerClient(stack.triton_grpc)
    rng = np.random.default_rng(1)
    tensors = {
        "user": rng.random((1, len(service.user)), np.float32),
        "candidates": rng.random((size, len(service.candidate)), np.float32),
        "ids": rng.integers(0, 1 << 40, (size, len(service.id_columns))),
    }
    types = {"float32": "FP32", "int64": "INT64"}

    def call(_: int) -> None:
        inputs = []
        for name, values in tensors.items():
            tensor = triton.InferInput(name, values.shape, types[str(values.dtype)])
            tensor.set_data_from_numpy(values)
            inputs.append(tensor)
        client.infer("reference", inputs)

    return call
