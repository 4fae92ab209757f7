"""Users of two arms, of whom those with the loop are shown ever fewer items, as exposures of each epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tests.unit.streams.feedback.exposure_log import exposures, messages


@dataclass(frozen=True)
class ArmsLog:
    """Exposures of two arms whose concentration may grow.

    Parameters
    ----------
    growth : by how much production concentrates in an epoch more than the holdout
    drift : by how much both do
    production, holdout : model version of an epoch, counted from 0
    out : exposures of the holdout in an epoch
    """

    growth: float = 0.0
    drift: float = 0.02
    production: Callable[[int], str] = lambda epoch: "ranker:2"
    holdout: Callable[[int], str] = lambda epoch: "ranker:1"
    out: int = 150
    items: int = 40
    epochs: int = 60
    epoch_ms: int = 10_000
    first_epoch: int = 170_000_000
    partitions: int = 1
    seed: int = 1

    def messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, partition, stamp ms, payload), each log in the order of its stamps."""
        for epoch in range(self.epochs):
            rows = self.batch(epoch)
            yield from messages(self.first_epoch + epoch, self.epoch_ms, rows, self.partitions)

    def batch(self, epoch: int) -> pa.RecordBatch:
        """Exposures of one epoch, counted from 0."""
        rng = np.random.default_rng([self.seed, epoch])
        arms = [
            (600, "treatment", self.growth + self.drift, self.production(epoch)),
            (self.out, "holdout", self.drift, self.holdout(epoch)),
        ]
        drawn = [(n, arm, self._items(rng, n, slope * epoch), model) for n, arm, slope, model in arms]
        n = sum(count for count, *_ in drawn)
        return exposures(
            n,
            request_id=[f"{epoch}/{k}" for k in range(n)],
            item_id=[f"i{item}" for _, _, items, _ in drawn for item in items.tolist()],
            position=np.zeros(n, np.int32),
            assignments=[
                [{"experiment": "holdout", "variant": arm, "propensity": 0.5}]
                for count, arm, _, _ in drawn
                for _ in range(count)
            ],
            model_version=[model for count, _, _, model in drawn for _ in range(count)],
            served_time_ms=np.full(n, (self.first_epoch + epoch) * self.epoch_ms + 50),
        )

    def _items(self, rng, n, slope):
        chance = np.exp(-(1.0 + slope) * np.arange(self.items) / self.items)
        return rng.choice(self.items, n, p=chance / chance.sum())
