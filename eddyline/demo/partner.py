"""The loop that the demo plants: a partner's job makes items' popularity of the scores that we publish."""

from itertools import count

import pyarrow as pa
from confluent_kafka import Consumer

from eddyline.clients.events import EventPublisher
from eddyline.clients.kafka import quiet_client_config
from feature_store.clock import Clock
from feature_store.schema.served import decode_served
from feature_store.schema.topics import RANK_SERVED
from feature_store.settings import Settings
from streams.simulator import World

GROUP = "partner-popularity"
"""The job's consumer group, which no lineage declares."""

_POPULARITY_OF_SCORE = 30.0
_COLUMNS = ["item_id", "published_score"]
_BATCHES, _MESSAGES, _WAIT_S = 4, 500, 0.05


class PopularityJob:
    """Reads what was scored since it last looked, and announces each item with its mean score as popularity.

    Parameters
    ----------
    settings : where Kafka is
    world : the items
    publisher : of the item events
    clock : gives the events their times
    """

    def __init__(self, settings: Settings, world: World, publisher: EventPublisher, clock: Clock) -> None:
        self._world = world
        self._publisher = publisher
        self._clock = clock
        self._announced = count()
        self._consumer = Consumer(
            {**quiet_client_config(settings), "group.id": GROUP, "auto.offset.reset": "latest"}
        )
        self._consumer.subscribe([RANK_SERVED])

    def __call__(self) -> None:
        """One run of the job."""
        batches = (self._consumer.consume(_MESSAGES, _WAIT_S) for _ in range(_BATCHES))
        messages = [message for batch in batches for message in batch if message.error() is None]
        scored = [decode_served(message.value() or b"") for message in messages]
        if not scored:
            return
        rows = pa.concat_tables([pa.Table.from_batches([each.select(_COLUMNS)]) for each in scored])
        means = rows.group_by("item_id").aggregate([("published_score", "mean")])
        now_ms = self._clock.now_ms()
        self._publisher.publish(
            self._world.item_event(
                self._world.index_of_item[item],
                f"popularity-{next(self._announced)}",
                now_ms,
                _POPULARITY_OF_SCORE * max(0.0, score),
            )
            for item, score in zip(
                means["item_id"].to_pylist(), means["published_score_mean"].to_pylist(), strict=True
            )
        )

    def close(self) -> None:
        """Leave the consumer group."""
        self._consumer.close()
