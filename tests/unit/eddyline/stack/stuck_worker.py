"""A worker whose main loop turns for a moment and then waits for ever, while its health server goes on."""

import os
import threading

from feature_store.clock import SystemClock
from feature_store.telemetry.health import HealthServer, Heartbeat

if __name__ == "__main__":
    heartbeat = Heartbeat(SystemClock(), max_age_s=1.0)
    port = int(os.environ["EDDYLINE_METRICS_PORT"])
    HealthServer("127.0.0.1", port, live=heartbeat.problem, ready=lambda: None)
    heartbeat.beat()
    threading.Event().wait()
