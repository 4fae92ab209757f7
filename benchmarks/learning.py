"""Minutes fresh: from an exposure to answers by a model that learned from it, and what the swaps cost.

The users of the demo come at the demo's rate and are served by a champion that was learned from them. Then
the trainer joins: version after version takes over under the same traffic, which is what the seconds before
the trainer are compared with. At last people go back to the version before, and forth again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from eddyline.clients.events import EventPublisher
from eddyline.clients.ranking import Answer, RankClient
from eddyline.clients.running import running_stack as stack_in
from eddyline.demo.tally import Tally
from eddyline.demo.traffic import WAVE, Traffic, UserWave
from eddyline.demo.users import Scale
from feature_store.clock import SystemClock
from feature_store.schema.requests import RankRequest
from feature_store.settings import Settings
from ranker.registry.connect import open_registry, open_training_data
from ranker.registry.models import ModelId, ModelMetadata
from ranker.registry.registry import ModelRegistry
from streams.simulator import Crowd, World, mishaps

SEED, HISTORY = 1, 20_000
BEFORE_TRAINING_S, BEFORE_TRAINER_S = 30.0, 15.0
UPDATES, GIVE_UP_S = 4, 240.0
TURNS = 3
AFTER_SWAP_S = 1.0


@dataclass(frozen=True)
class Asked:
    """A request, and what came back; ``model`` is empty where none was asked."""

    request_id: str
    began_s: float
    answer: Answer

    @property
    def ended_s(self) -> float:
        return self.began_s + self.answer.latency_ms / 1000

    @property
    def model(self) -> str:
        served = self.answer.response.model if self.answer.response else None
        return f"{served.name}/{served.version}" if served and served.name else ""

    @property
    def degraded(self) -> bool:
        return self.answer.response is not None and bool(self.answer.response.degraded)


class Watched(RankClient):
    """A client that remembers what it asked, in the order of the answers."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.asked: list[Asked] = []

    def rank(self, requests: Sequence[RankRequest]) -> list[Answer]:
        """As its parent."""
        began_s = time.time()
        answers = super().rank(requests)
        self.asked += [
            Asked(request.request_id, began_s, answer)
            for request, answer in zip(requests, answers, strict=True)
        ]
        return answers

    def first_by(self, model: str, after_s: float) -> float:
        """When the first answer by a model came to a request sent after that moment; waits for it."""
        late = time.monotonic() + GIVE_UP_S
        while time.monotonic() < late:
            found = [each.ended_s for each in list(self.asked) if each.model == model]
            if found := [at for at in found if at >= after_s]:
                return found[0]
            time.sleep(0.01)
        raise RuntimeError(f"no answer by {model} within {GIVE_UP_S:.0f} s")

    def between(self, first_s: float, last_s: float) -> list[Asked]:
        """Requests in flight in that time."""
        return [each for each in self.asked if each.ended_s >= first_s and each.began_s <= last_s]


def measure() -> list[Figure]:
    """Figures over at least four versions, and three turns back and forth."""
    with running_stack() as stack, _users(stack) as client:
        registry = open_registry(Settings(redis_url=stack.redis, home=stack.home), SystemClock())
        time.sleep(BEFORE_TRAINING_S)
        stack.command("train")
        champion = str(registry.aliases()["champion"])
        alone_s = client.first_by(champion, 0.0)
        time.sleep(BEFORE_TRAINER_S)
        with _trainer(stack):
            joined_s = time.time()
            _wait_for_updates(registry)
        left_s = time.time()
        updates = _updates(registry, joined_s)
        return [
            *_freshness(client, stack, updates),
            *_swaps(client, client.between(alone_s, joined_s), client.between(joined_s, left_s), updates),
            *_back_and_forth(client, stack, registry),
        ]


@contextmanager
def _users(stack: RunningStack) -> Iterator[Watched]:
    """The demo's users, some history, and the demo's mishaps."""
    clock, world = SystemClock(), World(SEED)
    crowd, now_ms = Crowd(world, SEED), clock.now_ms()
    publisher = EventPublisher(Settings(kafka_bootstrap=stack.kafka))
    publisher.publish(world.item_events(now_ms))
    publisher.publish(crowd.history(HISTORY, now_ms, Scale().history_ms))
    publisher.flush()
    with closing(Watched(stack.http)) as client:
        wave = UserWave(crowd, mishaps(SEED, now_ms), client, publisher, Tally(), clock)
        with Traffic(wave, Scale().visits_per_s / WAVE, clock) as traffic:
            yield client
            traffic.check()


@contextmanager
def _trainer(stack: RunningStack) -> Iterator[None]:
    """`python -m ranker.training`, as `EDDYLINE_TRAINER_WORKERS=1` runs it."""
    found = stack_in(stack.home)
    environment = {**os.environ, **found.addresses.environment(stack.home), "EDDYLINE_LOG_LEVEL": "warning"}
    with (stack.home / "logs" / "trainer.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ranker.training"], env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for_updates(registry: ModelRegistry) -> None:
    """Until so many versions became the champion; fewer if it takes too long."""
    began = time.monotonic()
    first = registry.aliases()["champion"]
    while time.monotonic() - began < GIVE_UP_S:
        moved = {change.model for change in registry.history() if change.alias == "champion"}
        if len(moved - {str(first)}) >= UPDATES:
            return
        time.sleep(0.5)


def _updates(registry: ModelRegistry, after_s: float) -> list[ModelMetadata]:
    """Versions that became the champion, oldest first."""
    moves = [change for change in registry.history() if change.alias == "champion"]
    return [registry.find(move.model) for move in reversed(moves) if move.time_ms >= after_s * 1000]


def _freshness(client: Watched, stack: RunningStack, updates: Sequence[ModelMetadata]) -> list[Figure]:
    """From each ranking to the first answer by a version that learned from it, join window included."""
    data = open_training_data(Settings(home=stack.home))
    learned_s: dict[str, float] = {}
    for model in updates:
        assert model.lineage is not None
        served_s = client.first_by(str(model.id), 0.0)
        for request_id in data.get(model.lineage.training_data)["request_id"].unique().to_pylist():
            learned_s.setdefault(request_id, served_s)
    began_s = {each.request_id: each.began_s for each in client.asked}
    steady_s = client.first_by(str(updates[0].id), 0.0)  # what came before waited for the trainer to join
    latest_s = max(began_s[request_id] for request_id in learned_s if request_id in began_s)
    waited = [
        learned_s.get(request_id, time.time()) - at_s
        for request_id, at_s in began_s.items()
        if steady_s <= at_s <= latest_s
    ]
    if not waited:
        raise RuntimeError(f"only {len(updates)} versions within {GIVE_UP_S:.0f} s: is the machine busy?")
    name = "from an exposure to answers by a model that learned from it"
    return [
        Figure("versions of the trainer that became the champion", float(len(updates)), "versions"),
        Figure(f"{name}, p50", float(np.percentile(waited, 50)), "s", target=60.0, at_least=False),
        Figure(f"{name}, longest", max(waited), "s", target=60.0, at_least=False),
    ]


def _swaps(
    client: Watched, before: Sequence[Asked], during: Sequence[Asked], updates: Sequence[ModelMetadata]
) -> list[Figure]:
    """What the seconds cost in which a version is loaded and takes over."""
    loads = [
        client.between(model.created_time_ms / 1000, client.first_by(str(model.id), 0.0) + AFTER_SWAP_S)
        for model in updates
    ]
    around = [each for load in loads for each in load]
    failed = sum(each.answer.response is None for each in during)
    alone = "champion alone, no trainer"
    figures = [
        Figure(
            "failed requests while versions were swapped", float(failed), "requests", target=0, at_least=False
        ),
        Figure(
            "degraded answers while versions were swapped",
            _degraded_percent(during),
            "%",
            alone,
            _degraded_percent(before),
        ),
    ]
    for name, some in (("around a swap", around), ("while the trainer runs", during)):
        for quantile in (50, 99):
            target = 2.5 if (name, quantile) == ("around a swap", 99) else None
            value, baseline = _quantile_ms(some, quantile), _quantile_ms(before, quantile)
            figures.append(
                Figure(
                    f"rank at the demo's rate {name}, p{quantile}",
                    value,
                    "ms",
                    alone,
                    baseline,
                    target,
                    at_least=False,
                    bound_ratio=True,
                )
            )
    return figures


def _back_and_forth(client: Watched, stack: RunningStack, registry: ModelRegistry) -> list[Figure]:
    """From the command to the first answer by the version that it names."""
    newest = registry.aliases()["champion"]
    times: dict[str, list[float]] = {"rollback": [], "promote": []}
    for _ in range(TURNS):
        times["rollback"].append(_moved(client, stack, registry.aliases()["rollback"], "rollback"))
        times["promote"].append(_moved(client, stack, newest, "promote", str(newest)))
    target = {"rollback": 10.0, "promote": None}
    return [
        Figure(
            f"from `eddyline models {name}` to its first answer, longest of {TURNS}",
            max(each),
            "s",
            target=target[name],
            at_least=False,
        )
        for name, each in times.items()
    ]


def _moved(client: Watched, stack: RunningStack, to: ModelId, *words: str) -> float:
    began_s = time.time()
    stack.command("models", *words, "--reason", "measured")
    return client.first_by(str(to), began_s) - began_s


def _degraded_percent(asked: Sequence[Asked]) -> float:
    return 100 * sum(each.degraded for each in asked) / len(asked)


def _quantile_ms(asked: Sequence[Asked], quantile: int) -> float:
    return float(np.percentile([each.answer.latency_ms for each in asked], quantile))
