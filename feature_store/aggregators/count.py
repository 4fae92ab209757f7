"""All-time counts, exact to 2^53."""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64


@dataclass(frozen=True)
class Count:
    """How often ``event`` happened, ever."""

    event: str
    width = 1
    inputs = ()

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    def blank(self) -> Float64:
        return np.zeros(1)

    def update(self, state: Float64, events: Events) -> None:
        np.add.at(state[:, 0], events.index, 1.0)

    def merge(self, left: Float64, right: Float64) -> Float64:
        return left + right

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        return state[:, 0]
