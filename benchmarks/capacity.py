"""The largest rate of 100-candidate requests at which p99 stays within 20 ms: open loop, Poisson arrivals."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlparse

import numpy as np

from benchmarks.ranking import WORLD, rank_request
from benchmarks.report import Figure
from benchmarks.stack import running_stack
from benchmarks.workload import produce
from feature_store.settings import Settings

LIMIT_MS = 20.0
SECONDS_PER_RATE = 8.0
REQUESTS_PER_RATE = 100
"""At least: of fewer there is no 99th percentile."""
CONNECTIONS = 64
RATES = (5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 600, 800)
"""Two minutes for all of them."""


def measure() -> list[Figure]:
    """Raise the rate step by step until p99, counted from the arrival that was due, is over the limit."""
    with running_stack(EDDYLINE_MODEL="reference") as stack:
        settings = Settings(kafka_bootstrap=stack.kafka)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        asyncio.run(_offer(stack.http, 50, 2.0))
        best, p99 = largest_rate(
            lambda rate: asyncio.run(
                _offer(stack.http, rate, max(SECONDS_PER_RATE, REQUESTS_PER_RATE / rate))
            )
        )
    return [
        Figure("largest open-loop rate of 100-candidate requests with p99 <= 20 ms", best, "requests/s"),
        Figure("p99 of 100-candidate requests at that rate, or at the lowest tried", p99, "ms"),
    ]


def largest_rate(p99_at: Callable[[float], float]) -> tuple[float, float]:
    """The last rate before the first at which p99 is over the limit, and p99 in ms there.

    Where the lowest is over it already, 0 and p99 at the lowest.
    """
    best, p99_at_best = 0.0, 0.0
    for rate in RATES:
        p99 = p99_at(rate)
        if p99 > LIMIT_MS:
            return best, p99_at_best if best else p99
        best, p99_at_best = rate, p99
    return best, p99_at_best


async def _offer(http: str, rate: float, seconds: float) -> float:
    """p99 in ms, from the moment a request was due; a shed or failed request counts as infinite."""
    address = urlparse(http)
    rng = np.random.default_rng(int(rate))
    due = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(address.hostname, address.port))
    bodies = [rank_request(100, n, f"open-{rate}-{n}") for n in range(len(due))]
    begun = time.perf_counter()

    async def one(n: int) -> float:
        await asyncio.sleep(max(0.0, begun + due[n] - time.perf_counter()))
        connection = await free.get()
        ok = await _post(connection, bodies[n])
        free.put_nowait(connection)
        return (time.perf_counter() - begun - due[n]) * 1e3 if ok else float("inf")

    latencies = await asyncio.gather(*(one(n) for n in range(len(due))))
    while not free.empty():
        free.get_nowait()[1].close()
    return float(np.percentile(latencies, 99))


async def _post(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes) -> bool:
    reader, writer = connection
    writer.write(b"POST /v1/rank HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")
