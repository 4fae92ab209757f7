"""A Redis that does not answer in time is late, as everything else that does not."""

import pytest

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
