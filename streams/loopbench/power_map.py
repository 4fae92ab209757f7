"""Where power goes: over cells, and β·δ relative to the noise of scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from streams.feedback import total_score
from streams.loopbench.alarms import NEVER
from streams.loopbench.campaign import play
from streams.loopbench.parts.base import Part
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.parts.score_noise import ScoreNoise
from streams.loopbench.samplers import Sampler, Softmax, TopK
from streams.loopbench.world import Scale
from streams.loopbench.worlds.catalogue import WorldSpec

SAMPLERS: dict[str, type[Sampler]] = {"softmax": Softmax, "top-k": TopK}
ITEMS, NOISES, DELTAS, GAINS = (300, 1000), (0.1, 0.3), (0.1, 0.2), (0.07, 0.15)
LOOKED_AT = (10, 20, 40)
"""Epochs after which power is read off."""

EVENTS_AN_ITEM = 25.0


@dataclass(frozen=True, slots=True)
class MapPoint:
    """Power of D1-R at W ≥ 100 in one world, after so many cells.

    Attributes
    ----------
    ratio : β·δ / noise, β over items
    """

    sampler: str
    items: int
    noise: float
    delta: float
    beta: float
    cells: int
    events: float
    ratio: float
    seeds: int
    power: float


@dataclass(frozen=True, slots=True)
class _Setting:
    sampler: str
    items: int
    noise: float
    delta: float
    gain: float

    def spec(self) -> WorldSpec:
        scale = Scale(items=self.items, events=EVENTS_AN_ITEM * self.items, delta=self.delta)
        return WorldSpec(
            "map", self._parts, sampler=SAMPLERS[self.sampler](), scale=scale, epochs=max(LOOKED_AT)
        )

    def _parts(self) -> Sequence[Part]:
        return (ClickCount(self.gain, unlogged=True), Quality(), ScoreNoise(self.noise))


def settings() -> list[_Setting]:
    """All combinations of sampler, catalogue size, noise, nudge and strength."""
    return [_Setting(*chosen) for chosen in product(SAMPLERS, ITEMS, NOISES, DELTAS, GAINS)]


def points_of(setting: _Setting, seeds: Sequence[int]) -> Iterator[MapPoint]:
    """One world's power, after each of :data:`LOOKED_AT` epochs."""
    outcome = play(setting.spec(), seeds)
    tickets = outcome.watches[total_score.NAME].ticket
    beta = float(outcome.beta_over_items.mean())
    for epochs in LOOKED_AT:
        yield MapPoint(
            sampler=setting.sampler,
            items=setting.items,
            noise=setting.noise,
            delta=setting.delta,
            beta=beta,
            cells=setting.items * epochs,
            events=EVENTS_AN_ITEM * setting.items * epochs,
            ratio=beta * setting.delta / setting.noise,
            seeds=len(seeds),
            power=float(((tickets != NEVER) & (tickets <= epochs)).mean()),
        )
