"""Counts over a batch log, one event at a time: each event counts where it was first emitted."""

from collections import Counter
from collections.abc import Sequence

from feature_store.schema.batches import decode_entity_batch


def count_over_log(log: Sequence[bytes], event: str) -> Counter[str]:
    """How often ``event`` happened to each entity."""
    counts: Counter[str] = Counter()
    emitted: set[tuple[int, int]] = set()
    for payload in log:
        batch = decode_entity_batch(payload)
        places = list(zip(batch.source_partition.tolist(), batch.source_offset.tolist(), strict=True))
        for row, place in enumerate(places):
            if place not in emitted and batch.event_names[batch.event_index[row]] == event:
                counts[batch.entity_ids[batch.entity_index[row]]] += 1
        for partition, (first, last) in batch.ranges.items():
            emitted.update((partition, offset) for offset in range(first, last + 1))
    return counts
