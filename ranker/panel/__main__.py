"""`python -m ranker.panel`: scores the panel at the beginning of every epoch, until it is told to stop."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from feature_store.catalog import load_catalog
from feature_store.clock import Clock, SystemClock
from feature_store.telemetry.health import HealthServer, Heartbeat
from feature_store.telemetry.logs import configure_logging
from feature_store.telemetry.stopping import told_to_stop
from ranker.panel.metrics import PanelMetrics
from ranker.panel.panel import EpochMissed, Panel
from ranker.panel.settings import PanelSettings
from ranker.panel.wiring import Parts, open_parts
from ranker.service.wiring import first_problem, model_problem
from ranker.triton.base import InferenceError

_log = structlog.get_logger()
_IDLE_S = 1.0


class PanelLoop:
    """One epoch after the other.

    Parameters
    ----------
    wait : sleeps so many seconds, and says whether to stop
    """

    def __init__(
        self,
        settings: PanelSettings,
        parts: Parts,
        panel: Panel,
        clock: Clock,
        heartbeat: Heartbeat,
        metrics: PanelMetrics,
        wait: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._panel = panel
        self._clock = clock
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._wait = wait

    def run(self) -> None:
        """Until told to stop."""
        while not self._turn():
            self._heartbeat.beat()

    def _turn(self) -> bool:
        if not self._settings.nudge_delta:
            return self._wait(_IDLE_S)
        users = self._parts.users.of_next_epoch()
        self._metrics.drawn(users)
        epoch_ms, lead_ms = self._settings.nudge_epoch_ms, int(self._settings.panel_lead_s * 1000)
        epoch = (self._clock.now_ms() + lead_ms) // epoch_ms + 1
        if self._sleep_until(epoch * epoch_ms - lead_ms):
            return True
        try:
            reading = self._panel.read(epoch, users)
        except EpochMissed as missed:
            return self._failed("missed", missed)
        if reading.empty:
            return self._counted("empty")
        if self._sleep_until(epoch * epoch_ms):
            return True
        began_ns = self._clock.monotonic_ns()
        try:
            items = self._panel.publish(reading, self._parts.watcher.current)
        except InferenceError as error:
            return self._failed("failed", error)
        self._metrics.scoring_s.set((self._clock.monotonic_ns() - began_ns) / 1e9)
        self._metrics.items.set(items)
        if self._panel.late(epoch):
            return self._failed("late", TimeoutError("scores came after the first half of the epoch"))
        return self._counted("published")

    def _failed(self, outcome: str, error: Exception) -> bool:
        _log.warning("panel_epoch", outcome=outcome, error=str(error))
        return self._counted(outcome)

    def _counted(self, outcome: str) -> bool:
        self._metrics.epochs.labels(outcome).inc()
        return False

    def _sleep_until(self, time_ms: int) -> bool:
        """Whether to stop."""
        while (left_ms := time_ms - self._clock.now_ms()) > 0:
            self._heartbeat.beat()
            if self._wait(min(left_ms / 1000, _IDLE_S)):
                return True
        return False


def main() -> int:
    """Score until SIGTERM or SIGINT."""
    settings, clock, stop = PanelSettings(), SystemClock(), told_to_stop()
    configure_logging("panel", settings.log_level)
    with ExitStack() as stack:
        parts = open_parts(settings, load_catalog(), clock, stack)
        heartbeat = Heartbeat(clock)
        live = heartbeat.problem
        ready = first_problem(
            live, parts.knowledge.follower.problem, lambda: model_problem(parts.client, parts.watcher)
        )
        health = HealthServer(settings.bind_host, settings.metrics_port, live=live, ready=ready)
        stack.callback(health.close)
        PanelLoop(
            settings, parts, parts.panel, clock, heartbeat, PanelMetrics(settings.slices), stop.wait
        ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
