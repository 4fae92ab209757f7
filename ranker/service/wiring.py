"""Puts the process together: settings in, front doors out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf

from feature_store.catalog import Catalog
from feature_store.clock import Clock
from feature_store.fetcher import RowFetcher
from feature_store.items import ItemsFollower, ItemTable
from feature_store.online.connection import connect
from feature_store.online.redis import RedisOnlineStore
from feature_store.online.timelines import RedisTimelineStore
from feature_store.schema.ids import partition_column
from feature_store.views import FeatureService
from ranker.hydrators.guarded import Guarded
from ranker.hydrators.rows import RowHydrator, item_columns
from ranker.hydrators.slices import UserSlices
from ranker.pipeline.batch import Float64
from ranker.pipeline.breaker import Breaker
from ranker.pipeline.components import Nudger, Scorer, Surface
from ranker.pipeline.executor import RankingPipeline
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.outcome import EMBEDDED_INFERENCE
from ranker.pipeline.scoring import ScorerChain
from ranker.policies.config import DEFAULT_SURFACE, Policy
from ranker.registry.watcher import ChampionWatcher
from ranker.scorers.by_arm import ByArm
from ranker.scorers.counters import CounterScorer
from ranker.scorers.model import ModelScorer, Notes, Serving
from ranker.service.metrics import RankerMetrics
from ranker.service.settings import RankerSettings
from ranker.service.surfaces import surfaces
from ranker.side_effects.served import ServedLog, ServedRows
from ranker.side_effects.timeline import ReadyTimeline
from ranker.side_effects.worker import SideEffect, SideEffects
from ranker.sources.recent import recent
from ranker.sources.shelf import Shelf
from ranker.sources.trending import DecayedCounts, trending
from ranker.triton.base import InferenceClient

TRENDING = ("item", "clicks_1d")
"""View and feature that say what is trending."""

IMPRESSIONS, CLICKS = "item.impression_count_total", "item.click_count_total"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What rankings are made from.

    Attributes
    ----------
    items, follower : item attributes in memory, and what keeps them there
    fetcher, timelines : rows and ready timelines in Redis
    slices : says which slice a user is in; None: users are not told apart
    """

    catalog: Catalog
    service: FeatureService
    items: ItemColumns
    follower: ItemsFollower
    fetcher: RowFetcher
    timelines: RedisTimelineStore
    slices: UserSlices | None


def open_knowledge(settings: RankerSettings, catalog: Catalog) -> Knowledge:
    """Item columns, and clients of Redis that connect when they are first asked.

    Raises
    ------
    InvalidDefinition
        Users are to be told apart by an attribute that nothing keeps.
    """
    service = catalog.service(settings.rank_service)
    items, table = item_columns(catalog, service, settings.batch_partitions), ItemTable()
    table.subscribe(items.apply)
    rows = RedisOnlineStore(connect(settings, settings.rank_features_timeout_ms))
    return Knowledge(
        catalog=catalog,
        service=service,
        items=items,
        follower=ItemsFollower(settings, table),
        fetcher=RowFetcher(rows),
        timelines=RedisTimelineStore(connect(settings)),
        slices=None if settings.slicing is None else UserSlices(catalog, settings.slicing),
    )


def make_hydrator(settings: RankerSettings, knowledge: Knowledge, timeout_ms: float = inf) -> RowHydrator:
    """What makes the inputs of models, of rankings and of the panel alike; ``timeout_ms``: for one read."""
    return RowHydrator(
        knowledge.catalog,
        knowledge.service,
        knowledge.items,
        knowledge.fetcher,
        settings.batch_partitions,
        knowledge.slices,
        timeout_ms,
    )


def make_shelves(settings: RankerSettings, knowledge: Knowledge) -> tuple[Shelf, Shelf]:
    """The sources recent and trending."""
    items, at_most = knowledge.items, settings.sources_items
    counts = decayed_counts(knowledge, settings.batch_partitions)
    return (
        Shelf("recent", recent(items, at_most)),
        Shelf("trending", trending(items, counts, at_most, settings.sources_among)),
    )


def decayed_counts(knowledge: Knowledge, partitions: int) -> DecayedCounts:
    """Reads the feature that says what is trending."""
    view = knowledge.catalog.view(TRENDING[0])
    finalizer = view.finalizer([TRENDING[1]])

    def counts(item_ids: list[str], now_ms: int) -> Float64:
        places = partition_column(item_ids, partitions).tolist()
        rows = knowledge.fetcher.fetch({view: (item_ids, places)})[view]
        return finalizer.finalize(rows, now_ms)[:, 0]

    return counts


def make_scorers(
    settings: RankerSettings,
    service: FeatureService,
    client: InferenceClient,
    watcher: ChampionWatcher,
    frozen: ChampionWatcher | None,
    clock: Clock,
) -> ScorerChain:
    """model → last good model → counters; the chain itself ends in the input order.

    Users of the holdout are answered by ``frozen``, where there is one. While counters stand in for what
    should serve, answers say so.
    """
    always = (EMBEDDED_INFERENCE,) if settings.inference == "embedded" else ()

    def model(name: str, serving: Serving, notes: Notes = lambda: always) -> ModelScorer:
        timeout_ms, breaker = settings.rank_model_timeout_ms, Breaker(clock)
        return ModelScorer(name, client, serving, service.fingerprint, timeout_ms, breaker, notes)

    def followed(follower: ChampionWatcher, unserved: str) -> ModelScorer:
        return model(
            "model",
            lambda: follower.current,
            lambda: (*always, unserved) if follower.stands_in else always,
        )

    first: Scorer = followed(watcher, "champion_not_served")
    if frozen is not None:
        first = ByArm(first, followed(frozen, "holdout_model_not_served"))
    return ScorerChain(
        (
            first,
            model("last_good_model", lambda: watcher.previous),
            CounterScorer(service.candidate, IMPRESSIONS, CLICKS),
        )
    )


def make_surfaces(policy: Policy, knowledge: Knowledge, shelves: tuple[Shelf, Shelf]) -> dict[str, Surface]:
    """surface -> its stages."""
    return surfaces(policy, knowledge.items, {"recent": shelves[0], "trending": shelves[1]})


def make_pipeline(
    settings: RankerSettings,
    knowledge: Knowledge,
    scorers: ScorerChain,
    stages: Mapping[str, Surface],
    nudger: Nudger | None,
    clock: Clock,
) -> RankingPipeline:
    """The pipeline behind both front doors."""
    hydrator = Guarded(make_hydrator(settings, knowledge, settings.rank_features_timeout_ms), Breaker(clock))
    return RankingPipeline(knowledge.items, hydrator, scorers, stages, stages[DEFAULT_SURFACE], clock, nudger)


def make_side_effects(
    settings: RankerSettings,
    knowledge: Knowledge,
    log: ServedLog,
    metrics: RankerMetrics,
    others: tuple[SideEffect, ...],
    clock: Clock,
) -> tuple[SideEffects, ...]:
    """Ready timelines and ``others``, and `rank.served`: neither waits for what the other writes to."""
    behind: tuple[SideEffect, ...] = (ReadyTimeline(knowledge.timelines, settings.timeline_ttl_s), *others)
    served = ServedRows(log, settings.batch_partitions)
    run = partial(
        SideEffects,
        waiting=settings.side_effects_waiting,
        on_drop=metrics.dropped,
        clock=clock,
        gather_s=settings.side_effects_gather_ms / 1000,
    )
    return run(behind), run([served])


def first_problem(*probes: Callable[[], str | None]) -> Callable[[], str | None]:
    """A probe that reports the first problem of several."""

    def probe() -> str | None:
        return next((problem for each in probes if (problem := each()) is not None), None)

    return probe


def until_well(probe: Callable[[], str | None]) -> Callable[[], str | None]:
    """A probe that reports problems until there was none for once: of what only the start needs."""
    well = False

    def probed() -> str | None:
        nonlocal well
        problem = None if well else probe()
        well = problem is None
        return problem

    return probed


def model_problem(client: InferenceClient, watcher: ChampionWatcher) -> str | None:
    """None while the served model answers, else why it does not."""
    served = watcher.current
    if client.ready(served.name, served.version):
        return None
    return watcher.problem or f"model {served.name}/{served.version} does not answer"
