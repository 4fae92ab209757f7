"""The store in memory obeys the laws, and goes back in time when a test wants it to."""

import copy

import pytest

from feature_store.online import MemoryOnlineStore, OnlineStore, RolledBack
from tests.laws.store_laws import PARTITION, VIEW, OnlineStoreLaws


class TestMemoryOnlineStore(OnlineStoreLaws):
    @pytest.fixture
    def store(self) -> OnlineStore:
        return MemoryOnlineStore()


def test_a_store_that_went_back_refuses_the_next_write() -> None:
    store = MemoryOnlineStore()
    epoch = store.claim(VIEW, PARTITION).epoch
    store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")])
    earlier = copy.deepcopy(store)
    store.put_rows(VIEW, PARTITION, epoch, 2, [("u", b"2")])
    with pytest.raises(RolledBack):
        earlier.put_rows(VIEW, PARTITION, epoch, 3, [("u", b"3")])
