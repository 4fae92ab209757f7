"""Probes of the real parts and of our workers; each says None, the reason why not, or `NoAnswer`."""

import asyncio
import functools

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eddyline.stack.process import NoAnswer, Probe

TIMEOUT_S = 2.0


def http_ok(url: str) -> Probe:
    """A probe that asks for ``url`` (plain HTTP) and wants a 2xx answer."""
    # Loading certificates would take most of a probe's time, and a kept connection outlive its event loop.
    client = httpx.AsyncClient(
        verify=False,  # noqa: S501
        timeout=TIMEOUT_S,
        trust_env=False,
        limits=httpx.Limits(max_keepalive_connections=0),
    )

    async def probe() -> str | None:
        try:
            answer = await client.get(url)
        except httpx.HTTPError as error:
            return NoAnswer(f"{url}: {type(error).__name__}")
        return None if answer.is_success else f"{url}: {answer.status_code} {answer.text[:200].strip()}"

    return probe


def redis_answers(port: int) -> Probe:
    """A probe that pings Redis; one that is still loading its file is not ready."""

    async def probe() -> str | None:
        try:
            answer = await asyncio.wait_for(_exchange(port, b"PING\r\n"), TIMEOUT_S)
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


async def _exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.readline()
    finally:
        writer.close()
