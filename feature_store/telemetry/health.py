"""`/metrics`, `/healthz` and `/readyz` of a worker, served from a thread of their own."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from feature_store.clock import Clock

Readiness = Callable[[], str | None]
"""None when ready, else the reason why not."""


class Heartbeat:
    """Tells a stuck loop from a busy one: the loop beats, the probe asks how long ago.

    Parameters
    ----------
    clock : its monotonic time is used
    max_age_s : older than this and the loop counts as stuck
    """

    def __init__(self, clock: Clock, max_age_s: float = 30.0) -> None:
        self._clock = clock
        self._max_age_ns = int(max_age_s * 1e9)
        self._last_ns = clock.monotonic_ns()

    def beat(self) -> None:
        """Call once per turn of the loop."""
        self._last_ns = self._clock.monotonic_ns()

    def problem(self) -> str | None:
        """None while the loop turns, else how long it has been stuck."""
        age_ns = self._clock.monotonic_ns() - self._last_ns
        return None if age_ns <= self._max_age_ns else f"main loop has not turned for {age_ns / 1e9:.0f} s"


class HealthServer:
    """Serves the three endpoints on ``host:port`` until :meth:`close`; port 0 picks a free one."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Readiness,
        ready: Readiness,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        handler = _handler({"/healthz": live, "/readyz": ready}, registry)
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port bound."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(probes: dict[str, Readiness], registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path in probes:
                problem = probes[self.path]()
                body = json.dumps({"ok": problem is None, "reason": problem}).encode()
                self._answer(200 if problem is None else 503, "application/json", body)
            else:
                self._answer(404, "application/json", b'{"error":{"code":"not_found"}}')

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are too frequent to be logged."""

    return Handler
