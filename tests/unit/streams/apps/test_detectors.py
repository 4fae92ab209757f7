"""What the detectors' process does with the stamps of what it reads."""

from faust.types import TP
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.schema.topics import EXPOSURES
from streams.apps.broker_clock import BrokerClock
from streams.apps.detectors import take_in
from streams.apps.log_worker import Message
from streams.feedback.production.log_cut import LogCut
from streams.feedback.production.metrics import LoopMetrics

LOG = TP(EXPOSURES, 0)
START_MS, DAY_MS = 1_700_000_000_000, 86_400_000


def test_a_stamp_of_tomorrow_is_counted_and_does_not_tell_the_time() -> None:
    """Else all logs that are read to their end would seem to be quiet until tomorrow."""
    registry = CollectorRegistry()
    cut, clock, metrics = LogCut({LOG: 0}, {}), BrokerClock(ManualClock()), LoopMetrics(registry)

    def read(offset: int, stamp_ms: int) -> tuple[int, float | None]:
        take_in({LOG: [Message(offset, stamp_ms, b"")]}, cut, clock, metrics)
        labels = {"topic": EXPOSURES, "stamp": "ahead"}
        return clock.now_ms(), registry.get_sample_value("eddyline_loop_messages_misstamped_total", labels)

    assert read(0, START_MS)[0] == START_MS
    assert read(1, START_MS + DAY_MS)[0] == START_MS
    assert read(2, START_MS + 1_000) == (START_MS + 1_000, 1)
