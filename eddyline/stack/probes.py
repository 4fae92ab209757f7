"""Probes of the real parts and of our workers; each says None, the reason why not, or `NoAnswer`.

Cancelled, a probe ends: they keep time by `asyncio.timeout`, because before Python 3.12 `asyncio.wait_for`
forgets a cancellation that comes together with the answer.
"""

import asyncio
import functools
from urllib.parse import SplitResult, urlsplit

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eddyline.stack.process import NoAnswer, Probe

TIMEOUT_S = 2.0


def http_ok(url: str) -> Probe:
    """A probe that asks for ``url`` (plain HTTP) and wants a 2xx answer."""
    address = urlsplit(url)

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, said = await _get(address)
        except (OSError, EOFError, ValueError) as error:
            return NoAnswer(f"{url}: {type(error).__name__}")
        return None if 200 <= status < 300 else f"{url}: {status} {said[:200].strip()}"

    return probe


def redis_answers(port: int) -> Probe:
    """A probe that pings Redis; one that is still loading its file is not ready."""

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await _exchange(port, b"PING\r\n")
        except (OSError, TimeoutError) as error:
            return NoAnswer(f"redis: {type(error).__name__}")
        return None if answer == b"+PONG\r\n" else answer.decode(errors="replace").strip()

    return probe


def kafka_answers(bootstrap: str) -> Probe:
    """A probe that asks the broker for its metadata and wants to find a broker in it."""
    host, _, port = bootstrap.rpartition(":")

    @functools.cache
    def client() -> AdminClient:
        return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 100})

    def ask() -> str | None:
        try:
            return None if client().list_topics(timeout=TIMEOUT_S).brokers else "kafka: no broker registered"
        except KafkaException as error:
            return NoAnswer(f"kafka: {error}")

    async def probe() -> str | None:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            return NoAnswer(f"kafka: {type(error).__name__}")
        writer.close()
        return await asyncio.to_thread(ask)

    return probe


async def _get(address: SplitResult) -> tuple[int, str]:
    """Status and body of an answer; a client that can do more would take several times the processor time."""
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"GET {address.path} HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        _, status, *_ = head.split(maxsplit=2)
        return int(status), body.decode(errors="replace")
    finally:
        writer.close()


async def _exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.readline()
    finally:
        writer.close()
