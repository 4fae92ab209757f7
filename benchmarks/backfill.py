"""How fast a new view is filled from the retained batch log: Kafka to rows in Redis."""

import time
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Producer

from benchmarks.report import Figure
from benchmarks.stack import NO_WORKERS, running_stack
from feature_store.catalog import load_catalog
from feature_store.online import online_store
from feature_store.schema.batches import EntityBatch, encode_entity_batch
from feature_store.schema.ids import partition_of
from feature_store.schema.topics import batch_topic
from feature_store.settings import kafka_client_config
from streams.apps.features_settings import FeaturesSettings
from streams.backfill.run import Wanted, run_backfill

EVENTS, ITEMS = 4_000_000, 20_000
BATCH_ROWS = 4_096
"""As ingest writes them at load."""
NAMES = ("impression", "interaction/click", "interaction/like")
START_MS = 1_700_000_000_000


def measure() -> list[Figure]:
    """Events/s of the view of the items, from an empty Redis to the end of the log."""
    view = load_catalog().view("item")
    with running_stack(**NO_WORKERS, EDDYLINE_INFERENCE="embedded") as stack:
        settings = FeaturesSettings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        _fill(settings, batch_topic(view.entity))
        begun = time.perf_counter()
        run_backfill(settings, online_store(settings), Wanted((view,), {}), lambda at, of: None)
        rate = EVENTS / (time.perf_counter() - begun)
    return [Figure("back-fill of the view of the items", rate, "events/s", target=200_000.0)]


def _fill(settings: FeaturesSettings, topic: str) -> None:
    producer = Producer({**kafka_client_config(settings), "compression.type": "lz4", "linger.ms": 5})
    for partition in range(settings.batch_partitions):
        ids = [
            id_ for n in range(ITEMS) if partition_of(id_ := f"i{n}", settings.batch_partitions) == partition
        ]
        for payload in _batches(ids, partition, EVENTS // settings.batch_partitions):
            producer.produce(topic, payload, partition=partition)
            producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take all batches")


def _batches(ids: list[str], partition: int, events: int) -> Iterator[bytes]:
    """Popularity is Zipf-like; an event is a click in ten cases of a hundred, a like in one."""
    rng = np.random.default_rng(partition)
    for first in range(0, events, BATCH_ROWS):
        n = min(BATCH_ROWS, events - first)
        place = np.minimum(rng.pareto(1.1, n) * 50, len(ids) - 1).astype(np.int32)
        present, index = np.unique(place, return_inverse=True)
        offsets = np.arange(first, first + n, dtype=np.int64)
        yield encode_entity_batch(
            EntityBatch(
                entity_ids=[ids[at] for at in present.tolist()],
                entity_index=index.astype(np.int32),
                event_names=list(NAMES),
                event_index=rng.choice(len(NAMES), n, p=(0.89, 0.1, 0.01)).astype(np.int32),
                event_time_ms=START_MS + offsets,
                value=np.ones(n),
                source_partition=np.full(n, partition, np.int32),
                source_offset=offsets,
                ranges={partition: (first, first + n - 1)},
            )
        )
