"""`eddyline rank` and `eddyline features` against an HTTP server that speaks the contract."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from eddyline.cli import build

ANSWER = {
    "request_id": "r",
    "user_id": "u1",
    "surface": "home",
    "items": [
        {
            "item_id": "i[1]",
            "position": 0,
            "score": 0.5,
            "heads": {"click": 0.5},
            "propensity": 1.0,
            "source": "request",
        }
    ],
    "model": {"name": "counters", "version": "1"},
    "feature_service": {"name": "timeline_v1", "fingerprint": "abc"},
    "degraded": ["model_late"],
    "latency_ms": 2.5,
}
FEATURES = {"entity": "item", "entity_id": "i1", "features": {"clicks": 3.0}, "as_of_time_ms": 1, "age_ms": 7}


class Handler(BaseHTTPRequestHandler):
    """Answers what the ranker would, and keeps what it was asked."""

    asked: list[tuple[str, dict | None]] = []  # noqa: RUF012  (reset by the fixture)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        self._answer(200, ANSWER)

    def do_GET(self) -> None:
        self.asked.append((self.path, None))
        if "galaxy" in self.path:
            self._answer(
                404, {"error": {"code": "unknown_entity", "message": "none such", "field": "entity"}}
            )
        else:
            self._answer(200, FEATURES)

    def _answer(self, status: int, body: dict) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def http() -> Iterator[str]:
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_timeline_is_shown_with_its_model_and_what_was_missing(http):
    result = CliRunner().invoke(build(), ["rank", "u1", "i[1]", "--limit", "3", "--http", http])
    assert result.exit_code == 0, result.output
    for word in ("i[1]", "click 0.5000", "counters", "timeline_v1", "model_late"):
        assert word in result.output
    ((path, request),) = Handler.asked
    assert path == "/v1/rank"
    assert (request["user_id"], request["candidates"], request["limit"]) == ("u1", ["i[1]"], 3)


def test_without_items_the_sources_are_asked_and_json_is_printed_as_it_came(http):
    result = CliRunner().invoke(build(), ["rank", "u1", "--json", "--http", http])
    assert json.loads(result.output) == ANSWER
    assert "candidates" not in Handler.asked[0][1]


def test_features_of_a_combined_entity_are_asked_for_by_their_encoded_id(http):
    result = CliRunner().invoke(build(), ["features", "user|creator", "u1|c/1", "--http", http])
    assert Handler.asked == [("/v1/features/user%7Ccreator/u1%7Cc%2F1", None)]
    assert "clicks" in result.output and "7 ms old" in result.output


def test_an_error_is_printed_without_a_trace(http):
    result = CliRunner().invoke(build(), ["features", "galaxy", "m31", "--http", http])
    assert result.exit_code == 1
    assert "unknown_entity: none such (entity)" in result.output
    assert "Traceback" not in result.output


def test_a_ranker_that_is_not_there_is_said_to_be_so(tmp_path, monkeypatch):
    result = CliRunner().invoke(build(), ["rank", "u1", "--http", "http://127.0.0.1:1"])
    assert (result.exit_code, "does not answer" in result.output) == (1, True)
    monkeypatch.setenv("EDDYLINE_HOME", str(tmp_path))
    result = CliRunner().invoke(build(), ["rank", "u1"])
    assert (result.exit_code, "no stack runs" in result.output) == (1, True)
