"""What one epoch's nudges do to the scores of later epochs: two worlds that differ in nothing else."""

import copy

import numpy as np

from streams.loopbench.noise import Float64
from streams.loopbench.shown import draw_pair
from streams.loopbench.truth import Truth
from streams.loopbench.world import World


class Echo:
    """True β after one, two, three ... epochs, and their sum G, as means over the epochs branched off.

    Parameters
    ----------
    shape : (runs, k, n)
    lags : epochs that are listened to
    """

    def __init__(self, shape: tuple[int, ...], lags: int) -> None:
        self._truths = [Truth(shape) for _ in range(lags)]

    def listen(self, world: World) -> None:
        """Branch off ``world``, which stays as it is: once with some nudges, once with the opposite ones.

        Both branches live through the same epochs and get the same nudges but for the first, which are
        opposite; what they have in common is drawn once.
        """
        here, there = copy.deepcopy(world), copy.deepcopy(world)
        draws, delta = world.noise.apart(world.epoch), world.scale.delta
        signs = draws.signs()
        nudge, other_nudge = delta * signs, -delta * signs
        for truth in self._truths:
            here.advance()
            there.advance()
            shown, other = draw_pair(
                draws, here.chances(here.raw_score() + nudge), there.chances(there.raw_score() + other_nudge)
            )
            here.learn(shown)
            there.learn(other)
            change = here.raw_score() - there.raw_score()
            truth.add(signs, change / (2 * delta), world.before)
            nudge = other_nudge = delta * draws.signs()

    def at(self, lag: int) -> Truth:
        """β after ``lag`` epochs."""
        return self._truths[lag - 1]

    def gain(self) -> Float64:
        """(runs, k, k) G over all lags, with the detectors' weights."""
        gain: Float64 = np.sum([truth.as_estimated for truth in self._truths], axis=0)
        return gain
