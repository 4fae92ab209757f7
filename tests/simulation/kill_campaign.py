"""Kill workers while events flow, then count: ``python -m tests.simulation.kill_campaign --kills 20``.

Two ingest and two feature workers on a real broker and a real Redis. At random moments of a paced run
one of them is killed with SIGKILL; its supervisor starts it again. In the end the all-time counters of
every entity must equal a count over the events produced, and decayed sums those of an oracle.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from feature_store.schema.topics import EVENTS, ITEMS
from tests.simulation.event_load import ITEMS as ITEM_COUNT
from tests.simulation.event_load import Tally, encode, feedback_event, item_events
from tests.simulation.pipeline import Pipeline, pipeline, wait_until

VICTIMS = ("ingest-0", "ingest-1", "features-0", "features-1")


@dataclass(frozen=True)
class Outcome:
    """What a campaign did and found; ``differences`` must be empty."""

    events: int
    kills: dict[str, int]
    seconds: float
    counters: int
    differences: Sequence[str]


def run_campaign(
    flow: Pipeline, *, events: int, kills: int, seed: int, events_per_s: int, victims: Sequence[str] = VICTIMS
) -> Outcome:
    """Produce, kill, wait until all is folded, compare."""
    rng, tally, began = random.Random(seed), Tally(), time.monotonic()
    producer = Producer(
        {
            "bootstrap.servers": flow.settings.kafka_bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
        }
    )
    produce_items(producer, flow)
    now_ms = time.time_ns() // 1_000_000
    killed = dict.fromkeys(victims, 0)
    kill_at = sorted(rng.sample(range(events), kills))
    for number in range(events):
        _produce(producer, tally, feedback_event(rng, number, now_ms), rng)
        if number == (kill_at[0] if kill_at else -1):
            producer.flush()
            kill_at.pop(0)
            killed[_kill_one(flow, rng, victims)] += 1
        _pace(began, number, events_per_s, producer)
    assert producer.flush(60) == 0
    flow.wait_settled()
    differences = list(tally.differences(flow.store(), flow.settings.batch_partitions, now_ms))
    return Outcome(events, killed, round(time.monotonic() - began, 1), tally.counters(), differences)


def produce_items(producer: Producer, flow: Pipeline) -> None:
    """Produce the catalogue and wait until ingest has published it."""
    for event in item_events(time.time_ns() // 1_000_000):
        producer.produce(EVENTS, encode(event), str(event["item_id"]))
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": flow.settings.kafka_bootstrap, "group.id": "campaign"})
    wait_until(
        lambda: consumer.get_watermark_offsets(TopicPartition(ITEMS, 0), timeout=10)[1] >= ITEM_COUNT,
        "the items are published",
    )
    consumer.close()


def _produce(producer: Producer, tally: Tally, event: dict[str, object], rng: random.Random) -> None:
    """One event; some twice, as a producer that retries does."""
    tally.add(event)
    for _ in range(2 if rng.random() < 0.01 else 1):
        producer.produce(EVENTS, encode(event), str(event["user_id"]))
    producer.poll(0)


def _kill_one(flow: Pipeline, rng: random.Random, victims: Sequence[str]) -> str:
    """Kill one that runs; where all are down, wait for the next to come up."""
    while True:
        name = rng.choice(victims)
        if flow.kill(name):
            return name
        time.sleep(0.05)


def _pace(began: float, number: int, events_per_s: int, producer: Producer) -> None:
    if number % 100 == 0:
        ahead_s = number / events_per_s - (time.monotonic() - began)
        if ahead_s > 0:
            producer.poll(0)
            time.sleep(ahead_s)


def main() -> int:
    """Run a campaign in a folder of its own and print what came out of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=2_500, help="events a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eddyline-campaign-") as home, pipeline(Path(home)) as flow:
        outcome = run_campaign(
            flow,
            events=arguments.events,
            kills=arguments.kills,
            seed=arguments.seed,
            events_per_s=arguments.rate,
        )
    print(json.dumps(asdict(outcome), indent=2))
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
