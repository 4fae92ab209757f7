"""Callers who ask through `rank.requests` at a steady rate, and users who see and click what is answered."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event as Flag

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from feature_store.schema.topics import EVENTS, RANK_REQUESTS, RANK_RESPONSES
from feature_store.settings import Settings
from tests.simulation.event_load import ITEMS, USERS, Event, display_events, encode
from tests.simulation.pipeline import wait_until

_CANDIDATES = 8
_RETRIED = 0.02
_POLL_S = 0.02


class Callers:
    """An open loop: requests go out at their rate, whether or not those before them were answered.

    Some requests are sent twice, as by a caller who retries. Every answer is displayed, a repeated one
    again.

    Parameters
    ----------
    now_ms : about the event time of what users do

    Attributes
    ----------
    acknowledged : ids of the requests that the broker has taken
    answers : request -> how often it was answered with items
    events : impressions and interactions, as they were sent
    """

    def __init__(self, settings: Settings, rng: random.Random, now_ms: int, requests_per_s: float) -> None:
        self._rng = rng
        self._now_ms = now_ms
        self._requests_per_s = requests_per_s
        self._asked = 0
        self._quiet, self._closing = Flag(), Flag()
        self.acknowledged: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.events: list[Event] = []
        bootstrap = settings.kafka_bootstrap
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "partitioner": "murmur2_random"}
        )
        self._responses = Consumer({"bootstrap.servers": bootstrap, "group.id": "callers"})
        partitions = self._responses.list_topics(RANK_RESPONSES, timeout=30).topics[RANK_RESPONSES].partitions
        self._responses.assign([TopicPartition(RANK_RESPONSES, n, 0) for n in partitions])

    def run(self) -> None:
        """Ask, look and click until :meth:`close`."""
        began = time.monotonic()
        while not self._closing.is_set():
            while (
                not self._quiet.is_set() and self._asked < (time.monotonic() - began) * self._requests_per_s
            ):
                self._ask()
            self._producer.poll(0)
            for message in self._responses.consume(100, _POLL_S):
                self._see(message)
        self._responses.close()
        assert self._producer.flush(60) == 0

    def wait_answered(self, timeout_s: float) -> None:
        """Ask no more, and wait until everything that the broker took is answered."""
        self._quiet.set()
        wait_until(lambda: not self.unanswered(), "requests are answered", timeout_s, self.unanswered)

    def unanswered(self) -> set[str]:
        """Requests that the broker has taken and nobody has answered."""
        return self.acknowledged - self.answers.keys()

    def close(self) -> None:
        """Let :meth:`run` end, once the broker has what users did."""
        self._closing.set()

    def clicks(self) -> dict[tuple[str, str], int]:
        """(request, item) -> clicks, of everything that was displayed."""
        shown = dict.fromkeys(((str(each["request_id"]), str(each["item_id"])) for each in self.events), 0)
        for event in self.events:
            if event["type"] == "interaction":
                shown[str(event["request_id"]), str(event["item_id"])] += 1
        return shown

    def _ask(self) -> None:
        request_id, user_id = f"r{self._asked}", f"u{self._rng.randrange(USERS)}"
        candidates = [f"i{n}" for n in self._rng.sample(range(ITEMS), _CANDIDATES)]
        asked = {"request_id": request_id, "user_id": user_id, "surface": "replay", "candidates": candidates}
        for _ in range(2 if self._rng.random() < _RETRIED else 1):
            taken = partial(self._taken, request_id)
            self._producer.produce(RANK_REQUESTS, encode(asked), user_id, on_delivery=taken)
        self._asked += 1

    def _taken(self, request_id: str, error: object, _: Message) -> None:
        if error is None:
            self.acknowledged.add(request_id)

    def _see(self, message: Message) -> None:
        answer = json.loads(message.value() or b"") if message.error() is None else {}
        if not answer.get("items"):
            return
        request_id, user_id = answer["request_id"], answer["user_id"]
        time_ms, display = self._now_ms, f"{request_id}-{self.answers[request_id]}"
        for event in display_events(self._rng, display, answer, time_ms):
            self._producer.produce(EVENTS, encode(event), user_id)
            self.events.append(event)
        self.answers[request_id] += 1


@contextmanager
def asking(callers: Callers) -> Iterator[None]:
    """Callers are there while the block runs; what they did is with the broker afterwards."""
    with ThreadPoolExecutor(1, "callers") as thread:
        running = thread.submit(callers.run)
        try:
            yield
        finally:
            callers.close()
        running.result()
