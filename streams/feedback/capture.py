"""State of an object tree as named arrays, and back."""

from collections.abc import Iterable
from operator import attrgetter

import numpy as np

from streams.feedback.base import State


def capture(root: object, paths: Iterable[str]) -> State:
    """Copies of the arrays (or numbers, or texts) at dotted ``paths`` below ``root``."""
    return {path: np.array(attrgetter(path)(root)) for path in paths}


def reinstate(root: object, paths: Iterable[str], state: State) -> None:
    """Put what :func:`capture` took back in its place.

    Raises
    ------
    ValueError
        When a path is absent from ``state``.
    """
    for path in paths:
        if path not in state:
            raise ValueError(f"{path}: absent from the state")
        owner, _, name = path.rpartition(".")
        setattr(attrgetter(owner)(root) if owner else root, name, np.array(state[path]))
