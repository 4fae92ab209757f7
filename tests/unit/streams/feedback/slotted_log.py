"""Requests that give one place away to chance, as exposures: a ranker that knows its users, and errs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from tests.unit.streams.feedback.exposure_log import exposures, messages


@dataclass(frozen=True)
class SlottedWorld:
    """Candidates of which the best are shown by their predicted click rate; lower places are clicked less.

    Parameters
    ----------
    effect : by how much more, relatively, a row is clicked because it was chosen
    share : of requests that explore
    error : spread of the logarithm of predictions over click rates
    underrated : how many times as often as predicted the last item is clicked; chance alone shows it then
    """

    effect: float = 0.0
    share: float = 0.3
    requests: int = 3000
    candidates: int = 12
    positions: int = 5
    error: float = 0.5
    underrated: float = 1.0
    epochs: int = 6
    epoch_ms: int = 10_000
    first_epoch: int = 170_000_000
    partitions: int = 1
    seed: int = 3

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """(epoch, exposures) of each epoch."""
        yield from _drawn(self)

    def draw(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The same, anew."""
        rng = np.random.default_rng(self.seed)
        quality = rng.normal(0, 0.4, self.candidates)
        if self.underrated != 1.0:
            quality[-1] = -5.0
        for epoch in range(self.first_epoch, self.first_epoch + self.epochs):
            yield epoch, self._epoch(epoch, quality, rng)

    def messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, partition, stamp ms, payload), each log in the order of its stamps."""
        for epoch, batch in self.batches():
            yield from messages(epoch, self.epoch_ms, batch, self.partitions)

    def _epoch(self, epoch, quality, rng):
        n, places = self.requests, np.arange(self.positions)
        taste = rng.normal(0, 0.7, (n, self.candidates))
        rate = np.minimum(0.1 * np.exp(quality + taste), 0.6) * rng.choice([0.7, 1.3])
        predicted = np.clip(rate * np.exp(rng.normal(0, self.error, rate.shape)), 0.001, 0.99)
        rate[:, -1] = np.minimum(rate[:, -1] * self.underrated, 0.9)
        order = np.argsort(-predicted, axis=1)
        shown = order[:, : self.positions].copy()
        slot = np.where(rng.random(n) < self.share, rng.integers(0, self.positions, n), -1)
        explores = np.flatnonzero(slot >= 0)
        behind = rng.integers(slot[explores], self.candidates)
        shown[explores, slot[explores]] = order[explores, behind]
        chosen = places != slot[:, None]
        clicked_rate = np.take_along_axis(rate, shown, 1) * (1 - 0.1 * places) * (1 + self.effect * chosen)
        return self._batch(epoch, shown, slot, np.take_along_axis(predicted, shown, 1), clicked_rate, rng)

    def _batch(self, epoch, shown, slot, predicted, rate, rng):
        n, k = shown.shape
        none, given = 1 - self.share, self.share / self.positions
        drawn = [("none", none) if at < 0 else (f"slot_{at}", given) for at in slot.tolist()]
        assigned = [
            [{"experiment": "exploration", "variant": variant, "propensity": chance}]
            for variant, chance in drawn
            for _ in range(k)
        ]
        return exposures(
            n * k,
            request_id=[f"{epoch}/{request}" for request in range(n) for _ in range(k)],
            item_id=[f"i{item}" for item in shown.reshape(-1).tolist()],
            position=np.tile(np.arange(k, dtype=np.int32), n),
            assignments=assigned,
            heads=[{"click": chance} for chance in predicted.reshape(-1).tolist()],
            served_time_ms=np.full(n * k, epoch * self.epoch_ms + 50),
            outcomes=[[("click", 1.0)] if hit else [] for hit in (rng.random((n, k)) < rate).reshape(-1)],
        )


@cache
def _drawn(world: SlottedWorld) -> list[tuple[int, pa.RecordBatch]]:
    """Several tests read the same world, and drawing takes longer than reading."""
    return list(world.draw())
