"""Accepted events → the messages of every batch topic."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from feature_store.items import ItemTable
from feature_store.outbound import Outbound
from feature_store.schema.batches import EntityBatch, SourceRanges, encode_entity_batch
from feature_store.schema.feedback import encode_feedback
from feature_store.schema.topics import FEEDBACK, batch_topic
from streams.ingest.attributes import AttributeColumn
from streams.ingest.chunks import chunks
from streams.ingest.entity_batches import EntityBatcher
from streams.ingest.feedback_batches import feedback_batches
from streams.ingest.item_columns import ItemColumns
from streams.ingest.joined_rows import JoinedRows
from streams.ingest.registry import Registry
from streams.ingest.routes import EntityRoute
from streams.ingest.rows import event_rows
from streams.ingest.sieve import Sifted

_KEYS = frozenset({"user", "item", "creator"})
_USERS_KNOWN = 200_000
"""Users whose partition is kept at hand; beyond it all are forgotten and learned anew."""


class Assembly:
    """Joins items onto events and cuts the rows into batches.

    Parameters
    ----------
    routes : the entities to make batches for
    table : the items to join
    partitions : batch partitions
    """

    def __init__(self, routes: Sequence[EntityRoute], table: ItemTable, partitions: int) -> None:
        self._users = _no_users(partitions)
        self._partitions = partitions
        columns = [AttributeColumn.parse(name) for route in routes for name in route.columns]
        values = dict.fromkeys(part for route in routes for part in route.parts if part not in _KEYS)
        self.items = ItemColumns(table, partitions, [column for column in columns if column], values)
        self._batchers = [EntityBatcher(route) for route in routes]

    def messages(self, sifted: Sequence[Sifted], ranges: SourceRanges) -> Iterator[Outbound]:
        """The batches of accepted events, which together cover ``ranges``."""
        self.items.refresh()
        joined = JoinedRows(event_rows(sifted, self._users, self.items), self._users, self.items)
        for batcher in self._batchers:
            yield from _entity_messages(batcher, joined, ranges)
        yield from _feedback_messages(joined, ranges)
        self.items.forget_strangers()
        if len(self._users) > _USERS_KNOWN:
            self._users = _no_users(self._partitions)


def _no_users(partitions: int) -> Registry:
    users = Registry(partitions)
    users.add("")  # the code of none
    return users


def _entity_messages(batcher: EntityBatcher, rows: JoinedRows, ranges: SourceRanges) -> Iterator[Outbound]:
    topic = batch_topic(batcher.route.entity)
    for partition, batch in batcher.batches(rows, ranges):
        payloads = chunks(
            lambda start, end, covered, batch=batch: encode_entity_batch(  # type: ignore[misc]
                _part(batch, start, end, covered)
            ),
            batch.source_partition,
            batch.source_offset,
            ranges,
        )
        for payload in payloads:
            yield Outbound(topic, payload, partition=partition)


def _feedback_messages(joined: JoinedRows, ranges: SourceRanges) -> Iterator[Outbound]:
    for partition, table in feedback_batches(joined):
        payloads = chunks(
            lambda start, end, covered, table=table: encode_feedback(  # type: ignore[misc]
                table.slice(start, end - start), covered
            ),
            table.column("source_partition").to_numpy(),
            table.column("source_offset").to_numpy(),
            ranges,
        )
        for payload in payloads:
            yield Outbound(FEEDBACK, payload, partition=partition)


def _part(batch: EntityBatch, start: int, end: int, covered: SourceRanges) -> EntityBatch:
    """Rows [start, end) of a batch, with only the ids that they point to."""
    if end - start == len(batch):
        return replace(batch, ranges=covered)
    part = slice(start, end)
    used, index = np.unique(batch.entity_index[part], return_inverse=True)
    return EntityBatch(
        entity_ids=pa.array(batch.entity_ids, pa.string()).take(pa.array(used)),
        entity_index=index.astype(np.int32),
        event_names=batch.event_names,
        event_index=batch.event_index[part],
        event_time_ms=batch.event_time_ms[part],
        value=batch.value[part],
        source_partition=batch.source_partition[part],
        source_offset=batch.source_offset[part],
        ranges=covered,
        extra={name: values[part] for name, values in batch.extra.items()},
    )
