"""Which event ids occurred in the previous N offsets of a partition."""

from collections.abc import Sequence


class DuplicateWindow:
    """The ids of the valid events at the previous ``size`` offsets, a pure function of the log.

    A ring by offset, and a set of the ids in it. Memory: a slot and an id per offset.

    Parameters
    ----------
    size : offsets that the window reaches back
    next_offset : the first offset that will be admitted or skipped
    """

    def __init__(self, size: int, next_offset: int) -> None:
        self._size = size
        self._next = next_offset
        self._ring: list[str | None] = [None] * size
        self._ids: set[str] = set()
        self._latest: dict[str, int] = {}  # only of ids that occur in the window more than once

    def admit(self, offsets: Sequence[int], ids: Sequence[str]) -> list[int]:
        """Remember the ids at ascending offsets; the indices of those that are duplicates."""
        if not offsets:
            return []
        if self._all_new(offsets, ids):
            self._append(offsets, ids)
            return []
        return [
            i
            for i, (offset, id_) in enumerate(zip(offsets, ids, strict=True))
            if self._is_repeated(offset, id_)
        ]

    def _all_new(self, offsets: Sequence[int], ids: Sequence[str]) -> bool:
        fresh = set(ids)
        return (
            len(fresh) == len(ids) and offsets[-1] - self._next < self._size and self._ids.isdisjoint(fresh)
        )

    def _append(self, offsets: Sequence[int], ids: Sequence[str]) -> None:
        self._ids.update(ids)
        if offsets[-1] - self._next + 1 == len(offsets):
            self._append_dense(ids)
            return
        for offset, id_ in zip(offsets, ids, strict=True):
            self._advance_to(offset)
            self._put(id_)

    def _append_dense(self, ids: Sequence[str]) -> None:
        start, count = self._next % self._size, len(ids)
        first = min(count, self._size - start)
        self._replace(start, ids[:first])
        self._replace(0, ids[first:])
        self._next += count

    def _replace(self, start: int, ids: Sequence[str]) -> None:
        part = slice(start, start + len(ids))
        leaving = self._ring[part]
        self._ring[part] = ids
        if not self._latest:
            self._ids.difference_update(leaving)
            return
        for i, id_ in enumerate(leaving):
            self._drop(id_, self._next - self._size + (start + i - self._next) % self._size)

    def _is_repeated(self, offset: int, id_: str) -> bool:
        self._advance_to(offset)
        repeated = id_ in self._ids
        self._ids.add(id_)
        if repeated:
            self._latest[id_] = offset
        self._put(id_)
        return repeated

    def _advance_to(self, offset: int) -> None:
        """Leave the slots of refused events and of offsets that hold no record empty."""
        if offset - self._next >= self._size:
            self._forget_all()
            self._next = offset
        while self._next < offset:
            self._put(None)

    def _put(self, id_: str | None) -> None:
        slot = self._next % self._size
        leaving, self._ring[slot] = self._ring[slot], id_
        self._drop(leaving, self._next - self._size)
        self._next += 1

    def _drop(self, id_: str | None, offset: int) -> None:
        if id_ is None:
            return
        latest = self._latest.get(id_)
        if latest is None or latest == offset:
            self._latest.pop(id_, None)
            self._ids.discard(id_)

    def _forget_all(self) -> None:
        self._ring = [None] * self._size
        self._ids.clear()
        self._latest.clear()
