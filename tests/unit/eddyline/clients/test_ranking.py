import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from eddyline.clients.ranking import RankClient
from feature_store.schema.requests import (
    FeatureServiceRef,
    ModelRef,
    RankRequest,
    RankResponse,
    parse_request,
)


class Ranker(BaseHTTPRequestHandler):
    """Ranks nothing, and refuses the user ``nobody``."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = parse_request(self.rfile.read(int(self.headers["Content-Length"])))
        refused = request.user_id == "nobody"
        body = b'{"error":{"code":"invalid"}}' if refused else msgspec.json.encode(_response(request))
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _response(request: RankRequest) -> RankResponse:
    return RankResponse(
        request_id=request.request_id,
        user_id=request.user_id,
        surface=request.surface,
        items=[],
        model=ModelRef("counters", "1"),
        feature_service=FeatureServiceRef("timeline_v1", "abc"),
        served_time_ms=0,
        latency_ms=1.0,
    )


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ranker)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_answers_come_in_the_order_of_the_requests(url: str) -> None:
    client = RankClient(url, lanes=4)
    requests = [RankRequest(request_id=f"r{number}", user_id="u") for number in range(200)]
    answers = client.rank(requests)
    client.close()
    assert [answer.response and answer.response.request_id for answer in answers] == [
        request.request_id for request in requests
    ]
    assert all(answer.problem is None and answer.latency_ms > 0 for answer in answers)


def test_a_refusal_is_an_answer_with_the_servers_words(url: str) -> None:
    client = RankClient(url)
    good, bad = client.rank([RankRequest(request_id="r", user_id=user) for user in ("u", "nobody")])
    client.close()
    assert good.response is not None
    assert (bad.response, bad.problem) == (None, '400 {"error":{"code":"invalid"}}')


def test_nobody_there_is_an_answer_too() -> None:
    client = RankClient("http://127.0.0.1:9", timeout_s=5.0)
    (answer,) = client.rank([RankRequest(request_id="r", user_id="u")])
    client.close()
    assert answer.response is None
    assert "Connect" in str(answer.problem)
