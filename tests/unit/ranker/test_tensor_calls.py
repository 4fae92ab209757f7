"""Tensors over HTTP, against a server that speaks Triton's binary extension and can leave its callers."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import numpy as np
import pytest

from ranker.triton.base import InferenceError, InferenceTimeout
from ranker.triton.tensors import TensorCalls

TENSORS = {"x": np.array([[1.0], [2.5]], np.float32), "ids": np.array([[7], [8]])}


class Doubling(BaseHTTPRequestHandler):
    """Answers twice the first input; ``leaves`` closes the connection after an answer that says it stays."""

    protocol_version = "HTTP/1.1"
    leaves = False
    may_answer = Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.may_answer.wait()
        head_length = int(self.headers["Inference-Header-Content-Length"])
        asked = json.loads(body[:head_length])
        first = asked["inputs"][0]
        size = first["parameters"]["binary_data_size"]
        doubled = np.frombuffer(body[head_length : head_length + size], np.float32) * 2
        head = json.dumps(
            {
                "outputs": [
                    {"name": "y", "parameters": {"binary_data_size": doubled.nbytes}},
                    {"name": "z", "parameters": {"binary_data_size": doubled.nbytes}},
                ]
            }
        ).encode()
        known = self.path == "/v2/models/m/infer" and asked["parameters"]["version"] == "3"
        content = head + doubled.tobytes() + (-doubled).tobytes() if known else b'{"error":"no such model"}'
        self.send_response(200 if known else 404)
        self.send_header("Inference-Header-Content-Length", str(len(head)))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.leaves

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(params=[False, True], ids=["stays", "leaves"])
def calls(request: pytest.FixtureRequest) -> Iterator[TensorCalls]:
    handler = type("Handler", (Doubling,), {"leaves": request.param})
    Doubling.may_answer.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    with closing(TensorCalls(f"127.0.0.1:{server.server_port}")) as calls:
        yield calls
    server.shutdown()
    server.server_close()


def test_every_output_comes_back_call_after_call_whether_or_not_the_server_keeps_the_connection(
    calls: TensorCalls,
) -> None:
    for _ in range(3):
        scores = calls.call("m", "3", TENSORS, timeout_ms=5_000)
        assert {name: values.tolist() for name, values in scores.items()} == {
            "y": [2.0, 5.0],
            "z": [-2.0, -5.0],
        }
        assert scores["y"].dtype == np.float32


def test_what_the_server_refuses_is_an_error_that_names_the_model_and_the_reason(calls: TensorCalls) -> None:
    with pytest.raises(InferenceError, match=r"model m/9: .*no such model"):
        calls.call("m", "9", TENSORS, timeout_ms=5_000)
    assert calls.call("m", "3", TENSORS, timeout_ms=5_000)["y"].tolist() == [2.0, 5.0]


def test_an_answer_that_is_late_meets_no_later_call(calls: TensorCalls) -> None:
    assert calls.call("m", "3", TENSORS, timeout_ms=5_000)["y"].tolist() == [2.0, 5.0]
    Doubling.may_answer.clear()
    with pytest.raises(InferenceTimeout, match="m/3 gave no answer within 1 ms"):
        calls.call("m", "3", TENSORS, timeout_ms=1)
    Doubling.may_answer.set()
    other = {**TENSORS, "x": TENSORS["x"] * 3}
    assert calls.call("m", "3", other, timeout_ms=5_000)["y"].tolist() == [6.0, 15.0]


def test_a_server_that_is_not_there_is_an_error() -> None:
    with closing(TensorCalls("127.0.0.1:1")) as calls, pytest.raises(InferenceError, match="out of reach"):
        calls.call("m", "3", TENSORS, timeout_ms=5_000)
