"""Parts of the exposures by time: to learn from, to stop on, to measure on. Never at random."""

from dataclasses import dataclass

import numpy as np

from ranker.training.errors import TrainingError
from ranker.training.rows import Rows

VALIDATION_SHARE = 0.125
"""Share of the requests before the test part that training stops on."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts, each later in time than the one before."""

    train: Rows
    validation: Rows
    test: Rows


def split(rows: Rows, *, fraction: float = 0.8, until_time_ms: int | None = None) -> Split:
    """Test on what came after the first ``fraction`` of the requests, or after ``until_time_ms``.

    Raises
    ------
    TrainingError
        One of the parts would be empty or without a click.
    """
    end = _first_after(rows, until_time_ms) if until_time_ms is not None else int(rows.requests * fraction)
    stop = int(end * (1 - VALIDATION_SHARE))
    parts = {"train": (0, stop), "validation": (stop, end), "test": (end, rows.requests)}
    made = {name: rows.between(*span) for name, span in parts.items()}
    for name, part in made.items():
        if not part.requests or not part.labels["click"].any():
            raise TrainingError(
                f"the {name} part has {part.requests} of {rows.requests} requests and no click: "
                "gather more exposures, or move the boundary (--fraction, --until-time-ms)"
            )
    return Split(**made)


def _first_after(rows: Rows, time_ms: int) -> int:
    return int(np.searchsorted(rows.time_ms, time_ms, side="right"))
