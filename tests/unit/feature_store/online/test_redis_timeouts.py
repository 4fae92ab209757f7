"""A Redis that does not answer in time is late, as everything else that does not."""

import pytest
from redis import Redis

from feature_store.online import RedisOnlineStore, RowKey, RowsOf
from tests.unit.feature_store.online.silent_redis import silent_redis

WANTED = [RowsOf("0123456789ab", ["u"], 0)]


def test_a_read_that_is_not_answered_in_time_raises_a_timeout_error() -> None:
    with silent_redis() as client:
        store = RedisOnlineStore(client)
        with pytest.raises(TimeoutError, match="reading"):
            store.read(WANTED)
        with pytest.raises(TimeoutError, match="reading"):
            store.multi_get([RowKey(0, "0123456789ab", "u")])
        with pytest.raises(TimeoutError, match="reading"), store.asking() as ask:
            ask(WANTED)()


@pytest.mark.timeout(30)
def test_a_caller_in_a_hurry_waits_no_longer_than_it_can() -> None:
    with silent_redis(timeout_s=3600.0) as client:
        store = RedisOnlineStore(client)
        for _ in range(2):  # a connection that is there, and one that has to be made again
            with pytest.raises(TimeoutError, match="reading"), store.asking(lambda: 10.0) as ask:
                ask(WANTED)()


def test_a_caller_without_time_left_does_not_touch_redis() -> None:
    nobody = RedisOnlineStore(Redis(port=1))
    with pytest.raises(TimeoutError, match="no time left"), nobody.asking(lambda: 0.0) as ask:
        ask(WANTED)
