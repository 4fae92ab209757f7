import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from eddyline.clients.alerts import Alert, firing

ANSWER = [
    {
        "labels": {"alertname": "EddylineLoopDetected", "severity": "page"},
        "annotations": {"summary": "A loop", "runbook": "docs/runbooks/loop-detected.md"},
        "status": {"state": "active"},
    },
    {"labels": {"alertname": "Bare"}, "annotations": {}, "status": {"state": "active"}},
]


class Alertmanager(BaseHTTPRequestHandler):
    """Answers as the real one does, see its OpenAPI file; the real one is asked in the demo's test."""

    def do_GET(self) -> None:
        known = self.path == "/api/v2/alerts?active=true"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_alerts_come_with_their_runbooks() -> None:
    server = HTTPServer(("127.0.0.1", 0), Alertmanager)
    thread = Thread(target=server.serve_forever)
    thread.start()
    assert firing(f"http://127.0.0.1:{server.server_port}") == [
        Alert("EddylineLoopDetected", "page", "A loop", "docs/runbooks/loop-detected.md"),
        Alert("Bare", "", "", ""),
    ]
    server.shutdown()
    thread.join()
    server.server_close()
    with pytest.raises(httpx.HTTPError):
        firing(f"http://127.0.0.1:{server.server_port}")
