"""What users were shown and what they did, as it was and as it would have been under the opposite nudges."""

from dataclasses import dataclass

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise


@dataclass(frozen=True, slots=True)
class Shown:
    """One epoch's (runs, k, n) counts.

    Attributes
    ----------
    published : score by which items were shown
    exposures, clicks : counts
    """

    published: Float64
    exposures: Float64
    clicks: Float64


@dataclass(frozen=True, slots=True)
class Chances:
    """(runs, k, n): expected exposures of each item, and the probability that one is clicked."""

    published: Float64
    exposures: Float64
    click: Float64


def draw_pair(noise: SeededNoise, real: Chances, twin: Chances) -> tuple[Shown, Shown]:
    """One epoch and its counterfactual twin, alike wherever their chances are.

    What both have in common is drawn once, so that the difference carries no more noise than it must.
    """
    least = np.minimum(real.exposures, twin.exposures)
    click = np.minimum(real.click, twin.click)
    both = noise.poisson(least)
    more = noise.poisson(np.abs(real.exposures - twin.exposures))
    both_clicks, more_clicks = noise.binomial(both, click), noise.binomial(more, click)
    pair = []
    for chances in (real, twin):
        own = more * (chances.exposures > least)
        clicks = both_clicks + more_clicks * (chances.exposures > least)
        rest = (chances.click - click) / (1.0 - click)
        if rest.any():
            clicks = clicks + noise.binomial(both + own - clicks, rest)
        pair.append(Shown(chances.published, both + own, clicks))
    return pair[0], pair[1]
