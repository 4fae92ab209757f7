"""Runs the stages of a request in order, under one deadline, whatever fails."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from feature_store.clock import Clock
from ranker.pipeline.batch import Bool, CandidateBatch
from ranker.pipeline.components import Filter, Hydrator, Nudger, Source, Surface
from ranker.pipeline.features import Features
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.journal import Journal
from ranker.pipeline.outcome import RankingOutcome, Scores, Slate
from ranker.pipeline.query import Query
from ranker.pipeline.scoring import ScorerChain, in_input_order, unscored

REQUEST_SOURCES = ("request", "request_unknown_item")


class RankingPipeline:
    """sources → hydrator → filters → scorers → selector. Safe to share between threads.

    A component that raises never fails the request: it is left out, and ``degraded`` says so.

    Parameters
    ----------
    items : item attributes in memory
    surfaces : surface -> its stages
    default : the stages of every other surface
    clock : its monotonic time measures the stages
    nudger : asked where a request's arms say so
    """

    def __init__(
        self,
        items: ItemColumns,
        hydrator: Hydrator,
        scorers: ScorerChain,
        surfaces: Mapping[str, Surface],
        default: Surface,
        clock: Clock,
        nudger: Nudger | None = None,
    ) -> None:
        self._items = items
        self._hydrator = hydrator
        self._scorers = scorers
        self._surfaces = surfaces
        self._default = default
        self._clock = clock
        self._nudger = nudger

    def rank(self, query: Query) -> RankingOutcome:
        """Rank a request; raises nothing for what a component does."""
        surface = self._surfaces.get(query.surface, self._default)
        journal = Journal(self._clock)
        with journal.stage("sources"):
            found = self._gather(journal, surface.sources, query)
        with journal.stage("features"):
            hydrated = journal.attempt("features", None, self._hydrator.hydrate, query, found)
            features = hydrated or self._hydrator.blank(query, found)
        with journal.stage("filters"):
            kept, removed_by = _filter(journal, surface.filters, query, found, features)
            batch, features = _take(kept, found, features)
        with journal.stage("scoring"):
            if len(batch) == 0:
                scores = unscored(batch)
            elif hydrated is None:
                scores = in_input_order(journal, batch)
            else:
                scores = self._scorers.score(journal, surface.value, query, batch, features)
        with journal.stage("selection"):
            scores = self._nudged(journal, query, batch, scores)
            slate = _select(journal, surface, query, batch, scores)
        return RankingOutcome(
            batch=batch,
            features=features,
            removed_by=removed_by,
            scores=scores,
            slate=slate,
            policy=surface.policy,
            degraded=tuple(journal.degraded),
            failures=tuple(journal.failures),
            stage_ms=journal.stage_ms,
            assignments=query.arms.assignments,
        )

    def _nudged(self, journal: Journal, query: Query, batch: CandidateBatch, scores: Scores) -> Scores:
        """Where nothing scored the candidates, there is nothing to nudge."""
        epoch = query.arms.nudge_epoch
        if self._nudger is None or epoch is None or not scores.heads:
            return scores
        nudge = journal.attempt("nudge", scores.nudge, self._nudger.nudge, epoch, batch)
        return replace(scores, nudge=nudge)

    def _gather(self, journal: Journal, sources: Sequence[Source], query: Query) -> CandidateBatch:
        if query.candidates is not None:
            return self._named(query.candidates)
        found: dict[str, int] = {}
        for number, source in enumerate(sources):
            for item_id in journal.attempt(f"source_{source.name}", (), source.fetch, query):
                found.setdefault(item_id, number)
        item_ids, numbers = list(found), np.fromiter(found.values(), np.int32, len(found))
        names = tuple(source.name for source in sources)
        return self._items.batch(item_ids, self._items.rows_of(item_ids), numbers, names)

    def _named(self, candidates: list[str]) -> CandidateBatch:
        item_ids = list(dict.fromkeys(candidates))
        rows = self._items.rows_of(item_ids)
        return self._items.batch(item_ids, rows, (rows < 0).astype(np.int32), REQUEST_SOURCES)


def _filter(
    journal: Journal, filters: Sequence[Filter], query: Query, batch: CandidateBatch, features: Features
) -> tuple[Bool, dict[str, list[str]]]:
    kept, removed_by = np.ones(len(batch), np.bool_), {}
    for stage in filters:
        keep = journal.attempt(f"filter_{stage.name}", kept, stage.keep, query, batch, features)
        removed_by[stage.name] = [batch.item_ids[i] for i in np.flatnonzero(kept & ~keep).tolist()]
        kept = kept & keep
    return kept, removed_by


def _take(kept: Bool, batch: CandidateBatch, features: Features) -> tuple[CandidateBatch, Features]:
    if kept.all():
        return batch, features
    index = np.flatnonzero(kept)
    return batch.take(index), features.take(index)


def _select(journal: Journal, surface: Surface, query: Query, batch: CandidateBatch, scores: Scores) -> Slate:
    published = scores.published
    slate = journal.attempt("selector", None, surface.selector.select, query, batch, published)
    if slate is not None:
        return slate
    order = np.argsort(-published, kind="stable")[: query.limit]
    return Slate(order, np.ones(len(order)))
