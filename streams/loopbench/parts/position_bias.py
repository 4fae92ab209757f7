"""What stands higher is clicked more, whatever it is."""

from streams.loopbench.noise import Float64
from streams.loopbench.parts.base import Part


class PositionBias(Part):
    """The chance of a click falls by exp(−bias) from the first position to the last."""

    def __init__(self, bias: float = 1.5) -> None:
        self._bias = bias

    def appetite(self, published: Float64) -> Float64:
        rank = published.argsort(axis=-1).argsort(axis=-1) / published.shape[-1]
        appetite: Float64 = self._bias * (rank - 0.5)
        return appetite


class Adherence(Part):
    """Some users follow the score that they see: usage × adherence (Khritankov, arXiv 2101.05673).

    Parameters
    ----------
    usage : share of the users who see the score
    adherence : how far what they do moves towards it
    """

    def __init__(self, usage: float = 0.5, adherence: float = 0.5) -> None:
        self._strength = usage * adherence

    def appetite(self, published: Float64) -> Float64:
        appetite: Float64 = self._strength * (published - published.mean(axis=-1, keepdims=True))
        return appetite
