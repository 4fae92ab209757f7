"""Which slot an item has."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Slots = NDArray[np.int64]

NO_SLOT = -1


class Roster:
    """Items and their slots; the slots of those that went are given to others.

    Parameters
    ----------
    most : slots at most; items beyond have none
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._used = 0

    @property
    def room(self) -> int:
        """Items that may still be enrolled."""
        return self._most - len(self._slots)

    @property
    def size(self) -> int:
        """Slots ever in use."""
        return self._used

    def known(self, item_ids: pa.Array) -> Slots:
        """(n,) slot of each item, :data:`NO_SLOT` where it has none."""
        return self._look_up(item_ids, self._slots.get)

    def enrolled(self, item_ids: pa.Array) -> Slots:
        """The same, but unknown items get a slot, as long as there are any."""
        return self._look_up(item_ids, self._enrol)

    def release(self, slots: Slots) -> None:
        """Give ``slots`` back; they go to others in the order of their numbers."""
        gone = set(slots.tolist())
        if not gone:
            return
        self._slots = {item: slot for item, slot in self._slots.items() if slot not in gone}
        self._free = sorted({*self._free, *gone})

    def items(self) -> list[str]:
        """(size,) item of each slot, "" of a free one."""
        items = [""] * self._used
        for item, slot in self._slots.items():
            items[slot] = item
        return items

    @classmethod
    def of(cls, items: list[str], most: int) -> "Roster":
        """The roster that gave ``items``."""
        roster = cls(most)
        roster._used = len(items)
        roster._slots = {item: slot for slot, item in enumerate(items) if item}
        roster._free = [slot for slot, item in enumerate(items) if not item]
        return roster

    def _look_up(self, item_ids: pa.Array, slot_of: Callable[[str], int | None]) -> Slots:
        encoded = item_ids.dictionary_encode()
        by_code = [slot_of(item) for item in encoded.dictionary.to_pylist()]
        slots = np.array([NO_SLOT if slot is None else slot for slot in by_code], np.int64)
        return slots[encoded.indices.to_numpy(zero_copy_only=False)] if len(slots) else slots

    def _enrol(self, item: str) -> int | None:
        slot = self._slots.get(item)
        if slot is None and (self._free or self._used < self._most):
            slot = self._slots[item] = self._free.pop(0) if self._free else self._used
            self._used = max(self._used, slot + 1)
        return slot
