"""Two models over the same items, of which one may listen to the other, as messages of the topics."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from feature_store.schema.topics import SCORE_PANEL
from ranker.experiments.coins import signs
from tests.unit.streams.feedback.exposure_log import messages, shown
from tests.unit.streams.feedback.production.loop_log import panel_messages

MODELS = ("feed", "related")


@dataclass(frozen=True)
class CrossWorld:
    """What each model publishes moves, one epoch later, what the other one scores.

    Parameters
    ----------
    heard : β of what `related` hears of `feed`
    answered : β of what `feed` hears of `related`
    salts : of the two models
    noise : how far scores move by themselves in an epoch
    """

    heard: float = 0.4
    answered: float = 0.0
    salts: tuple[bytes, bytes] = (b"salt of feed", b"salt of related")
    noise: float = 0.05
    delta: float = 0.2
    items: int = 120
    epochs: int = 24
    epoch_ms: int = 10_000
    first_epoch: int = 170_000_000
    partitions: int = 2
    exposures: int = 400
    seed: int = 11

    @property
    def ids(self) -> list[str]:
        """The items."""
        return [f"i{n}" for n in range(self.items)]

    def messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, partition, stamp ms, payload), each log in the order of its stamps."""
        rng = np.random.default_rng(self.seed)
        hears = np.array([[0.0, self.answered], [self.heard, 0.0]])
        base, moved = rng.normal(size=(2, self.items)), rng.normal(size=(2, self.items))
        nudges = np.zeros((2, self.items))
        for epoch in range(self.first_epoch, self.first_epoch + self.epochs):
            moved = moved * 0.5 + hears @ nudges + rng.normal(size=moved.shape) * self.noise
            nudges = self.delta * np.stack([signs(salt, epoch, self.ids) for salt in self.salts])
            raw = base + moved
            for number, model in enumerate(MODELS):
                yield from self._panel(epoch, f"{model}:1", raw[number], moved[number], nudges[number])
            for number, model in enumerate(MODELS):
                yield from self._exposures(epoch, f"{model}:1", raw[number], nudges[number], rng)

    def _panel(self, epoch, model, raw, feature, nudge):
        columns = {"item.click_count_total": feature}
        payloads = panel_messages(
            epoch, self.epoch_ms, self.ids, raw, columns, nudge, partitions=self.partitions, model=model
        )
        for partition, payload in enumerate(payloads):
            yield SCORE_PANEL, partition, epoch * self.epoch_ms + 100, payload

    def _exposures(self, epoch, model, raw, nudge, rng):
        told = {"served_time_ms": epoch * self.epoch_ms + 50, "model": model}
        rows = shown(self.exposures, self.ids, raw, nudge, rng, **told)
        yield from messages(epoch, self.epoch_ms, rows, self.partitions)
