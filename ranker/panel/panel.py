"""One epoch of the panel: rows read just before it begins, scores published once it has begun."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from feature_store.clock import Clock
from feature_store.schema.panel import PanelHeader, PanelRows, late_after_ms
from feature_store.slices import ALL_USERS
from ranker.experiments.nudge import Nudges
from ranker.panel.sample import sampled_items
from ranker.panel.scoring import PanelScorer, Watched
from ranker.panel.users import Users
from ranker.pipeline.batch import CandidateBatch, Float64
from ranker.pipeline.components import Hydrator
from ranker.pipeline.deadline import Deadline
from ranker.pipeline.features import Features
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.query import Query
from ranker.registry.models import ServedModel

NOBODY = "panel:nobody"
"""A user to whom nothing has happened: stands in while nobody else is known."""

_READ_AT_ONCE = 500
"""Items: a longer read would keep rank requests waiting."""

_PATIENCE_MS = 60_000.0


class PanelLog(Protocol):
    """Where `score.panel` is written."""

    def publish(self, partition: int, rows: PanelRows) -> None:
        """Hand over the items of one partition."""

    def flush(self) -> None:
        """Wait until everything handed over is safe."""


class EpochMissed(RuntimeError):  # noqa: N818  (a state of the world)
    """The epoch had begun before its rows were read: its nudge may have acted already."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for one epoch.

    Attributes
    ----------
    features : by slice, of all items, one for each user
    """

    epoch: int
    batch: CandidateBatch
    features: Mapping[str, Sequence[Features]]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to score."""
        return not len(self.batch) or not self.features


class Panel:
    """Reads and scores the same users and items in every epoch.

    Parameters
    ----------
    epoch_ms : length of an epoch
    slices : names of all slices of users; none: users are not told apart
    nudges_on : whether nudges are in force now
    """

    def __init__(
        self,
        items: ItemColumns,
        hydrator: Hydrator,
        scorer: PanelScorer,
        nudges: Nudges,
        log: PanelLog,
        clock: Clock,
        *,
        features: tuple[str, ...],
        allowed_gains: tuple[float | None, ...] = (),
        epoch_ms: int,
        items_max: int,
        nudges_on: Callable[[], bool],
        slices: tuple[str, ...] = (),
    ) -> None:
        self._items = items
        self._hydrator = hydrator
        self._scorer = scorer
        self._nudges = nudges
        self._log = log
        self._clock = clock
        self._features = features
        self._allowed_gains = allowed_gains
        self._epoch_ms = epoch_ms
        self._items_max = items_max
        self._nudges_on = nudges_on
        self._slices = slices

    def read(self, epoch: int, users: Users) -> Reading:
        """Read all rows as of the beginning of ``epoch``, before it.

        Where users are not told apart, and none is known yet, :data:`NOBODY` is asked about.

        Raises
        ------
        EpochMissed
            The epoch has begun meanwhile.
        """
        begins_ms = epoch * self._epoch_ms
        batch = sampled_items(self._items, self._items_max, begins_ms)
        drawn = users if users or self._slices else {ALL_USERS: (NOBODY,)}
        features = {
            name: [self._features_of(user, batch, begins_ms) for user in members]
            for name, members in drawn.items()
        }
        if self._clock.now_ms() >= begins_ms:
            raise EpochMissed(f"epoch {epoch} began before its rows were read: read them earlier")
        return Reading(epoch, batch, features)

    def publish(self, reading: Reading, model: ServedModel) -> int:
        """Score what was read by ``model`` and write it; the number of items.

        Raises
        ------
        InferenceError
            The model does not answer; nothing was written.
        """
        batch, nudge = reading.batch, self._nudge(reading.epoch, reading.batch)
        item_ids = pa.array(batch.item_ids, pa.string())
        scored = [
            PanelRows(
                self._header(reading, name, model), item_ids, *self._scorer.score(model, features), nudge
            )
            for name, features in reading.features.items()
        ]
        places = [(number, batch.partitions == number) for number in np.unique(batch.partitions).tolist()]
        for rows in scored:
            for partition, mine in places:
                self._log.publish(partition, rows.take(np.flatnonzero(mine)))
        self._log.flush()
        return len(batch)

    def late(self, epoch: int) -> bool:
        """Whether what is published of ``epoch`` now comes too late for the detectors."""
        return self._clock.now_ms() >= epoch * self._epoch_ms + late_after_ms(self._epoch_ms)

    def _header(self, reading: Reading, user_slice: str, model: ServedModel) -> PanelHeader:
        return PanelHeader(
            epoch=reading.epoch,
            epoch_ms=self._epoch_ms,
            model_version=f"{model.name}:{model.version}",
            features=self._features,
            items=len(reading.batch),
            users=len(reading.features[user_slice]),
            user_slice=user_slice,
            slices=self._slices,
            allowed_gains=self._allowed_gains,
        )

    def _nudge(self, epoch: int, batch: CandidateBatch) -> Float64:
        return self._nudges.nudge(epoch, batch) if self._nudges_on() else np.zeros(len(batch))

    def _features_of(self, user: str, batch: CandidateBatch, now_ms: int) -> Features:
        query, n = panel_query(user, now_ms, self._clock), len(batch)
        places = [np.arange(start, min(start + _READ_AT_ONCE, n)) for start in range(0, n, _READ_AT_ONCE)]
        parts = [self._hydrator.hydrate(query, batch.take(each)) for each in places]
        if not parts:
            return self._hydrator.blank(query, batch)
        return replace(
            parts[0],
            candidates=np.concatenate([part.candidates for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
        )


def panel_query(user: str, now_ms: int, clock: Clock) -> Query:
    """What the hydrator is asked with."""
    return Query("panel", user, "panel", None, 0, now_ms, False, Deadline(clock, _PATIENCE_MS))


def watched_columns(columns: Sequence[str], hydrator: Hydrator, items: ItemColumns, clock: Clock) -> Watched:
    """Every candidate column, attributes of items too: somebody may make them of what we publish."""
    nothing = items.batch([NOBODY], np.array([-1], np.intp), np.zeros(1, np.int32), ("panel",))
    blank = hydrator.blank(panel_query(NOBODY, clock.now_ms(), clock), nothing).candidates[0]
    return Watched(tuple(columns), np.arange(len(columns)), blank)
