"""A small world to rank in: items in memory, rows in a memory store, a model that is a function."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from feature_store.catalog import load_catalog
from feature_store.clock import ManualClock
from feature_store.fetcher import RowFetcher
from feature_store.items import ItemTable
from feature_store.online.memory import MemoryOnlineStore
from feature_store.online.rows import encode_rows
from feature_store.schema.events import ItemEvent
from feature_store.schema.ids import hash53, partition_of
from feature_store.views import FeatureView
from ranker.filters.blocked_creator import BlockedCreator
from ranker.filters.expired import Expired
from ranker.filters.seen import Seen
from ranker.hydrators.rows import RowHydrator, item_columns
from ranker.pipeline.breaker import Breaker
from ranker.pipeline.components import Filter, Hydrator, Nudger, Scorer, Selector, Source, Surface, Value
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.executor import RankingPipeline
from ranker.pipeline.query import Query
from ranker.pipeline.scoring import ScorerChain
from ranker.policies.value_model import ValueModel
from ranker.registry.models import ServedModel
from ranker.scorers.counters import CounterScorer
from ranker.scorers.model import ModelScorer
from ranker.selectors.by_score import ByScore
from ranker.triton.function import FunctionClient, Model

CATALOG = load_catalog()
SERVICE = CATALOG.service("timeline_v1")
PARTITIONS = 4
NOW_MS = 1_700_000_000_000
MODEL = ServedModel("ranker", "7", SERVICE.fingerprint, ("click", "like"))
OLDER = ServedModel("older", "6", SERVICE.fingerprint, ("click", "like"))
GENRES = ("drama", "comedy", "horror", "noir")


def per_candidate_model(user, candidates, ids):
    """Two heads that mix every input, each candidate by itself."""
    taste = np.float32(user.sum() % 7)
    click = np.tanh(candidates.sum(axis=1) / 50 + (ids[:, 1] % 97) / 97 + taste)
    return {"click": click.astype(np.float32), "like": (click * 0.5).astype(np.float32)}


@dataclass
class World:
    """Everything a pipeline is made of; change it, then ask for :meth:`pipeline`."""

    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryOnlineStore = field(default_factory=MemoryOnlineStore)
    table: ItemTable = field(default_factory=ItemTable)
    model: Model = per_candidate_model
    sources: tuple[Source, ...] = ()
    value: Value = field(default_factory=lambda: ValueModel({"click": 1.0, "like": 2.0}))
    selector: Selector = field(default_factory=ByScore)
    nudger: Nudger | None = None

    def __post_init__(self) -> None:
        self.client = FunctionClient({"ranker": self._infer})
        self.items = item_columns(CATALOG, SERVICE, PARTITIONS)
        self.table.subscribe(self.items.apply)
        fetcher = RowFetcher(self.store)
        self.hydrator: Hydrator = RowHydrator(CATALOG, SERVICE, self.items, fetcher, PARTITIONS)
        self.filters: tuple[Filter, ...] = (Seen(), Expired(self.items), BlockedCreator())
        self.scorers: Sequence[Scorer] = (
            self.model_scorer("model", MODEL),
            CounterScorer(SERVICE.candidate, "item.impression_count_total", "item.click_count_total"),
        )

    def model_scorer(self, name: str, served: ServedModel | None) -> ModelScorer:
        """A scorer that asks the world's client."""
        return self.scorer_of(self.client, name, served)

    def scorer_of(self, client: FunctionClient, name: str, served: ServedModel | None) -> ModelScorer:
        """A scorer that asks another client."""
        return ModelScorer(name, client, lambda: served, SERVICE.fingerprint, 250.0, Breaker(self.clock))

    def _infer(self, user, candidates, ids):
        return self.model(user, candidates, ids)

    def announce(self, n: int, creators: int = 3) -> list[str]:
        """Items i0 … with creators and genres; their ids."""
        for i in range(n):
            genres = list(GENRES[: 1 + i % len(GENRES)])
            self.item(
                f"i{i}", creator_id=f"c{i % creators}", attributes={"genres": genres, "popularity": float(i)}
            )
        return [f"i{i}" for i in range(n)]

    def item(self, item_id: str, **fields) -> None:
        """One item event."""
        event = ItemEvent(event_id=f"e-{item_id}", event_time_ms=NOW_MS - 1000, item_id=item_id, **fields)
        self.table.apply(event)

    def row(self, view_name: str, entity_id: str, **states) -> None:
        """Write a row whose features' states begin with the given numbers."""
        view = CATALOG.view(view_name)
        rows = view.blank_rows(1)
        rows[0, :2] = (3, NOW_MS - 500)
        for feature, values in states.items():
            start = view.state_of(feature).start
            rows[0, start : start + len(values)] = values
        self.put(view, entity_id, rows)

    def put(self, view: FeatureView, entity_id: str, rows: np.ndarray) -> None:
        """Store one row."""
        partition = partition_of(entity_id, PARTITIONS)
        claim = self.store.claim(view.fingerprint, partition)
        self.store.put_rows(view.fingerprint, partition, claim.epoch, 1, [(entity_id, encode_rows(rows)[0])])

    def saw(self, user_id: str, *item_ids: str) -> None:
        """The user's last impressions."""
        hashes = [float(hash53(item_id)) for item_id in item_ids]
        self.row("user_history", user_id, seen_items=[len(hashes), *hashes])

    def pipeline(self) -> RankingPipeline:
        """A pipeline over the world as it is."""
        return self.pipeline_of(ScorerChain(self.scorers))

    def pipeline_of(self, scorers: ScorerChain) -> RankingPipeline:
        """The same with other scorers."""
        surface = Surface("test/1", self.sources, self.filters, self.value, self.selector)
        return RankingPipeline(self.items, self.hydrator, scorers, {}, surface, self.clock, self.nudger)

    def query(self, candidates: list[str] | None, *, limit: int = 2000, user_id: str = "u1") -> Query:
        """A request as of now, with 500 ms to go."""
        return Query(
            request_id="r1",
            user_id=user_id,
            surface="home",
            candidates=candidates,
            limit=limit,
            finalize_time_ms=NOW_MS,
            sampled=False,
            deadline=Deadline(self.clock, 500.0),
        )


def answered(outcome) -> list[str]:
    """Item ids of a slate, best first."""
    return [outcome.batch.item_ids[place] for place in outcome.slate.order.tolist()]


def scores_by_item(outcome) -> dict[str, float]:
    """Published score of every scored candidate."""
    return dict(zip(outcome.batch.item_ids, outcome.scores.published.tolist(), strict=True))
