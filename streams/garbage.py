"""How often Python looks for reference cycles in our workers."""

import gc

_THRESHOLD = 100_000
"""A step makes thousands of objects, none of them in a cycle, and a worker holds lists of all its entities:
to walk through those every few hundred objects took a fifth of a feature worker's time."""


def collect_rarely() -> None:
    """Once in so many new objects."""
    gc.set_threshold(_THRESHOLD)
