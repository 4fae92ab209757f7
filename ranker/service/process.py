"""Everything the process runs, opened in order and closed in the opposite one."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.types import ASGIApp

from feature_store.catalog import Catalog
from feature_store.clock import Clock
from feature_store.telemetry.health import Heartbeat, Readiness
from ranker.pipeline.batch import Heads
from ranker.pipeline.features import Features
from ranker.policies.config import Policy, load_policy
from ranker.registry.models import ServedModel
from ranker.registry.watcher import ChampionWatcher
from ranker.service.feature_reader import FeatureReader
from ranker.service.http import Backends, HttpDoor
from ranker.service.instruments import open_instruments
from ranker.service.kafka import KafkaDoor
from ranker.service.lanes import Lanes
from ranker.service.metrics import RankerMetrics
from ranker.service.publisher import Publisher
from ranker.service.ranking import Limits, Ranking
from ranker.service.refresher import Refresher
from ranker.service.releases import open_releases, open_watcher
from ranker.service.respond import Responder
from ranker.service.settings import RankerSettings
from ranker.service.wiring import (
    Knowledge,
    first_problem,
    make_pipeline,
    make_scorers,
    make_shelves,
    make_side_effects,
    make_surfaces,
    model_problem,
    open_knowledge,
    until_well,
)
from ranker.side_effects.answer import Answer
from ranker.side_effects.forgone_cost import Ask
from ranker.side_effects.worker import SideEffects
from ranker.sources.shelf import Shelf
from ranker.triton.base import InferenceClient
from ranker.triton.connect import open_inference

_log = structlog.get_logger()


class Ending:
    """Ends the process when a front door fails, and remembers why.

    Parameters
    ----------
    stop : asks the process to drain and end
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.failure: Exception | None = None

    def fail(self, error: Exception) -> None:
        """End because of ``error``."""
        _log.error("front_door_failed", error=f"{type(error).__name__}: {error}")
        self.failure = error
        self._stop()


@dataclass(frozen=True, slots=True)
class Process:
    """What the outside sees: the HTTP application and the probes."""

    http: ASGIApp
    live: Readiness
    ready: Readiness


@dataclass(frozen=True, slots=True)
class Engine:
    """The pipeline, and what answers go through."""

    knowledge: Knowledge
    client: InferenceClient
    watcher: ChampionWatcher
    ranking: Ranking
    lanes: Lanes
    publisher: Publisher
    metrics: RankerMetrics
    live: Readiness


def open_process(
    settings: RankerSettings, catalog: Catalog, clock: Clock, ending: Ending, stack: ExitStack
) -> Process:
    """Start everything but the HTTP server; ``stack`` closes it, front doors first."""
    policy = load_policy(settings.rank_policy)
    knowledge = open_knowledge(settings, catalog)
    shelves = make_shelves(settings, knowledge)
    engine = _open_engine(settings, policy, knowledge, shelves, clock, stack)
    heartbeats = {name: Heartbeat(clock) for name in ("http", "refresher")}

    knowledge.follower.start()
    stack.callback(knowledge.follower.close)
    refresher = Refresher(
        shelves,
        clock,
        heartbeats["refresher"],
        settings.sources_refresh_ms,
        lambda source: engine.metrics.refreshes_failed.labels(source).inc(),
    )
    refresher.start()
    stack.callback(refresher.close)
    doors = [_open_kafka_door(settings, engine, clock, ending, stack)] if settings.rank_by_topic else []
    live = first_problem(
        *(heartbeat.problem for heartbeat in heartbeats.values()),
        *(door.heartbeat.problem for door in doors),
        engine.live,
        knowledge.follower.failed,
    )
    ready = first_problem(
        live,
        knowledge.follower.problem,
        *(door.problem for door in doors),
        until_well(lambda: model_problem(engine.client, engine.watcher)),  # later, answers are degraded
    )
    backends = Backends(
        ranking=engine.ranking,
        lanes=engine.lanes,
        metrics=engine.metrics,
        events=engine.publisher,
        timelines=knowledge.timelines,
        features=FeatureReader(catalog, knowledge.fetcher, settings.batch_partitions, clock),
        live=live,
        ready=ready,
    )
    return Process(HttpDoor(settings, backends, heartbeats["http"]).app(), live, ready)


def _open_kafka_door(
    settings: RankerSettings, engine: Engine, clock: Clock, ending: Ending, stack: ExitStack
) -> KafkaDoor:
    door = KafkaDoor(
        settings,
        engine.ranking,
        engine.lanes,
        engine.metrics,
        clock,
        at_once=settings.rank_lanes * 4,
        max_age_ms=settings.rank_max_age_ms,
        on_failure=ending.fail,
    )
    door.start()
    stack.callback(door.close)
    return door


def _open_engine(
    settings: RankerSettings,
    policy: Policy,
    knowledge: Knowledge,
    shelves: tuple[Shelf, Shelf],
    clock: Clock,
    stack: ExitStack,
) -> Engine:
    metrics = RankerMetrics(policy.surfaces)
    fingerprint = knowledge.service.fingerprint
    client = open_inference(settings, fingerprint)
    stack.callback(client.close)
    releases = open_releases(settings, clock, stack)
    follow = partial(open_watcher, settings, client, fingerprint, clock, stack)
    watcher = follow(pinned=settings.model, releases=releases)
    frozen = follow(pinned=settings.holdout_model) if settings.holdout_share else None
    instruments = open_instruments(
        settings, clock, stack, releases, lambda: watcher.current, _asking(client, settings)
    )
    stages = make_surfaces(policy, knowledge, shelves)
    publishing = Heartbeat(clock)
    publisher = Publisher(settings, settings.publish_timeout_ms, metrics.dropped, publishing)
    stack.callback(_close_publisher, publisher, settings.drain_s)
    effects = make_side_effects(settings, knowledge, publisher, metrics, instruments.effects(stages), clock)
    for each in effects:
        stack.callback(each.close)
    lanes = Lanes(settings.rank_lanes, settings.rank_waiting, clock)
    stack.callback(lanes.close)
    scorers = make_scorers(settings, knowledge.service, client, watcher, frozen, clock)
    ranking = Ranking(
        make_pipeline(settings, knowledge, scorers, stages, instruments.nudger, clock),
        Responder(knowledge.service),
        Limits(
            settings.rank_deadline_ms,
            settings.rank_max_candidates,
            settings.served_sample_rate,
            settings.ingest_max_ahead_ms,
        ),
        clock,
        metrics,
        partial(_follow_up, effects),
        instruments.draw_arms,
    )
    metrics.watch(lambda: watcher.current, lanes.in_flight, knowledge.items.__len__)
    metrics.watch_model("champion", lambda: watcher.problem)
    metrics.watch_age("champion", lambda: watcher.age_s(clock.now_ms()), settings.model_age_max_s)
    if frozen is not None:
        metrics.watch_model("holdout", lambda: frozen.problem)
    live = first_problem(lanes.problem, publishing.problem, *(each.problem for each in effects))
    return Engine(knowledge, client, watcher, ranking, lanes, publisher, metrics, live)


def _asking(client: InferenceClient, settings: RankerSettings) -> Ask:
    def ask(model: ServedModel, features: Features) -> Heads:
        return client.infer(
            model.name,
            model.version,
            features.user,
            features.candidates,
            features.ids,
            settings.rank_model_timeout_ms,
        )

    return ask


def _follow_up(effects: Sequence[SideEffects], answer: Answer) -> None:
    for each in effects:
        each.submit(answer)


def _close_publisher(publisher: Publisher, timeout_s: float) -> None:
    lost = publisher.close(timeout_s)
    if lost:
        _log.error("messages_not_acknowledged", messages=lost)
