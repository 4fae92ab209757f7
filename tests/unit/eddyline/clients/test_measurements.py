"""Where what a deployment measures is read, and what is said where it is not."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from eddyline.clients.loops import judgements
from eddyline.clients.measurements import NO_PROMETHEUS, NOT_KNOWN, measurements
from eddyline.stack.addresses import Addresses
from eddyline.stack.process import Status
from eddyline.stack.state import State, write_state
from feature_store.settings import Settings

PAGE = b'eddyline_loop_verdict{subject="ranker",detector="board",verdict="quiet"} 1.0\nprocess_threads 3\n'
SERIES = (
    b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":'
    b'"eddyline_loop_verdict","subject":"ranker","detector":"board","verdict":"quiet",'
    b'"process":"detectors-0"},"value":[1700000000.5,"1"]}]}}'
)


@contextmanager
def answering(path: str, payload: bytes) -> Iterator[str]:
    """A server that knows one path, with any query that has an expression in it."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.partition("%")[0] == path
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def local_stack(tmp_path: Path) -> Callable[..., Settings]:
    """A stack of which one process is down, supervised by this process."""

    def left(**metrics: str) -> Settings:
        me = psutil.Process(os.getpid())
        addresses = Addresses("k:1", "redis://r:1/0", None, None, "", "", "", "embedded", metrics)
        write_state(
            tmp_path, State(me.pid, me.create_time(), addresses, (Status("detectors-0", phase="down"),))
        )
        return Settings(home=tmp_path)

    return left


def test_a_stack_that_is_not_ready_is_read_and_who_does_not_answer_is_named(local_stack) -> None:
    with answering("/metrics", PAGE) as there:
        pages = {"detectors-0": f"{there}/metrics", "ranker-0": f"{there}/gone"}
        found = measurements(local_stack(**pages))
    assert [each.verdict for each in judgements(found.samples)] == ["quiet"]
    assert found.missing.endswith(": ranker-0")


def test_a_stack_that_answers_misses_nothing(local_stack) -> None:
    with answering("/metrics", PAGE) as there:
        assert measurements(local_stack(detectors=f"{there}/metrics")).missing == ""


def test_where_no_stack_runs_nobody_knows_unless_prometheus_is_named(tmp_path) -> None:
    found = measurements(Settings(home=tmp_path))
    assert (found.samples, found.missing) == ([], NOT_KNOWN)


def test_elsewhere_prometheus_is_asked(tmp_path, monkeypatch) -> None:
    with answering("/api/v1/query?query=", SERIES) as there:
        monkeypatch.setenv("EDDYLINE_PROMETHEUS_URL", f"{there}/")
        found = measurements(Settings(home=tmp_path))
    assert [each.verdict for each in judgements(found.samples)] == ["quiet"]
    assert [each.process for each in found.samples] == ["detectors-0"]
    assert found.missing == ""


@pytest.mark.parametrize("path", ["/api/v1/query?query=", "/elsewhere"])
def test_what_is_no_prometheus_is_said_without_its_address(tmp_path, monkeypatch, path) -> None:
    with answering(path, b"<html>") as there:
        monkeypatch.setenv("EDDYLINE_PROMETHEUS_URL", there)
        found = measurements(Settings(home=tmp_path))
    assert found.samples == []
    assert found.missing.startswith(NO_PROMETHEUS)
    assert there not in found.missing
