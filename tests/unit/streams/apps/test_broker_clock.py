"""The broker's time as the join knows it."""

import pytest

from feature_store.clock import ManualClock
from streams.apps.broker_clock import BrokerClock


@pytest.mark.parametrize("host_ahead_ms", [-14_400_000, 0, 14_400_000])
def test_the_time_of_this_machine_does_not_matter(host_ahead_ms: int) -> None:
    host = ManualClock(1_700_000_000_000 + host_ahead_ms)
    broker = BrokerClock(host)
    broker.saw("log", 1_700_000_000_000)
    host.advance(1_500)
    assert broker.now_ms() == 1_700_000_001_500


def test_a_broker_whose_clock_was_put_back_is_followed() -> None:
    host = ManualClock()
    broker = BrokerClock(host)
    broker.saw("log", 9_000_000)
    host.advance(1_000)
    broker.saw("log", 5_000_000)
    assert broker.now_ms() == 5_000_000


def test_a_log_that_is_read_late_does_not_put_the_time_back() -> None:
    """As after a restart: what came last to one partition is older than what was read of another before."""
    host = ManualClock()
    broker = BrokerClock(host)
    broker.saw("ahead", 9_000_000)
    host.advance(1_000)
    broker.saw("behind", 5_000_000)
    assert broker.now_ms() == 9_001_000


def test_nothing_is_known_before_the_first_message() -> None:
    host = ManualClock()
    broker = BrokerClock(host)
    host.advance(5_000)
    assert broker.now_ms() == 0
