"""A small world with a known loop, as the messages of the topics that the detectors read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feature_store.schema.ids import partition_column
from feature_store.schema.panel import PanelHeader, PanelRows, encode_panel
from feature_store.schema.topics import SCORE_PANEL
from ranker.experiments.coins import signs
from tests.unit.streams.feedback.exposure_log import MODEL, messages, shown

FEATURES = ("item.click_count_total", "item.age_s")


@dataclass(frozen=True)
class LoopWorld:
    """Items of which one feature answers to their own published score.

    Parameters
    ----------
    gain : β of the loop, 0: there is none
    gains : β of the loop in each slice of users, each with a feature of its own; empty: users are not told
        apart, and ``gain`` is that of all
    feature : that answers
    noise : how far it moves by itself in an epoch
    lag : epochs until it answers
    declared : what the lineage allows each feature; empty: it is not told
    memory : share of itself that it keeps
    """

    gain: float
    feature: str = FEATURES[0]
    noise: float = 0.02
    delta: float = 0.2
    items: int = 120
    epochs: int = 40
    epoch_ms: int = 10_000
    first_epoch: int = 170_000_000
    partitions: int = 2
    exposures: int = 400
    seed: int = 7
    gains: tuple[tuple[str, float], ...] = ()
    lag: int = 1
    declared: tuple[float | None, ...] = ()
    memory: float = 0.5

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices of users."""
        return tuple(name for name, _ in self.gains)

    @property
    def ids(self) -> list[str]:
        """Its items."""
        return [f"i{n}" for n in range(self.items)]

    def messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, partition, stamp ms, payload), each log in the order of its stamps."""
        rng = np.random.default_rng(self.seed)
        names, gains = zip(*(self.gains or (("", self.gain),)), strict=True)
        shape, gain = (len(names), self.items), np.array(gains)[:, None]
        feature, nudges = rng.normal(size=shape), [np.zeros(self.items)] * self.lag
        base = rng.normal(size=self.items)
        for epoch in range(self.first_epoch, self.first_epoch + self.epochs):
            feature = feature * self.memory + gain * nudges.pop(0) + rng.normal(size=shape) * self.noise
            nudge = self.delta * signs(b"salt", epoch, self.ids).astype(np.float64)
            nudges.append(nudge)
            for name, own in zip(names, feature, strict=True):
                yield from self._panel(epoch, base + own, own, nudge, name)
            for name, own in zip(names, feature, strict=True):
                yield from self._exposures(epoch, base + own, nudge, rng, name)

    def _panel(self, epoch, raw, feature, nudge, user_slice):
        columns = {self.feature: feature, FEATURES[1]: np.zeros(self.items)}
        panel = panel_messages(
            epoch,
            self.epoch_ms,
            self.ids,
            raw,
            columns,
            nudge,
            partitions=self.partitions,
            user_slice=user_slice,
            slices=self.slices,
            declared=self.declared,
        )
        for partition, payload in enumerate(panel):
            yield SCORE_PANEL, partition, epoch * self.epoch_ms + 100, payload

    def _exposures(self, epoch, raw, nudge, rng, user_slice):
        told = {"user_slice": [user_slice] * self.exposures} if user_slice else {}
        begins_ms = epoch * self.epoch_ms
        rows = shown(self.exposures, self.ids, raw, nudge, rng, served_time_ms=begins_ms + 50, **told)
        yield from messages(epoch, self.epoch_ms, rows, self.partitions)


def panel_messages(
    epoch,
    epoch_ms,
    ids,
    raw,
    contributions,
    nudge,
    *,
    partitions,
    model=MODEL,
    user_slice="",
    slices=(),
    declared=(),
):
    """The message of each partition of `score.panel` in one epoch, of one slice."""
    header = PanelHeader(
        epoch, epoch_ms, model, tuple(contributions), len(ids), 1, user_slice, slices, declared
    )
    rows = PanelRows(header, pa.array(ids), raw, np.stack([*contributions.values()], axis=1), nudge)
    places = partition_column(ids, partitions)
    return [encode_panel(rows.take(np.flatnonzero(places == place))) for place in range(partitions)]
