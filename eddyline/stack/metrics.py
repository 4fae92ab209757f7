"""The supervisor's metrics: what runs, what is ready, how often it was started again."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eddyline.stack.process import Status


class StatusCollector(Collector):
    """Reads the statuses at each scrape."""

    def __init__(self, statuses: Callable[[], Sequence[Status]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """One sample per process and family."""
        ready = GaugeMetricFamily(
            "eddyline_supervisor_process_ready", "1 while a process is ready.", labels=["process"]
        )
        restarts = CounterMetricFamily(
            "eddyline_supervisor_restarts", "How often a process was started again.", labels=["process"]
        )
        for status in self._statuses():
            ready.add_metric([status.name], float(status.ready))
            restarts.add_metric([status.name], status.restarts)
        yield ready
        yield restarts
