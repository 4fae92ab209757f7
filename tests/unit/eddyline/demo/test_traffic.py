import threading

import pytest

from eddyline.demo.traffic import Traffic
from feature_store.clock import SystemClock


def test_waves_keep_coming_until_the_traffic_is_left() -> None:
    enough, waves = threading.Event(), list[int]()

    def wave() -> None:
        waves.append(1)
        if len(waves) == 5:
            enough.set()

    with Traffic(wave, 1000.0, SystemClock()):
        assert enough.wait(30)
    assert len(waves) >= 5


def test_the_pace_changes_while_traffic_runs() -> None:
    enough, waves = threading.Event(), list[int]()

    def wave() -> None:
        waves.append(1)
        traffic.pace(1000.0)
        if len(waves) == 5:
            enough.set()

    traffic = Traffic(wave, 0.001, SystemClock())
    with traffic:
        assert enough.wait(30)


def test_a_failure_in_a_wave_is_raised_where_it_is_asked_for() -> None:
    failed = threading.Event()

    def wave() -> None:
        failed.set()
        raise ValueError("no answer")

    with Traffic(wave, 1000.0, SystemClock()) as traffic:
        assert failed.wait(30)
        traffic.join()
        with pytest.raises(ValueError, match="no answer"):
            traffic.check()
