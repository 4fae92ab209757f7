"""`python -m ranker.service`: ranks over HTTP and Kafka until it is told to stop."""

import gc
import os
import signal
import sys
from contextlib import ExitStack

import structlog
import uvicorn
from starlette.types import ASGIApp

from feature_store.catalog import load_catalog
from feature_store.clock import SystemClock
from feature_store.telemetry.health import HealthServer
from feature_store.telemetry.logs import configure_logging
from ranker.service.process import Ending, open_process
from ranker.service.settings import RankerSettings

_log = structlog.get_logger()


SWITCH_S = 0.0001
"""A request must not wait Python's 5 ms for what follows another one: side effects, probes, pollers."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 unless a front door failed."""
    settings = RankerSettings()
    configure_logging("ranker", settings.log_level)
    ending = Ending(lambda: os.kill(os.getpid(), signal.SIGTERM))
    with ExitStack() as stack:
        process = open_process(settings, load_catalog(), SystemClock(), ending, stack)
        health = HealthServer(
            settings.bind_host, settings.metrics_port, live=process.live, ready=process.ready
        )
        stack.callback(health.close)
        _log.info("ranker_starts", http_port=settings.http_port, metrics_port=health.port)
        sys.setswitchinterval(SWITCH_S)
        gc.collect()
        gc.freeze()  # what is here now stays: no need to look at it again
        _serve(settings, process.http)
    return 0 if ending.failure is None else 1


def _serve(settings: RankerSettings, app: ASGIApp) -> None:
    """Run the HTTP server; a signal ends it once what is in flight has been answered."""
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.http_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.drain_s),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it is done; then we drain
    uvicorn.Server(config).run()


if __name__ == "__main__":
    sys.exit(main())
