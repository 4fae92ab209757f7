"""A world: parts, a ranker that turns scores into exposure, nudges, and the truth about its loops."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.feedback.cells import EpochCells
from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Mask, Part
from streams.loopbench.samplers import Sampler
from streams.loopbench.shown import Chances, Shown, draw_pair
from streams.loopbench.truth import Truth

CLICK_RATE = 0.1
_SURE = 0.9


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is.

    Attributes
    ----------
    subjects : k models or slices
    items : n of the catalogue
    events : impressions an epoch and subject
    delta : size of the nudge in score units
    settling : epochs before the first one that is logged
    """

    subjects: int = 1
    items: int = 1000
    events: float = 25_000.0
    delta: float = 0.2
    settling: int = 6


class World:
    """Many seeds of one world side by side.

    Parameters
    ----------
    parts : what it is made of
    sampler : how scores become exposure
    scale : how large it is
    seeds : one for each run

    Attributes
    ----------
    features : names of what its scores are made of, in the order of the contributions
    truth : what its nudges really did
    noise : where all its randomness comes from
    epoch : that comes next
    before : (runs, k, n) exposures of the last one, as logged
    """

    def __init__(self, parts: Sequence[Part], sampler: Sampler, scale: Scale, seeds: Sequence[int]) -> None:
        self.scale = scale
        self._parts = list(parts)
        self._sampler = sampler
        self.noise = SeededNoise(seeds, (scale.subjects, scale.items))
        self._sources = [part for part in self._parts if part.feature]
        self._logged = [row for row, part in enumerate(self._sources) if not part.unlogged]
        self.features = tuple(self._sources[row].feature for row in self._logged)
        self.truth = Truth(self.noise.shape)
        self.epoch = -scale.settling
        self.before = np.zeros(self.noise.shape)
        for part in self._parts:
            part.begin(self.noise)
        for _ in range(scale.settling):
            self.step()
        self.truth = Truth(self.noise.shape)

    def step(self) -> EpochCells:
        """One epoch: scores, nudges, what was shown and clicked; then every part learns from it."""
        epoch, fresh = self.epoch, self.advance()
        contributions = np.stack([part.contribution() for part in self._sources], axis=-2)
        raw = contributions.sum(axis=-2)
        nudge = self.scale.delta * self.noise.signs()
        logged = self._happen(raw, nudge)
        return EpochCells(
            epoch=epoch,
            version="1",
            present=np.ones(raw.shape, np.bool_),
            fresh=fresh,
            raw_score=raw,
            contributions=contributions[..., self._logged, :],
            nudge=nudge,
            exposures=logged.exposures,
            clicks=logged.clicks,
        )

    def advance(self) -> Mask:
        """An epoch begins: whatever happens to items anyway; (runs, k, n) slots that have a new one."""
        fresh = self._replaced()
        for part in self._parts:
            part.advance(self.epoch, self.noise)
        self.epoch += 1
        return fresh

    def raw_score(self) -> Float64:
        """(runs, k, n) as things are."""
        score: Float64 = np.sum([part.contribution() for part in self._sources], axis=0)
        return score

    def chances(self, published: Float64) -> Chances:
        """What people are shown and do, given the scores by which items are shown."""
        published = published + sum(part.boost() for part in self._parts)
        appetite = sum(part.appetite(published) for part in self._parts)
        traffic = np.prod([part.traffic() for part in self._parts])
        exposures = self.scale.events * traffic * self._sampler.shares(published)
        return Chances(published, exposures, np.minimum(CLICK_RATE * np.exp(appetite), _SURE))

    def learn(self, shown: Shown) -> Shown:
        """Every part learns what the log has of it, which is returned."""
        logged = _logged(self._parts, shown)
        for part in self._parts:
            part.observe(logged)
        self.before = logged.exposures
        return logged

    def _replaced(self) -> Mask:
        fresh = np.zeros(self.noise.shape, np.bool_)
        for part in self._parts:
            churned = part.churn(self.noise)
            fresh = fresh if churned is None else fresh | churned
        if fresh.any():
            for part in self._parts:
                part.replace(fresh, self.noise)
            self.before = np.where(fresh, 0.0, self.before)
        return fresh

    def _happen(self, raw: Float64, nudge: Float64) -> Shown:
        """Show, click, log and learn, here and in the twin world where all nudges went the other way."""
        shown, other_shown = draw_pair(self.noise, self.chances(raw + nudge), self.chances(raw - nudge))
        before, others = self.before, [part.twin() for part in self._parts]
        logged, other_logged = self.learn(shown), _logged(others, other_shown)
        change = np.zeros_like(raw)
        for part, other in zip(self._parts, others, strict=True):
            other.observe(other_logged)
            if part.feature and part.reacts:
                change = change + part.contribution() - other.contribution()
        self.truth.add(np.sign(nudge), change / (2 * self.scale.delta), before)
        return logged


def _logged(parts: Sequence[Part], shown: Shown) -> Shown:
    for part in parts:
        shown = part.logged(shown)
    return shown
