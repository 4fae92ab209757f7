"""The topics of a deployment, on a broker that others use before and after."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient

from feature_store.settings import Settings
from streams.topics_admin import ensure_topics

_GONE_WITHIN_S = 30.0


@contextmanager
def declared_topics(settings: Settings) -> Iterator[None]:
    """Every topic as declared while the block runs; what it made is gone afterwards, and what was in it."""
    made = ensure_topics(settings)
    try:
        yield
    finally:
        delete_topics(settings.kafka_bootstrap, made)


def delete_topics(bootstrap: str, names: list[str]) -> None:
    """Delete topics; returns when the broker knows none of them, so that they can be made anew."""
    admin, deadline = AdminClient({"bootstrap.servers": bootstrap}), time.monotonic() + _GONE_WITHIN_S
    for gone in admin.delete_topics(names).values():
        gone.result()
    while left := admin.list_topics(timeout=_GONE_WITHIN_S).topics.keys() & set(names):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
