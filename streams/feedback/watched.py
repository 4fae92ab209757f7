"""What a detector watches, and what is allowed of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

import numpy as np

from streams.feedback.evidence.betting import Float64


@dataclass(frozen=True, slots=True)
class Watched:
    """Names of what is watched, and the declared paths among them.

    Attributes
    ----------
    subjects : the k models, or slices of one model's users
    values : the f values of each: features, or the score
    allowed_gain : β that the lineage graph allows after any lag, by value; a value that is absent here is
        allowed none, in either direction
    allowed_damping : by how much the others may push back, −β: a rate falls where more is shown
    allowed_long_run : what all answers of the others together may come to, G, in either direction
    """

    subjects: tuple[str, ...]
    values: tuple[str, ...]
    allowed_gain: Mapping[str, float] = field(default_factory=dict)
    allowed_damping: float = inf
    allowed_long_run: float = inf

    def __post_init__(self) -> None:
        unknown = sorted(set(self.allowed_gain) - set(self.values))
        if unknown:
            raise ValueError(f"allowed_gain: {unknown} are not among the values {list(self.values)}")

    def allowed(self) -> Float64:
        """(f,) β above which a value counts, −inf where it need not be estimated at all."""
        return np.array([self.allowed_gain.get(value, -np.inf) for value in self.values])
