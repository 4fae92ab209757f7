"""Probes, against small real servers."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from eddyline.stack.probes import http_ok, kafka_answers, redis_answers
from eddyline.stack.process import NoAnswer


@pytest.fixture
def nobody() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def answering() -> Iterator:
    """Starts a server that gives every connection the same answer; its port."""
    servers: list[socket.socket] = []

    def begin(answer: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    yield begin
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def http(status: str, body: bytes = b"") -> bytes:
    return b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_a_2xx_answer_is_well(answering):
    assert asyncio.run(http_ok(f"http://127.0.0.1:{answering(http('200 OK'))}/readyz")()) is None


def test_another_status_gives_the_reason_that_the_process_told(answering):
    port = answering(http("503 Service Unavailable", b'{"ok": false, "reason": "no partitions yet"}'))
    reason = asyncio.run(http_ok(f"http://127.0.0.1:{port}/readyz")())
    assert "503" in reason
    assert "no partitions yet" in reason


def test_one_probe_serves_one_event_loop_after_another(answering):
    probe = http_ok(f"http://127.0.0.1:{answering(http('200 OK'))}/")
    assert [asyncio.run(probe()), asyncio.run(probe())] == [None, None]


def test_nobody_listening_is_a_reason_not_an_error(nobody):
    assert "Refused" in asyncio.run(http_ok(f"http://127.0.0.1:{nobody}/")())
    assert "Refused" in asyncio.run(redis_answers(nobody)())
    assert "Refused" in asyncio.run(kafka_answers(f"127.0.0.1:{nobody}")())


def test_no_answer_is_told_from_a_bad_one(nobody, answering):
    port = answering(http("503 Service Unavailable"))
    assert not isinstance(asyncio.run(http_ok(f"http://127.0.0.1:{port}/")()), NoAnswer)
    for probe in (
        http_ok(f"http://127.0.0.1:{nobody}/"),
        http_ok(f"http://127.0.0.1:{answering(b'')}/"),
        http_ok(f"http://127.0.0.1:{answering(b'who is there')}/"),
        redis_answers(nobody),
        kafka_answers(f"127.0.0.1:{nobody}"),
    ):
        assert isinstance(asyncio.run(probe()), NoAnswer)


@pytest.mark.parametrize("scheme", ["http", "redis"])
def test_a_probe_that_is_cancelled_ends_even_as_its_answer_arrives(scheme):
    """Else the watch over a process that has just died never ends, and the process is not started again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        probe = http_ok(f"http://127.0.0.1:{port}/") if scheme == "http" else redis_answers(port)
        for turns in range(60):
            asked = asyncio.create_task(probe())
            for _ in range(turns):
                await asyncio.sleep(0)
            if asked.cancel():
                await asyncio.wait([asked])
                assert asked.cancelled(), turns
        server.close()

    asyncio.run(scenario())


def test_redis_is_well_when_it_answers_a_ping(answering):
    assert asyncio.run(redis_answers(answering(b"+PONG\r\n"))()) is None


def test_redis_that_still_loads_is_not_well(answering):
    reason = asyncio.run(redis_answers(answering(b"-LOADING Redis is loading the dataset in memory\r\n"))())
    assert "LOADING" in reason


def test_something_that_is_no_broker_is_not_well(answering):
    assert "kafka" in asyncio.run(kafka_answers(f"127.0.0.1:{answering(b'who is there')}")())
