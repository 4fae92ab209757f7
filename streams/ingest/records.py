"""Records of `events` as columns, one run per source partition."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one partition.

    Attributes
    ----------
    partition : their partition of `events`
    offsets : ascending
    times_ms : Kafka's timestamps
    keys, values : as they arrived
    """

    partition: int
    offsets: list[int]
    times_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def __add__(self, later: "Run") -> "Run":
        return Run(
            self.partition,
            self.offsets + later.offsets,
            self.times_ms + later.times_ms,
            self.keys + later.keys,
            self.values + later.values,
        )

    def cut(self, start: int, end: int | None = None) -> "Run":
        """The records at ``[start:end]``."""
        part = slice(start, end)
        return Run(
            self.partition, self.offsets[part], self.times_ms[part], self.keys[part], self.values[part]
        )

    def rising_times_ms(self) -> NDArray[np.int64]:
        """(n,) the largest timestamp so far, for each record: a broker's clock may step back."""
        return np.maximum.accumulate(np.array(self.times_ms, np.int64))
