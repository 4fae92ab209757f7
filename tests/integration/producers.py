"""A producer for tests: without idempotence the first messages of a fresh topic may change places."""

from confluent_kafka import Producer


def ordered_producer(bootstrap: str, **config: object) -> Producer:
    """One that writes each partition in the order in which it is told."""
    return Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, **config})
