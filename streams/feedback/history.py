"""What an item's value has been so far: all that its next value may be predicted from."""

import numpy as np

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64

MIN_AGE = 2
"""Values that an item needs before its next one is predicted."""

_FAST, _SLOW = 0.5, 0.2


class History:
    """Running summaries of each item's values; 6 float64 per item and value, nothing else.

    Parameters
    ----------
    shape : (*streams, n) of the values

    Attributes
    ----------
    columns : (6, *shape) float64, the whole state: age, last value, the one before, EWMA .5, EWMA .2, EWMA .5
        of the changes
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.columns = np.zeros((6, *shape))

    @property
    def ready(self) -> Mask:
        """(*shape,) items whose next value can be predicted."""
        ready: Mask = self.columns[0] >= MIN_AGE
        return ready

    @property
    def last(self) -> Float64:
        last: Float64 = self.columns[1]
        return last

    def predictors(self) -> Float64:
        """(..., 6, n): 1, the last value, and where it came from relative to it; zeros where not ready."""
        _, last, before, fast, slow, drift = self.columns
        terms = (np.ones_like(last), last, fast - last, slow - last, drift, before - last)
        return np.stack(terms, axis=-2) * self.ready[..., None, :]

    def advance(self, values: Float64, fresh: Mask) -> None:
        """Take in the next values; NaN, and a new item in the slot, forget what was before."""
        known = np.isfinite(values)
        age, last, before, fast, slow, drift = self.columns
        new = fresh | ~known | (age == 0)
        value = np.where(known, values, 0.0)
        change = value - last
        before[...] = np.where(new, value, last)
        drift[...] = np.where(new, 0.0, drift + _FAST * (change - drift))
        fast[...] = np.where(new, value, fast + _FAST * (value - fast))
        slow[...] = np.where(new, value, slow + _SLOW * (value - slow))
        last[...] = value
        age[...] = np.where(new, known, age + 1)

    def forget(self) -> None:
        self.columns[...] = 0.0
